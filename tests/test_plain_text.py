"""Text for terminals: nothing unseen, nothing endless, and plain characters without UTF-8."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from fabgen.cli.progress import LogReporter, TerminalReporter
from fabgen.cli.tables import training_results
from fabgen.errors import FabgenError, InputError
from fabgen.plain_text import ERRORS, plain, shortened, visible

#: Colours, a cleared screen, a backspace, C1's escape, a turned direction, an invisible space.
UNSEEN = "\x1b[31m \x1b[2J \x08 \x9b2J \u202e \u200b \x00 \x7f \u2028 \udcff \U000e0041 \r"
ESCAPED = r"\x1b[31m \x1b[2J \x08 \x9b2J \u202e \u200b \x00 \x7f \u2028 \xff \U000e0041 \r"


def seen(text: str) -> bool:
    """Whether a text has nothing a terminal would act on but ends of lines."""
    return not set(text) & set("\x1b\x08\x9b\u202e\u200b\x00\x7f\u2028\udcff\U000e0041\r")


def test_escapes():
    assert visible(UNSEEN) == ESCAPED
    assert visible("e+ é 质量 🎉") == "e+ é 质量 🎉"
    assert visible("a\nb\tc") == r"a\nb\tc"
    assert visible("a\nb\tc", keep="\n") == "a\nb\\tc"


def test_long_texts():
    assert shortened("x" * 600) == "x" * 600
    text = shortened("a" * 10_000 + "b")
    assert len(text) < 650 and text.startswith("aaa") and text.endswith("ab")
    assert "9,401 more characters" in text


def test_plain_characters():
    assert plain("┌─┐│é…━ü") == r"+-+|\xe9.-\xfc"
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors=ERRORS)
    stream.write("é ─ \udcff €")
    stream.flush()
    assert stream.buffer.getvalue() == b"\xe9 - \\xff \\u20ac"


def test_messages():
    error = InputError(
        f"problem {UNSEEN}", file=UNSEEN, key=UNSEEN, found=UNSEEN, allowed=UNSEEN, hint=UNSEEN
    )
    assert str(error).count(ESCAPED) == 6 and str(error).count("\n") == 5
    assert seen(str(error)) and seen(str(FabgenError(UNSEEN)))
    assert str(InputError("a", found="x\ny")).count("\n") == 1
    listed = str(InputError("a", found=["x", "y\n", *"z" * 100]))
    assert r"  found:   x" + "\n" + 11 * " " + r"y\n" in listed and "... 62 more" in listed
    for name in ("problem", "file", "key", "found", "allowed", "hint"):
        assert len(str(InputError(**{"problem": "a", name: "x" * 10**6}))) < 7000
    assert str(error.with_place(file="other")) == str(error)


@pytest.mark.parametrize("reporter", [TerminalReporter, LogReporter])
def test_notes(reporter):
    out = io.StringIO()
    reporter(Console(file=out, width=200)).note(f"reading {UNSEEN} [red]:thumbs_up:")
    assert out.getvalue().strip() == f"reading {ESCAPED} [red]:thumbs_up:"


def test_results_of_a_training():
    figures = {"target_evaluations": 1, "gradient_evaluations": 0, "timing_s": {"total": 1.0}}
    sample = {"used": 1, "events": 2, "source": UNSEEN}
    out = io.StringIO()
    Console(file=out, width=200).print(training_results({**figures, "sample": sample}))
    assert ESCAPED in out.getvalue() and seen(out.getvalue())


def command(tmp_path, *arguments, **environment):
    own = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHONIO"))}
    return subprocess.run(
        [sys.executable, "-m", "fabgen", *arguments],
        env={**own, **environment},
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
    )


NOT_UTF8 = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii:strict"},
    "latin-1": {"PYTHONIOENCODING": "latin-1:strict"},
    "utf-8": {"PYTHONIOENCODING": "utf-8:strict"},
}


@pytest.mark.parametrize("environment", NOT_UTF8.values(), ids=NOT_UTF8)
def test_output_in_every_encoding(tmp_path, environment):
    """A path that is no UTF-8, a card with a letter and an escape, the help with its boxes."""
    name = os.fsdecode("é".encode() + b"\xff.toml")
    (tmp_path / name).write_text('"ü € \\u001b[31m" = 1', encoding="utf-8")
    encoding = environment.get("PYTHONIOENCODING", "ascii").split(":")[0]
    for arguments, code, expected in (
        (["show", name], 2, r"\xff.toml"),
        (["show", name], 2, r"\x1b[31m"),
        (["show", "missing" + name], 2, r"\xff.toml"),
        (["--help"], 0, "Usage"),
    ):
        done = command(tmp_path, *arguments, **environment)
        text = (done.stdout + done.stderr).decode(encoding)
        assert done.returncode == code and expected in text, text
        assert "Traceback" not in text and seen(text)


def test_results_without_utf_8(tmp_path):
    """Tables with plain lines; the path with its letter as an escape."""
    (tmp_path / "ü.toml").write_text(
        'process = "toy:camel-back"\nsurrogate.kind = "uniform"\nevaluation.samples = 1000\n'
    )
    done = command(tmp_path, "integrate", "ü.toml", **NOT_UTF8["ascii"])
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode("ascii")
    assert "|--" in text and "sampling efficiency" in text and r"runs/\xfc/report.json" in text


def test_what_is_allowed_may_have_several_lines():
    text = str(InputError("no", allowed='as TOML:\nprocess = "a\x1b"', found="a\nb"))
    assert text == 'no\n  found:   a\\nb\n  allowed: as TOML:\n           process = "a\\x1b"'
