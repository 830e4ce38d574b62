"""Which resonances events may be written with."""

from __future__ import annotations

import math

import pytest

from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.model import load_model

PROTONS = {"kind": "proton", "energy": [6500.0, 6500.0]}


def built(process: str | list[str], energy: float = 1000.0, **tables):
    table = {"process": process, "beams": {"energy": [energy / 2.0] * 2}, **tables}
    return build_integrand(card_from_table(table))


def sets_of(*arguments, **tables) -> set[frozenset]:
    """Of the only topology: (PDG id, legs) of each resonance beside decayed particles."""
    (topology,) = built(*arguments, **tables).topologies
    return {frozenset((r.pdg, r.legs) for r in found) for found in topology.resonance_sets}


def test_in_every_order_of_the_beams_and_family():
    integrand = built("p p > vl l+", beams=PROTONS)
    incoming = {topology.pdg[:2] for topology in integrand.topologies}
    assert len(incoming) == 4 and len(integrand.components) < len(integrand.topologies)
    for topology in integrand.topologies:
        assert [[(r.pdg, r.legs) for r in s] for s in topology.resonance_sets] == [
            [],
            [(24, (2, 3))],
        ]


@pytest.mark.parametrize(
    "process",
    ["p p > l+ vl l- vl~", "p p > w+ b w- b~", "p p > l+ l- j", "g g > t t~, t > b l+ vl"],
)
def test_charges_of_resonances_are_those_of_their_products(process):
    charges = {p.pdg: p.charge for p in load_model("sm").particles.values()}
    settings = {"beams": PROTONS, "cuts": {"ptj": 20.0, "mmll": 50.0, "ptl": 10.0, "drll": 0.4}}
    topologies = built(process, **settings).topologies
    assert len(topologies) > 1
    number = 0
    for topology in topologies:
        for resonance in (r for found in topology.resonance_sets for r in found):
            products = sum(charges[topology.pdg[leg]] for leg in resonance.legs)
            assert products == charges[resonance.pdg]
            number += 1
    assert number


NOTHING = {frozenset()}
PHOTONS = {"pta": 1.0, "dral": 0.4, "etaa": 3.0, "cut_decays": True}


@pytest.mark.parametrize(
    "process",
    [
        "e+ e- > t t~ g",
        # The W within a decayed one, and around one, is the same W.
        "e+ e- > w+ w-, w+ > e+ ve a, w- > mu- vm~",
        "e+ e- > w+ w- a, w+ > e+ ve",
    ],
)
def test_what_only_radiates_is_no_resonance(process):
    found = set().union(*sets_of(process, cuts=PHOTONS | {"ptj": 20.0}))
    assert {pdg for pdg, _ in found} <= {23}


def test_what_cannot_decay_is_no_resonance():
    """However wide the window."""
    wide = {"phase_space": {"bw_cutoff": 1e5}}
    assert sets_of("e+ e- > w+ w-", **wide) == NOTHING
    assert sets_of("e+ e- > z h", **wide) == NOTHING
    wide |= {"model": "sm-zprime"}
    heavy = {frozenset(), frozenset({(32, (2, 3))})}
    assert sets_of("e+ e- > t t~", parameters={"MZP": 347.0}, **wide) == heavy
    assert sets_of("e+ e- > t t~", parameters={"MZP": 345.0}, **wide) == NOTHING


def test_what_is_too_wide_is_no_resonance():
    z = frozenset({(23, (2, 3))})
    assert sets_of("e+ e- > mu+ mu-", parameters={"WZ": 9.1}) == {frozenset(), z}
    assert sets_of("e+ e- > mu+ mu-", parameters={"WZ": 9.2}) == NOTHING


def test_without_a_window_nothing_is_near():
    assert sets_of("e+ e- > mu+ mu-", phase_space={"bw_cutoff": math.inf}) == NOTHING


def test_the_window_is_that_of_the_card():
    integrand = built("e+ e- > mu+ mu-", phase_space={"bw_cutoff": 7.0})
    assert integrand.components[0].near_shell.cutoff == 7.0


def test_another_model():
    found = sets_of("e+ e- > mu+ mu-", model="sm-zprime")
    assert found == {frozenset(), frozenset({(23, (2, 3))}), frozenset({(32, (2, 3))})}


def test_below_decayed_particles():
    """The W of t > b e+ ve; its top is there in any case."""
    integrand = built("e+ e- > t t~, t > b e+ ve")
    (topology,) = integrand.topologies
    assert [(r.pdg, r.legs) for r in topology.resonances] == [(6, (2, 3, 4))]
    assert [[r.pdg for r in found] for found in topology.resonance_sets] == [[], [24]]
    nested = topology.with_resonances(1).ordered_resonances
    assert [(r.pdg, r.legs) for r in nested] == [(6, (2, 3, 4)), (24, (3, 4))]


def test_of_a_decay():
    assert sets_of("t > b e+ ve") == {frozenset(), frozenset({(24, (2, 3))})}


def test_gluons_are_none_and_colours_fit():
    """u u~ > b b~: a Z only where both pairs of quarks are connected among themselves."""
    integrand = built("u u~ > b b~ QED=2 QCD=2", 91.188)
    (topology,), (component,) = integrand.topologies, integrand.components
    (resonance,) = component.near_shell.resonances
    assert (resonance.pdg, len(topology.flows)) == (23, 2)
    for flow, may_be in zip(topology.flows, resonance.in_flows, strict=True):
        (colour, _), (_, anticolour) = flow[2], flow[3]
        assert may_be == (colour == anticolour)
    assert set(resonance.in_flows) == {True, False}


def test_a_top_carries_the_colour_of_its_products():
    """In all colour flows, be the top a decayed particle or not."""
    integrand = built("g g > t w- b~, t > w+ b", cuts={"ptb": 20.0, "drbb": 0.4})
    (topology,), (component,) = integrand.topologies, integrand.components
    anti = [r for r in component.near_shell.resonances if r.pdg == -6]
    assert [r.in_flows for r in anti] == [(True,) * len(topology.flows)]
    for number in range(len(topology.resonance_sets)):
        of_event = topology.with_resonances(number)
        for flow in of_event.flows:
            for found in of_event.resonances:
                lines = of_event.resonance_colour(found, flow)
                if abs(found.pdg) == 6:
                    assert (lines[0] > 0) == (found.pdg > 0) and (lines[1] > 0) == (found.pdg < 0)
