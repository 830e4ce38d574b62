"""The number of diagrams without the diagrams."""

from __future__ import annotations

import functools
import math

import pytest

from fabgen.errors import InputError
from fabgen.model import load_model
from fabgen.process.counting import Count, DiagramCounter
from fabgen.process.graph import build_graph
from fabgen.process.parser import parse_process
from fabgen.process.subprocesses import find_subprocesses

MODEL = load_model("sm")


@functools.cache
def counter() -> DiagramCounter:
    return DiagramCounter(MODEL)


def count(process: str) -> Count:
    return counter().count(parse_process(process).core)


@pytest.mark.parametrize(
    "process",
    [
        "e+ e- > mu+ mu-",
        "g g > g g g",
        "g g > t t~ g g",
        "e+ e- > mu+ mu- a a",
        "w+ w- > w+ w- z",
        "w+ w- > w+ w- a a",
        "h > e+ ve mu- vm~",
        "z z > h h h",
        "u u~ > d d~ s s~",
        "u u~ > d d~ s s~ QED=4",
        "e+ e- > e+ e- a QED=99 QCD=99",
        "u u~ > z > mu+ mu- g",
        "u u~ > z | w+ w- > mu+ mu- ve ve~",
        "e+ e- > mu+ mu- / z",
        "e+ e- > mu+ mu- ta+ ta- $$ z",
        "u u > u u g QED==2",
        "t > b e+ ve g",
        "g g > t t~ t t~",
        "u d > u d",
    ],
)
def test_as_many_as_are_drawn(process):
    _, (diagrams,) = find_subprocesses(MODEL, [process])
    found = count(process)
    assert found.diagrams == diagrams.graph.n_diagrams > 0
    if () in diagrams.qed:
        assert found.qed == diagrams.qed[()]


def test_no_diagrams():
    for process in ("u d > c s", "e+ e- > mu+ e-", "g g > h", "u u~ > d d~ / g a z w+"):
        assert count(process) == Count(None, 0)
        assert not build_graph(MODEL, tree(process), {}).closings


def tree(process):
    from fabgen.process.expansion import expand

    (only,) = expand(parse_process(process), MODEL, {}, orders=("QCD", "QED"))
    return only


@pytest.mark.parametrize(
    ("n", "diagrams"), [(4, 4), (5, 25), (6, 220), (7, 2485), (8, 34300), (10, 10_525_900)]
)
def test_gluons(n, diagrams):
    """Of n gluons (F.A. Berends and W.T. Giele, Nucl. Phys. B306 (1988) 759, Table 1)."""
    assert count("g g > " + "g " * (n - 2)) == (0, diagrams)


def test_photons():
    for n in (1, 2, 5, 30, 60):
        assert count("e+ e- > " + "a " * n + "a").diagrams == math.factorial(n + 1)


def test_beyond_counting():
    quarks = "d d~ s s~ c c~ b b~ e+ e- mu+ mu- ta+ ta- ve ve~ vm vm~"
    with pytest.raises(InputError, match="more diagrams than can be counted"):
        count(f"u u~ > {quarks}")


@pytest.mark.parametrize(
    "process",
    [
        "c g > w+ s g",
        "s c~ > w- g",
        "c~ u > c~ u",
        "mu+ e- > mu+ e-",
        "vm vm~ > mu- mu+ QED=2",
        "u~ s > g u~ s QED<=2",
        "g c > d c d~",
    ],
)
def test_like_links_are_counted_as_one(process):
    """Families and orders of particles make no difference; each is counted for itself here."""
    core = parse_process(process).core
    assert counter()._like(core) != core
    assert counter().count(core) == counter()._count(core)
    assert counter().count(core).diagrams > 0


def test_restrictions_by_name_tell_links_apart():
    assert count("c d > c d / d QED=2") == count("c d > c d QED=2")
    assert count("u s > u s $$ z QED=2") == count("u s > u s QED=2")
    assert count("u u~ > w+ w- / d QED=2") != count("c c~ > w+ w- / d QED=2")
