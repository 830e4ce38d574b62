"""What is imported when: quick answers do not wait for heavy packages."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fabgen.card import Card
from fabgen.run.directory import open_run

#: Packages that only fabgen plot may import (pylhe brings particle by itself).
PICTURES = ("matplotlib", "mplhep", "corner", "hist", "boost_histogram", "particle")
#: Packages that only the commands that need them may import.
HEAVY = ("distrax", "orbax", "vegas", "pylhe", "blackjax", "tensorflow_probability", *PICTURES)

#: Runs commands one after the other in one process and says after each what is imported so far.
_SCRIPT = """
import json, sys
from fabgen.cli.commands import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["fabgen", *arguments]
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    modules = sorted({name.split(".")[0] for name in sys.modules})
    print("\\n@" + json.dumps({"code": code or 0, "modules": modules}))
"""


def run(*commands: list[str], script: str = "") -> list[tuple[int, set[str]]]:
    """Exit codes of `fabgen ARGUMENTS` and the top-level packages imported until then.

    script: what the process does afterwards.
    """
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT + script, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("@")]
    answers = [json.loads(line[1:]) for line in lines]
    assert len(answers) == len(commands)
    return [(answer["code"], set(answer["modules"])) for answer in answers]


def test_quick_answers_import_neither_jax_nor_heavy_packages(tmp_path):
    """Nor does import fabgen, which sets JAX to 64 bits nevertheless."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('process = "e+ e- > mu+ mu-"\nmodell = "sm"\n')
    empty = tmp_path / "run"
    with open_run(empty, Card(process=("e+ e- > mu+ mu-",))):
        pass
    commands = [
        (["--help"], 0),
        (["generate", "--help"], 0),
        (["--version"], 0),
        (["generate", "no-such-card.toml"], 2),
        (["generate", str(wrong)], 2),
        (["integrate", str(wrong), "--vegas"], 2),
        (["plot", "--help"], 0),
        (["plot", "runs/x"], 2),
        (["plot", str(empty)], 2),
    ]
    script = (
        "import jax, jax.numpy as jnp\n"
        "assert jax.config.jax_enable_x64\n"
        "assert jnp.ones(1).dtype == 'float64'\n"
    )
    answers = run(*(arguments for arguments, _ in commands), script=script)
    for (arguments, code), (answer, modules) in zip(commands, answers, strict=True):
        assert answer == code, arguments
        assert not modules & {"jax", *HEAVY}, arguments


def test_other_commands_import_no_more_than_they_need(tmp_path):
    """No heavy packages to show or to refuse processes; no pictures for events."""
    charge, card = tmp_path / "charge.toml", tmp_path / "card.toml"
    charge.write_text('process = "e+ e- > mu+ mu+"\n')
    card.write_text('process = "e+ e- > mu+ mu-"\nsurrogate = {kind = "uniform"}\n')
    options = ["--run", str(tmp_path / "run"), "--set", "evaluation.samples=1000", "-n", "10"]
    commands = [
        (["show", "e+ e- > mu+ mu-"], 0),
        (["show", "e+ e- > mu+ mu+"], 2),
        (["generate", str(charge)], 2),
        (["generate", str(card), *options, "--quiet"], 0),
    ]
    answers = run(*(arguments for arguments, _ in commands))
    assert [answer for answer, _ in answers] == [code for _, code in commands]
    *others, events = [modules for _, modules in answers]
    for modules in others:
        assert not modules & set(HEAVY)
    assert "pylhe" in events
    assert not events & (set(PICTURES) - {"particle"})


def test_importing_fabgen_after_jax_sets_64_bits():
    script = (
        "import jax, jax.numpy as jnp\n"
        "jax.config.update('jax_enable_x64', False)\n"
        "import fabgen\n"
        "assert jnp.ones(1).dtype == 'float64'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_public_names():
    import fabgen

    assert set(fabgen.__all__) <= set(dir(fabgen))
    for name in fabgen.__all__:
        assert getattr(fabgen, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        fabgen.no_such_name  # noqa: B018
