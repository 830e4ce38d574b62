"""The command line: arguments, messages, exit codes."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fabgen import __version__
from fabgen import run as pipeline
from fabgen.cli.commands import app
from fabgen.errors import FabgenError
from fabgen.run.directory import open_run
from fabgen.run.progress import Silent

PROCESS = 'process = "e+ e- > mu+ mu-"\n'
COMMANDS = ("train", "generate", "integrate")
REPORT = {
    "process": "e+ e- > mu+ mu-",
    "unit": "pb",
    "integral": 0.1,
    "integral_error": 0.001,
    "sampling_efficiency": 0.9,
    "unweighting_efficiency": 0.5,
    "forward_kl": 0.0125,
    "forward_kl_error": 0.0012,
    "unweighting_efficiency_999": 0.625,
    "evaluation_samples": 1000,
    "events": 0,
    "weighted": False,
    "overweight": {"events": 0, "cross_section_fraction": 0.0},
    "target_evaluations": {"training": 1, "evaluation": 2, "generation": 3},
    "gradient_evaluations": {"training": 1, "evaluation": 0, "generation": 0},
    "timing_s": {"total": 1.0},
    "training": {},
    "untrained": None,
    "number": 1,
    "file": "events.lhe.gz",
    "parts": [10],
    "seed": 1,
    "generation_seed": 1,
    "beams": {"particles": [[-11], [11]], "energies": [500.0, 500.0], "sqrt_s": 1000.0},
    "cuts": {},
    "bw_cutoff": None,
}
TRAINING = {"target_evaluations": 5, "gradient_evaluations": 4, "timing_s": {"total": 1.0}}


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Replaces the pipeline by a list of what it was called with, in an empty directory."""
    made = []

    def record(name, answer):
        def call(card, directory, how, **options):
            made.append((name, card, directory, how, options))
            return answer

        monkeypatch.setattr(pipeline, name, call)

    record("train", TRAINING)
    record("generate", REPORT)
    record("append_events", REPORT | {"number": 2, "file": "events-2.lhe", "parts": [10, 1000]})
    record("integrate", REPORT)
    monkeypatch.chdir(tmp_path)
    return made


