"""What is imported when: quick answers do not wait for heavy packages."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fabgen.card import Card
from fabgen.rundir import open_run

#: Packages that only fabgen plot may import (pylhe brings particle by itself).
PICTURES = ("matplotlib", "mplhep", "corner", "hist", "boost_histogram", "particle")
#: Packages that only the commands that need them may import.
HEAVY = ("distrax", "orbax", "vegas", "pylhe", "blackjax", "tensorflow_probability", *PICTURES)

_SCRIPT = """
import json, sys
from fabgen.cli import main
sys.argv = ["fabgen", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as stop:
    code = stop.code
modules = sorted({name.split(".")[0] for name in sys.modules})
print("\\n" + json.dumps({"code": code, "modules": modules}))
"""


def run(*arguments: str) -> tuple[int, set[str]]:
    """Exit code of `fabgen ARGUMENTS` and the top-level packages it imported."""
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(result.stdout.splitlines()[-1])
    return answer["code"] or 0, set(answer["modules"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["generate", "--help"], 0),
        (["--version"], 0),
        (["generate", "no-such-card.toml"], 2),
        (["generate", "{wrong}"], 2),
        (["integrate", "{wrong}", "--vegas"], 2),
        (["plot", "--help"], 0),
        (["plot", "runs/x"], 2),
        (["plot", "{empty}"], 2),
    ],
)
def test_quick_answers_import_neither_jax_nor_heavy_packages(tmp_path, arguments, code):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('process = "e+ e- > mu+ mu-"\nmodell = "sm"\n')
    empty = tmp_path / "run"
    with open_run(empty, Card(process=("e+ e- > mu+ mu-",))):
        pass
    names = {"wrong": wrong, "empty": empty}
    answer, modules = run(*(argument.format(**names) for argument in arguments))
    assert answer == code
    assert not modules & {"jax", *HEAVY}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "e+ e- > mu+ mu-"], 0),
        (["show", "e+ e- > mu+ mu+"], 2),
        (["generate", "{charge}"], 2),
    ],
)
def test_show_and_wrong_processes_import_no_heavy_packages(tmp_path, arguments, code):
    charge = tmp_path / "charge.toml"
    charge.write_text('process = "e+ e- > mu+ mu+"\n')
    answer, modules = run(*(argument.format(charge=charge) for argument in arguments))
    assert answer == code
    assert not modules & set(HEAVY)


def test_importing_fabgen_sets_64_bits_and_imports_no_jax():
    script = (
        "import sys, fabgen\n"
        "assert 'jax' not in sys.modules\n"
        "import jax, jax.numpy as jnp\n"
        "assert jax.config.jax_enable_x64\n"
        "assert jnp.ones(1).dtype == 'float64'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


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


def test_other_commands_draw_nothing(tmp_path):
    card = tmp_path / "card.toml"
    card.write_text('process = "e+ e- > mu+ mu-"\nsurrogate = {kind = "uniform"}\n')
    options = ("--run", str(tmp_path / "run"), "--set", "evaluation.samples=1000", "-n", "10")
    answer, modules = run("generate", str(card), *options, "--quiet")
    assert answer == 0
    assert "pylhe" in modules
    assert not modules & (set(PICTURES) - {"particle"})
