"""What no channel follows is told before a run begins, and in its report."""

from __future__ import annotations

from types import SimpleNamespace

from fabgen.card import card_of_process
from fabgen.run import RunOptions, train
from fabgen.run.progress import Silent
from fabgen.run.report import _warnings

SETTINGS = [
    "parameters.MZP=400",
    'channels.drop=["zp"]',
    'surrogate.kind="uniform"',
    'training.method="variance"',
    "channels.trained_weights=false",
    "cuts.pta=10",
    "cuts.etaa=2",
]


class Notes(Silent):
    """A reporter that keeps single lines."""

    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


def test_it_is_told_at_the_start(tmp_path):
    told = {}
    for name, settings in (("less", SETTINGS), ("all", [*SETTINGS, "channels.drop=[]"])):
        card = card_of_process("e+ e- > vm vm~ a", ['model="sm-zprime"', *settings])
        notes = Notes()
        train(card, tmp_path / name, RunOptions(reporter=notes))
        told[name] = [line for line in notes.lines if line.startswith("warning: ")]
    (warning,) = told["less"]
    assert warning.startswith("warning: no channel follows zp (vm vm~): a peak at 400 GeV")
    assert told["all"] == []


def test_reports_have_it_before_what_evaluation_found():
    def parts(*numbers):
        return [
            SimpleNamespace(n_final=n, integrand=SimpleNamespace(warnings=(f"missed {n}",)))
            for n in numbers
        ]

    found = [SimpleNamespace(warnings=("doubt",)), SimpleNamespace(warnings=())]
    assert _warnings(parts(2), found[:1]) == ["missed 2", "doubt"]
    assert _warnings(parts(2, 3), found) == [
        "2 final particles: missed 2",
        "2 final particles: doubt",
        "3 final particles: missed 3",
    ]