def fabgen(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_version_and_help():
    assert fabgen("--version").stdout == f"fabgen {__version__}\n"
    assert fabgen("--help").exit_code == 0
    for command in (*COMMANDS, "show", "plot"):
        assert fabgen(command, "--help").exit_code == 0
    for command in (*COMMANDS, "show", "plot"):
        assert f"Example:  fabgen {command}" in fabgen(command, "--help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_of_a_command(calls, write_card, tmp_path, command):
    path = write_card(PROCESS, "muons.toml")
    result = fabgen(
        command,
        path,
        "--run",
        tmp_path / "here",
        "--seed",
        "5",
        "--set",
        "training.steps=7",
        "--set",
        "surrogate.kind=vegas",
        "--restart",
        "--quiet",
    )
    assert result.exit_code == 0, result.output
    [(name, card, directory, how, _)] = calls
    assert name == command
    assert directory == tmp_path / "here"
    assert (card.training.seed, card.generation.seed) == (5, 5)
    assert (card.training.steps, card.surrogate.kind) == (7, "vegas")
    assert how.restart


def test_the_default_run_is_named_after_the_card(calls, write_card):
    fabgen("generate", write_card(PROCESS, "muons.toml"))
    assert calls[0][2].as_posix() == "runs/muons"
    assert not calls[0][3].restart


def test_the_options_of_generate(calls, write_card):
    path = write_card(PROCESS)
    result = fabgen("generate", path, "-n", "17", "--weighted", "--format", "lhe", "--quiet")
    assert result.exit_code == 0
    _, card, _, _, options = calls[0]
    assert (card.generation.events, card.generation.format) == (17, "lhe")
    assert options == {"weighted": True, "overwrite": False}
    assert fabgen("generate", path, "--events", "5").exit_code == 0
    assert calls[1][1].generation.events == 5


@pytest.mark.parametrize("text", ["1e4", "10_000", "10000", "1.0e+4", "10000.0"])
def test_numbers_of_events_in_all_ways(calls, write_card, text):
    assert fabgen("generate", write_card(PROCESS), "-n", text).exit_code == 0
    assert calls[0][1].generation.events == 10_000


@pytest.mark.parametrize("text", ["1.5", "0", "-1e3", "1e400", "nan", "inf", "many", "", "1_e3"])
def test_numbers_of_events_that_are_none(calls, write_card, tmp_path, text):
    result = fabgen("generate", write_card(PROCESS), f"--events={text}")
    assert result.exit_code == 2
    assert "is not a whole number >= 1" in " ".join(result.stderr.split())
    result = fabgen("plot", tmp_path, f"--samples={text}")
    assert result.exit_code == 2
    assert "is not a whole number >= 100" in " ".join(result.stderr.split())
    assert calls == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_process_takes_the_place_of_its_card(calls, command):
    options = ("--seed", "5", "--set", "beams.energy=[100.0, 200.0]", "--quiet")
    result = fabgen(command, "e+ e- >  mu+ mu-", *options)
    assert result.exit_code == 0, result.output
    [(name, card, directory, _, _)] = calls
    assert name == command
    assert card.process == ("e+ e- >  mu+ mu-",)
    assert card.beams.energy == (100.0, 200.0)
    assert (card.training.seed, card.generation.seed) == (5, 5)
    assert directory.as_posix() == "runs/e+e-_mu+mu-_2cbfa860"
    fabgen(command, "E+ e- > mu+ mu-", "--run", "elsewhere")
    assert calls[1][2].as_posix() == "elsewhere"


def test_a_toy_takes_the_place_of_its_card(calls):
    assert fabgen("train", "toy:camel-back").exit_code == 0
    assert calls[0][2].name.startswith("toy-camel-back_")


@pytest.mark.parametrize("command", [*COMMANDS, "show"])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("e+ e- > mu+ mx-", "'mx-' is not a particle"),
        ("e+ e- mu+ mu-", "needs '>'"),
        ("generate p p > t t~", 'process = "p p > t t~"'),
        ("define p = u d", 'p = "u d"'),
    ],
)
def test_a_wrong_process_in_quotes(tmp_path, monkeypatch, command, target, message):
    monkeypatch.chdir(tmp_path)
    result = fabgen(command, target)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "key:     process" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_card_that_is_not_there_is_no_process(calls):
    for target in ("cards/none.toml", "none", "my cards/none", "e+ > none.toml"):
        result = fabgen("generate", target)
        assert result.exit_code == 2
        assert "the card does not exist" in result.stderr


def test_events_of_a_run_that_has_some(calls, write_card):
    path = write_card(PROCESS, "muons.toml")
    told = fabgen("generate", path, "--append", "-n", "1000", "--weighted").stdout
    name, card, _, _, options = calls[0]
    assert (name, card.generation.events, options) == ("append_events", 1000, {"weighted": True})
    assert told.endswith(
        "  runs/muons/events-2.lhe\n  runs/muons/report-2.json\n  1,000 of the events are new\n"
    )
    assert fabgen("generate", path, "--overwrite").exit_code == 0
    assert calls[1][4] == {"weighted": False, "overwrite": True}
    for other in ("--overwrite", "--restart"):
        result = fabgen("generate", path, "--append", other)
        assert result.exit_code == 2
        assert f"found:   --append and {other}" in result.stderr
    assert len(calls) == 2


def test_further_events_say_that_the_others_stay(calls, write_card, monkeypatch):
    further = REPORT | {"number": 3, "file": "events-3.lhe.gz"}
    monkeypatch.setattr(pipeline, "generate", lambda *arguments, **options: further)
    told = fabgen("generate", write_card(PROCESS, "muons.toml")).stdout
    assert "  runs/muons/events-3.lhe.gz\n  runs/muons/report-3.json\n" in told
    assert told.endswith("events that the run had are still there; --overwrite replaces them\n")


def test_integrate_with_vegas(calls, write_card):
    assert fabgen("integrate", write_card(PROCESS), "--vegas").exit_code == 0
    assert calls[0][4] == {"vegas": True}


def test_results_go_to_stdout(calls, write_card):
    result = fabgen("integrate", write_card(PROCESS))
    assert "0.1000 +- 0.0010 pb" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_name_of_a_run_stays_on_its_line(calls, write_card, command):
    result = fabgen(command, write_card(PROCESS), "--run", "a\nb")
    assert "  a\\nb" in result.stdout
    assert "a\nb" not in result.stdout


