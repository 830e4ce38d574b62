"""The symmetry factor of identical final particles."""

from __future__ import annotations

from collections import Counter
from math import factorial, prod

from fabgen.process.syntax import DecayTree


def identical_factor(tree: DecayTree) -> int:
    """By what |M|^2 is divided: n! for every n equal (particle, decay) pairs of each link.

    In a chain the products of different decays are never exchanged (the diagrams in which they are
    do not belong to it), so only whole decays count: z z with both z > e+ e- gives 2, with
    z > e+ e- and z > mu+ mu- gives 1. Decays are equal if they differ by the order of their
    products at most; each decay contributes the factors of its own products.
    """
    groups = Counter(tree.slots())
    here = prod(factorial(n) for n in groups.values())
    return here * prod(identical_factor(decay) for decay in tree.decays if decay is not None)
