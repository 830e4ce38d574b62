"""Large processes are announced, or refused with their size, before any work."""

from __future__ import annotations

import functools

import pytest

import fabgen
from fabgen import run as pipeline
from fabgen.build import build_integrand
from fabgen.card import card_of_process
from fabgen.errors import InputError
from fabgen.model import load_model
from fabgen.process.effort import Effort, candidates, in_words
from fabgen.process.expansion import expand, resolve
from fabgen.process.multiparticles import multiparticles
from fabgen.process.parser import parse_process
from fabgen.process.subprocesses import conserves_charges, find_subprocesses
from fabgen.show.process import describe

MODEL = load_model("sm")
TABLE = multiparticles({"q": "u d u~ d~", "all": "u d u~ d~ g e+ e- ve ve~ w+ w- z a"}, MODEL)
PHOTONS = "e+ e- > " + "a " * 30
JETS = "q q > j j j j j j j j"
QUARKS = "multiparticles.q=u d u~ d~"

LARGE = {
    "jets": (JETS, "10,525,900 diagrams for"),
    "photons": (PHOTONS, "1 subprocess, 2.6e32 diagrams for e+ e- > a a"),
    "gluons": ("g g > g g g g g g g", "559,405 diagrams"),
    "a decay": (f"t > w+ b {'g ' * 8}", "17,618,300 diagrams"),
    "in a decay": ("e+ e- > z h, z > e+ e- " + "a " * 20, "5.1e19 diagrams for e+ e- > z h, z > e"),
    "in a nested decay": (
        "e+ e- > t t~, (t > w+ b, w+ > e+ ve " + "a " * 20 + ")",
        "e21 diagrams for e+ e- > t t~, t > w+ b, w+ > e+ ve a",
    ),
    "leptons": ("l+ l- > " + "l+ l- " * 6, "339,905,160,000 diagrams"),
    "many choices": ("u u > " + "all " * 10, "subprocesses"),
    "orders": ("u u~ > d d~ " + "g " * 8 + "QED=99 QCD=99", "diagrams for u u~ > d d~ g"),
}


@pytest.mark.parametrize(("process", "told"), LARGE.values(), ids=LARGE)
def test_large_processes_are_refused(process, told):
    with pytest.raises(InputError, match="larger than allowed") as caught:
        find_subprocesses(MODEL, [process], {"q": "g u", "all": TABLE["all"]})
    error = caught.value
    assert told in error.found and "to set up, by estimate" in error.found
    assert error.key == "limits.setup_minutes" and error.allowed.endswith("at most 10 minutes")


def test_every_way_in(tmp_path):
    card = card_of_process(PHOTONS, [])
    for way in (
        lambda: build_integrand(card),
        lambda: describe(card),
        lambda: pipeline.integrate(card, tmp_path / "run"),
    ):
        with pytest.raises(InputError, match="diagrams") as caught:
            way()
        assert caught.value.key == "limits.setup_minutes"
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="diagrams") as caught:
        fabgen.matrix_element(PHOTONS)
    assert caught.value.key == "setup_minutes"


def test_the_limit_is_a_key():
    process = "g g > t t~ g"
    with pytest.raises(InputError, match="at most 1e-06 minutes") as caught:
        build_integrand(card_of_process(process, ["limits.setup_minutes=1e-6"]))
    assert caught.value.file == "--set"
    with pytest.raises(InputError, match="16 diagrams"):
        fabgen.matrix_element(process, setup_minutes=1e-6)
    assert fabgen.matrix_element(process, setup_minutes=float("inf")).n_diagrams == 16
    assert card_of_process(process, []).limits.setup_minutes == Effort().minutes == 10.0


def test_work_is_announced(monkeypatch):
    notes: list[str] = []
    effort = Effort(note=notes.append)
    find_subprocesses(MODEL, ["g g > t t~ g"], effort=effort)
    assert notes == []
    monkeypatch.setattr("fabgen.process.effort._ANNOUNCED", 1e-3)
    find_subprocesses(MODEL, ["q q > q q"], {"q": "u d"}, effort)
    assert notes == [
        "up to 4 subprocesses to look at: about 0 s to set up, by estimate",
        "4 subprocesses, 5 diagrams: about 0 s to set up, by estimate",
    ]


@pytest.mark.parametrize(
    "process",
    [
        "p p > j j",
        "p p > t t~ j",
        "q q > q q g",
        "l+ l- > l+ l- a",
        "all all > all all",
        "all > all all",
        "e+ e- > z z, z > l+ l-",
        "e+ e- > w+ w-, w+ > j j, w- > l- vl~",
        "p p > w+ j, w+ > l+ vl",
    ],
)
def test_candidates_are_those_that_are_listed(process):
    line = parse_process(process)
    possible = functools.partial(conserves_charges, MODEL)
    trees = expand(line, MODEL, TABLE, possible=possible)
    _, n = candidates(MODEL, resolve(line, MODEL, TABLE))
    assert n >= len(trees)
    # Decays that conserve no charge, and single coloured particles, are not sorted out.
    assert n <= 1.3 * len(trees) + 10


def test_times_in_words():
    assert [in_words(s) for s in (12.3, 150.0, 1e4, 1e6, 1e9, 1e50)] == [
        "12 s",
        "2 minutes",
        "3 hours",
        "12 days",
        "32 years",
        "millions of years",
    ]