def test_integrate_does_not_point_at_the_report_of_events(calls, write_card, tmp_path):
    path, report = write_card(PROCESS), tmp_path / "run" / "report.json"
    command = ("integrate", path, "--run", report.parent)
    assert fabgen(*command).stdout.endswith(f"\n  {report}\n")
    report.parent.mkdir()
    (report.parent / "events.lhe").write_text("")
    (report.parent / "events-2.lhe").write_text("")
    told = f"not stored: the run has events, which {report}, {report.with_stem('report-2')} tells"
    assert told in fabgen(*command).stdout


def test_a_preset_cannot_change_a_run(calls, write_card, tmp_path):
    from fabgen.card import load_card

    with open_run(tmp_path / "run", load_card(write_card(PROCESS))):
        pass
    result = fabgen("generate", tmp_path / "run", "--set", "preset=fab-paper-8d")
    assert result.exit_code == 2
    assert "preset" in result.stderr
    assert calls == []


@pytest.mark.parametrize("length", [0, 300])
def test_show_takes_processes_of_any_length(length):
    """Also one that is too long for the name of a file; an empty one is not the directory here."""
    result = fabgen("show", "x" * length)
    assert result.exit_code == 2
    assert "key:     process" in result.stderr


def test_a_reader_that_leaves_is_no_error(monkeypatch):
    def leave(*arguments, **options):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("fabgen.show.process.describe", leave)
    result = fabgen("show", "e+ e- > mu+ mu-")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "")


def test_an_interrupted_restart_must_not_be_restarted(monkeypatch, write_card):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "generate", interrupt)
    result = fabgen("generate", write_card(PROCESS), "--restart")
    assert "the same command without --restart goes on from here" in result.stderr


def test_a_run_takes_the_place_of_its_card(calls, write_card, tmp_path):
    path = write_card(PROCESS)
    from fabgen.card import load_card

    run = tmp_path / "run"
    with open_run(run, load_card(path, seed=3)):
        pass
    assert fabgen("generate", run, "--seed", "8").exit_code == 0
    _, card, directory, _, _ = calls[0]
    assert directory == run
    assert (card.training.seed, card.generation.seed) == (3, 8)
    # A card with the run's name: the seed is that of the events only, but with --restart of all.
    assert fabgen("generate", path, "--run", run, "--seed", "8").exit_code == 0
    assert (calls[1][1].training.seed, calls[1][1].generation.seed) == (3, 8)
    assert fabgen("generate", path, "--run", run, "--seed", "8", "--restart").exit_code == 0
    assert (calls[2][1].training.seed, calls[2][1].generation.seed) == (8, 8)
    assert fabgen("train", path, "--run", run, "--seed", "8").exit_code == 0
    assert calls[3][1].training.seed == 8


