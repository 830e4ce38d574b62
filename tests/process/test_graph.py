"""Diagrams: their number, orders, exclusions and required propagators."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from itertools import product

import pytest

from fabgen.model import load_model
from fabgen.process.counting import DiagramCounter
from fabgen.process.expansion import expand
from fabgen.process.graph import build_graph
from fabgen.process.parser import parse_process
from fabgen.process.resonances import s_channel
from fabgen.process.subprocesses import find_subprocesses

MODEL = load_model("sm")


@functools.cache
def graph(process: str, merge: bool = True):
    (_,), (diagrams,) = find_subprocesses(MODEL, [process])
    return build_graph(MODEL, diagrams.tree, diagrams.qed, merge=merge)


#: As MadGraph5_aMC@NLO counts them.
COUNTS = {
    "e+ e- > mu+ mu-": 2,
    "e+ e- > w+ w-": 3,
    "e+ e- > w+ w- z": 16,
    "e+ e- > z h": 1,
    "e+ e- > e+ e- mu+ mu-": 48,
    "e+ e- > t t~, t > w+ b, t~ > w- b~": 2,
    "u d~ > w+ w+ w-": 17,
    "u u~ > g g g": 16,
    "w+ w- > w+ w-": 7,
    "h h > h h": 4,
    "g g > g g": 4,
    "g g > g g g": 25,
    "g g > g g g g": 220,
    "g g > t t~": 3,
    "g g > t t~ g": 16,
    "g g > t t~ g g": 123,
    "g g > t t~ u u~": 36,
    "g g > t t~, t > w+ b, t~ > w- b~": 3,
}


@pytest.mark.parametrize("process", COUNTS)
def test_number_of_diagrams(process):
    assert graph(process).n_diagrams == COUNTS[process]


# -- the same number counted in another way --------------------------------------------------------


def counted(process: str, qed: int) -> int:
    """Diagrams of a QED order, from all currents that flow into the last leg."""
    core = parse_process(process).core
    legs = [*core.initial, *(MODEL.particle(name).antiname for name in core.final)]
    vertices = Counter()
    for vertex in MODEL.vertices:
        if vertex.colour in ("ff:13|24", "ff:14|23"):
            continue  # one diagram with ff:12|34
        vertices[tuple(sorted(vertex.particles)), vertex.orders[1]] += 1
    assert set(vertices.values()) == {1}
    ways = defaultdict(list)  # what comes in -> what comes out, QED order
    for particles, order in vertices:
        for i, name in enumerate(particles):
            if name not in particles[:i]:
                rest = particles[:i] + particles[i + 1 :]
                ways[rest].append((MODEL.particle(name).antiname, order))

    @functools.cache
    def currents(mask: int) -> Counter:
        if mask.bit_count() == 1:
            return Counter({(legs[mask.bit_length() - 1], 0): 1})
        found = Counter()
        for parts in partitions(mask):
            for arms in product(*(currents(part).items() for part in parts)):
                names = tuple(sorted(particle for (particle, _), _ in arms))
                number = 1
                for _, n in arms:
                    number *= n
                orders = sum(order for (_, order), _ in arms)
                for particle, order in ways.get(names, ()):
                    if orders + order <= qed:
                        found[particle, orders + order] += number
        return found

    last = MODEL.particle(legs[-1]).antiname
    return currents((1 << (len(legs) - 1)) - 1)[last, qed]


def partitions(mask: int):
    """Into two or three parts without order."""
    parts = [sub for sub in range(1, mask) if sub & mask == sub]
    for a in parts:
        if a & -a != mask & -mask:
            continue
        rest = mask ^ a
        yield a, rest
        for b in parts:
            if b & rest == b and b != rest and b & -b == rest & -rest:
                yield a, b, rest ^ b


@pytest.mark.parametrize(
    ("process", "qed"),
    [
        ("g g > g g g", 0),
        ("u u~ > g g g", 0),
        ("u u~ > u u~ g", 0),
        ("e+ e- > w+ w- z", 3),
        ("e+ e- > w+ w- a a", 4),
        ("e+ e- > ve ve~ h h", 4),
        ("e+ e- > w+ b w- b~", 4),
        ("w+ w- > z h h", 3),
        ("z z > h h h", 3),
        ("u u~ > e+ e- g g", 2),
        ("u d~ > t t~ w+", 1),
        ("ta+ ta- > h a z", 3),
        ("t > b w+ z", 2),
        ("t > b e+ ve g", 2),
    ],
)
def test_number_counted_at_one_leg(process, qed):
    for merge in (True, False):
        assert graph(process, merge).n_diagrams == counted(process, qed) > 0


@pytest.mark.parametrize(
    ("process", "closings"),
    [("u u~ > g g g", 18), ("g g > g g", 6), ("e+ e- > w+ w- z", 16)],
)
def test_one_closing_for_each_diagram_without_merging(process, closings):
    """Four-gluon vertices count once for each of their colour structures."""
    assert len(graph(process, merge=False).closings) == closings


# -- coupling orders -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("process", "n_diagrams"),
    [
        ("u u~ > d d~", 1),  # lowest QED order: a gluon
        ("u u~ > d d~ QED=0", 1),
        ("u u~ > d d~ QED=2", 4),  # at most: gluon; photon and Z; a W exchanged
        ("u u~ > d d~ QED<=2", 4),
        ("u u~ > d d~ QED==2", 3),
        ("u u~ > d d~ QCD=0", 3),
        ("u u~ > d d~ QED=2 QCD=0", 3),
        ("u u~ > d d~ QED=2 QCD=2", 4),
        ("u u~ > d d~ QED==2 QCD==0", 3),
        ("u u~ > d d~ QCD=1", 3),
        ("u u~ > d d~ QED=99", 4),
        ("g g > t t~ QED=0", 3),
        ("g g > t t~ QCD=2", 3),
        ("u u~ > t t~ h", 2),
        ("b b~ > t t~ QCD=0", 4),  # photon, Z, Higgs and W
        ("t > w+ b g", 2),
        ("e+ e- > u u~ g", 4),
    ],
)
def test_coupling_orders(process, n_diagrams):
    assert graph(process).n_diagrams == n_diagrams


def test_orders_of_single_links():
    """Orders of a core process are not those of its decays."""
    assert graph("u u~ > t t~ QED=0, t > w+ b, t~ > w- b~").n_diagrams == 1
    assert graph("u u~ > t t~ QCD=0, t > w+ b, t~ > w- b~").n_diagrams == 2
    assert graph("u u~ > t t~, t > w+ b g QED=1").n_diagrams == 2
    assert graph("u u~ > z h, z > u u~ QED=1, h > b b~").n_diagrams == 1


@pytest.mark.parametrize(
    ("process", "lowest"),
    [
        ("g g > t t~", 0),
        ("u u~ > d d~", 0),
        ("u u~ > e+ e- g", 2),
        ("e+ e- > w+ w- z", 3),
        ("t > w+ b", 1),
        ("u d > c s", None),
        ("e+ e- > mu+ e-", None),
        ("u u~ > d d~ / g", 2),
    ],
)
def test_lowest_qed_order(process, lowest):
    (tree,) = expand(parse_process(process), MODEL, {}, orders=("QCD", "QED"))
    assert DiagramCounter(MODEL).count(tree.core).qed == lowest


# -- exclusions and required propagators -----------------------------------------------------------


@pytest.mark.parametrize(
    ("process", "n_diagrams"),
    [
        ("e+ e- > mu+ mu- / z", 1),
        ("e+ e- > mu+ mu- / a z QED=2", None),
        ("e+ e- > mu+ mu- $$ z", 1),
        ("e+ e- > e+ e-", 4),
        ("e+ e- > e+ e- $$ a z", 2),  # the exchanged ones stay
        ("e+ e- > e+ e- / z", 2),
        ("e+ e- > w+ w- / a", 2),
        ("e+ e- > w+ w- / ve", 2),
        ("e+ e- > w+ w- / ve~", 2),  # its antiparticle too
        ("e+ e- > w+ w- $$ ve", 3),  # exchanged
        ("e+ e- > w+ w- $ z", 3),  # a veto keeps the diagrams
        ("e+ e- > w+ b w- b~ $$ t", 54),  # not its antiparticle
        ("e+ e- > w+ b w- b~ $$ t t~", 49),
        ("g g > t t~ / g", 2),
        ("e+ e- > z > mu+ mu-", 1),
        ("e+ e- > a > mu+ mu-", 1),
        ("e+ e- > z | a > mu+ mu-", 2),
        ("e+ e- > h > w+ w-", None),
        ("e+ e- > w+ > mu+ vm w-", 3),
        ("e+ e- > w+ w- > mu+ vm w-", None),  # a final particle is no propagator
        ("e+ e- > w- > mu+ vm w-", None),
        ("e+ e- > t > w+ b t~", 2),
        ("e+ e- > t~ > w- b~ t", 2),
        ("e+ e- > t t~ > w+ b w- b~", 2),
        ("e+ e- > t~ t > w+ b w- b~", 2),
        ("e+ e- > z > mu+ mu- a", 4),
    ],
)
def test_exclusions_and_required_propagators(process, n_diagrams):
    if n_diagrams is None:
        line = parse_process(process)
        (tree,) = expand(line, MODEL, {}, orders=("QCD", "QED"))
        assert not build_graph(MODEL, tree, {}).closings
        return
    for merge in (True, False):
        assert graph(process, merge).n_diagrams == n_diagrams


def test_excluded_particles_are_no_propagators():
    made = graph("e+ e- > w+ b w- b~ / t h z")
    inner = {c.particle for c in made.currents if c.propagator}
    assert not inner & {"t", "t~", "h", "z"}
    assert "a" in inner


@pytest.mark.parametrize(
    ("process", "name"),
    [
        ("e+ e- > mu+ mu- ta+ ta-", "z"),
        ("e+ e- > mu+ mu- ta+ ta-", "a"),
        ("e+ e- > w+ b w- b~", "t"),
        ("e+ e- > w+ b w- b~", "h"),
        ("u d~ > w+ w+ w-", "w+"),
    ],
)
def test_required_and_excluded_are_complements(process, name):
    """Every diagram has the s-channel propagator or has it not."""
    initial, final = process.split(" > ")
    with_it = graph(f"{initial} > {name} > {final}").n_diagrams
    without = graph(f"{process} $$ {name}").n_diagrams
    assert with_it + without == graph(process).n_diagrams
    assert 0 < with_it < graph(process).n_diagrams
    for wanted, text in ((True, f"{initial} > {name} > {final}"), (False, f"{process} $$ {name}")):
        made = graph(text, merge=False)
        for closing in made.closings:
            found = {particle for particle, _ in time_like(made, closing)}
            assert (name in found) == wanted


def time_like(made, closing):
    """The s-channel propagators of a diagram: particle as it decays, legs."""
    stack = [closing.first, closing.second]
    while stack:
        current = stack.pop()
        if current.propagator and not current.t_channel:
            yield s_channel(MODEL, made, current)
        stack += [arm for _, branching in current.terms for arm in branching.arms]


# -- structure -------------------------------------------------------------------------------------


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize(
    "process", ["u u~ > g g g", "e+ e- > w+ w- z", "e+ e- > t t~, t > w+ b, t~ > w- b~"]
)
def test_currents_come_after_their_arms(process, merge):
    made = graph(process, merge)
    everything = (1 << len(made.external)) - 1
    for number, current in enumerate(made.currents):
        assert current.number == number
        for coefficient, branching in current.terms:
            assert coefficient
            arms = branching.arms
            assert all(arm.number < number and arm.level < current.level for arm in arms)
            assert sum(arm.legs for arm in arms) == current.legs
            assert len({arm.legs for arm in arms}) == len(arms)
    for closing in made.closings:
        assert closing.first.legs ^ closing.second.legs == everything
        assert not closing.second.propagator
        assert closing.sign in (1, -1)
        assert closing.colour


def test_t_channel_propagators_separate_the_beams():
    made = graph("e+ e- > w+ w- z", merge=False)
    for current in made.currents:
        if current.propagator:
            assert current.t_channel == ((current.legs & 0b11) in (0b01, 0b10))
    assert any(current.t_channel for current in made.currents)
    assert not any(current.t_channel for current in graph("t > w+ b g").currents)


def test_legs_of_a_chain():
    made = graph("e+ e- > t t~, (t > w+ b, w+ > e+ ve), t~ > w- b~")
    assert made.external == ("e+", "e-", "e+", "ve", "b", "w-", "b~")
    assert made.incoming == ("e+", "e-", "e-", "ve~", "b~", "w+", "b")
    inner = {
        s_channel(MODEL, made, c)
        for c in made.currents
        if c.propagator and not c.t_channel and c.legs.bit_count() > 1
    }
    assert {("w+", (2, 3)), ("t", (2, 3, 4)), ("t~", (5, 6))} <= inner
