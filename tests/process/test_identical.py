"""Identical-particle factors, of plain processes and of chains."""

from __future__ import annotations

import pytest

from fabgen.process.identical import identical_factor
from fabgen.process.syntax import Core, DecayTree


def tree(initial: str, *slots: str | DecayTree) -> DecayTree:
    """A link: final particles by name, decayed ones by their trees."""
    final = tuple(s if isinstance(s, str) else s.initial[0] for s in slots)
    decays = tuple(None if isinstance(s, str) else s for s in slots)
    return DecayTree(Core(tuple(initial.split()), final), decays)


EE = tree("z", "e+", "e-")
EE_SWAPPED = tree("z", "e-", "e+")
MM = tree("z", "mu+", "mu-")
H_4E = tree("h", EE, EE)


@pytest.mark.parametrize(
    ("process", "factor"),
    [
        (tree("e+ e-", "mu+", "mu-"), 1),
        (tree("g g", "g", "g"), 2),
        (tree("u u~", "g", "g", "g"), 6),
        (tree("u u", "u", "u", "g", "g"), 4),
        (tree("e+ e-", "z", "z"), 2),
        (tree("e+ e-", EE, EE), 2),
        (tree("e+ e-", EE, EE_SWAPPED), 2),
        (tree("e+ e-", EE, MM), 1),
        (tree("e+ e-", EE, "z"), 1),
        (tree("e+ e-", EE, EE, EE), 6),
        (tree("e+ e-", EE, EE, MM), 2),
        # products of different links are never exchanged
        (tree("e+ e-", EE, "e+", "e-"), 1),
        (tree("e+ e-", EE, MM, "g", "g", "g"), 6),
        # each decay has its own factors
        (tree("e+ e-", "z", tree("h", "a", "a")), 2),
        (tree("e+ e-", tree("h", "a", "a"), tree("h", "a", "a")), 8),
        (tree("e+ e-", "z", H_4E), 2),
        (tree("e+ e-", H_4E, H_4E), 8),
        (tree("e+ e-", tree("h", EE, MM), tree("h", MM, EE)), 2),
    ],
)
def test_factor(process, factor):
    assert identical_factor(process) == factor