def test_directories_that_are_no_runs(calls, write_card, tmp_path):
    (tmp_path / "empty").mkdir()
    for command in COMMANDS:
        result = fabgen(command, tmp_path / "empty")
        assert result.exit_code == 2
        assert str(tmp_path / "empty") in result.stderr
    result = fabgen("generate", tmp_path / "empty", "--run", tmp_path)
    assert result.exit_code == 2
    assert calls == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "training.stps=5"], "did you mean training.steps?"),
        (["--set", "nonsense"], "key.path=value"),
        (["--seed", "-1"], "'--seed': '-1' is not a whole number >= 0"),
        (["--seed", "many"], "'--seed': 'many' is not a whole number"),
        (["--seed", "1.5"], "'--seed': '1.5' is not a whole number"),
        (["--seed", ""], "'--seed': '' is not a whole number"),
        (["--seed", "1e10"], "found: 10000000000 allowed: an integer from 0 to 4294967295"),
        (["--events", "0"], "--events"),
        (["--format", "root"], "'--format': found 'root', allowed lhe or lhe.gz"),
        (["--format", ""], "'--format': found '', allowed lhe or lhe.gz"),
        (["--data", ""], "'--data': an empty name"),
        (["--data", "", "--set", "training.method=fkld"], "'--data': an empty name"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_wrong_options_are_wrong_input(calls, write_card, arguments, message):
    result = fabgen("generate", write_card(PROCESS), *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert calls == []


@pytest.mark.parametrize("command", ["train", "generate", "integrate"])
def test_seeds_in_all_ways(calls, write_card, command):
    for text in ("1000", "1e3", "1_000", "1000.0"):
        assert fabgen(command, write_card(PROCESS), "--seed", text).exit_code == 0
        assert calls[-1][1].training.seed == 1000


def test_plot_prints_one_line_per_picture(monkeypatch, tmp_path):
    made = []

    def plot(directory, how, **options):
        made.append((directory, how.reporter, options))
        yield directory / "plots" / "training.pdf"
        yield directory / "plots" / "weights.pdf"

    monkeypatch.setattr(pipeline, "plot", plot)
    result = fabgen("plot", tmp_path, "--samples", "500", "--format", "pdf", "--quiet")
    assert result.exit_code == 0
    plots = tmp_path / "plots"
    assert result.stdout == f"  {plots / 'training.pdf'}\n  {plots / 'weights.pdf'}\n"
    [(directory, reporter, options)] = made
    assert directory == tmp_path
    assert isinstance(reporter, Silent)
    assert options == {"samples": 500, "file_format": "pdf"}


@pytest.mark.parametrize("what", ["nothing", "folder", "card"])
def test_plot_needs_a_run(write_card, tmp_path, what):
    write_card(PROCESS)
    (tmp_path / "folder").mkdir()
    target = {"nothing": "no-such", "folder": "folder", "card": "card.toml"}[what]
    result = fabgen("plot", tmp_path / target)
    assert result.exit_code == 2
    assert "there is no run here" in result.stderr
    assert target in result.stderr


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--samples", "5"], "'5' is not a whole number >= 100"),
        (["--format", "gif"], "found 'gif', allowed png or pdf"),
    ],
)
def test_wrong_options_of_plot(tmp_path, option, message):
    result = fabgen("plot", tmp_path, *option)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_data_is_a_shortcut_for_the_key_of_fkld(calls, write_card):
    card = write_card(PROCESS)
    path = 'events "1".lhe'
    for command in ("generate", "train"):
        result = fabgen(command, card, "--data", path, "--set", "training.method=fkld")
        assert result.exit_code == 0, result.output
        assert calls[-1][1].training.fkld.data == path
    for method in ("auto", "fab", "rkld", "fkld"):
        for kind in ("uniform", "vegas", *(["flow"] if method != "fkld" else [])):
            settings = [f"training.method={method}", f"surrogate.kind={kind}"]
            options = [word for setting in settings for word in ("--set", setting)]
            result = fabgen("train", card, "--data", path, *options)
            assert result.exit_code == 2
            assert "  key:     --data\n  found:" in result.stderr
            hint = result.stderr.partition("hint:")[2].split()
            assert fabgen("train", card, "--data", path, *options, *hint).exit_code == 0
            assert calls.pop()[1].training.fkld.data == path
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (FabgenError("the run failed"), 1, "fabgen: the run failed\n"),
        (KeyboardInterrupt(), 1, "fabgen: interrupted; the same command goes on from here\n"),
        (ValueError("odd\nsecond line"), 1, "fabgen: ValueError: odd (FABGEN_DEBUG=1 shows"),
    ],
)
def test_failures_end_with_one_line(monkeypatch, write_card, error, code, message):
    monkeypatch.delenv("FABGEN_DEBUG", raising=False)

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(pipeline, "generate", fail)
    result = fabgen("generate", write_card(PROCESS))
    assert result.exit_code == code
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1


def test_debugging_shows_where(monkeypatch, write_card):
    monkeypatch.setenv("FABGEN_DEBUG", "1")

    def fail(*arguments, **options):
        raise ValueError("odd")

    monkeypatch.setattr(pipeline, "generate", fail)
    assert isinstance(fabgen("generate", write_card(PROCESS)).exception, ValueError)


def test_a_cache_that_cannot_be_written_is_no_error(calls, write_card, monkeypatch, tmp_path):
    def homeless(cls):
        raise RuntimeError("Could not determine home directory.")

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert fabgen("generate", write_card(PROCESS)).exit_code == 0
    assert calls[0][3].compilation_cache is None
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", classmethod(homeless))
    assert fabgen("generate", write_card(PROCESS)).exit_code == 0
    assert calls[1][3].compilation_cache is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert fabgen("generate", write_card(PROCESS)).exit_code == 0
    assert calls[2][3].compilation_cache == tmp_path / "caches" / "fabgen" / "jax"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("process = ", "not TOML"),
        (PROCESS + "modell = 'sm'\n", "did you mean model?"),
    ],
)
def test_a_wrong_card_from_the_shell(write_card, tmp_path, text, message):
    path = write_card(text)
    command = [sys.executable, "-m", "fabgen", "generate", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert str(path) in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.toml"]
