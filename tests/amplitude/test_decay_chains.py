"""A decay chain is the full process restricted to the diagrams with its decayed particles."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.model import load_model
from fabgen.process.resonances import s_channel


def propagators(graph, closing) -> set[tuple[str, tuple[int, ...]]]:
    """The s-channel propagators of one diagram: particle, final legs it decays into."""
    found = set()

    def walk(current):
        if current.propagator and not current.t_channel:
            found.add(s_channel(load_model("sm"), graph, current))
        for _, branching in current.terms:
            for arm in branching.arms:
                walk(arm)

    walk(closing.first)
    walk(closing.second)
    return found


CHAINS = [
    (
        "e+ e- > t t~, t > w+ b, t~ > w- b~",
        "e+ e- > w+ b w- b~",
        {("t", (2, 3)), ("t~", (4, 5))},
    ),
    ("e+ e- > t t~, t > w+ b", "e+ e- > w+ b t~", {("t", (2, 3))}),
    ("g g > t t~, t > w+ b", "g g > w+ b t~", {("t", (2, 3))}),
    ("t > w+ b, w+ > e+ ve", "t > e+ ve b", {("w+", (1, 2))}),
    (
        "t > w+ b g, w+ > e+ ve",
        "t > e+ ve b g",
        {("w+", (1, 2))},
    ),
    (
        "e+ e- > z z, z > mu+ mu-, z > ve ve~",
        "e+ e- > mu+ mu- ve ve~",
        {("z", (2, 3)), ("z", (4, 5))},
    ),
    (
        "e+ e- > w+ w-, w+ > u d~, w- > mu- vm~",
        "e+ e- > u d~ mu- vm~",
        {("w+", (2, 3)), ("w-", (4, 5))},
    ),
    (
        "e+ e- > z h, z > mu+ mu-, h > b b~",
        "e+ e- > mu+ mu- b b~",
        {("z", (2, 3)), ("h", (4, 5))},
    ),
    (
        "e+ e- > z h, h > w+ w-, w+ > e+ ve",
        "e+ e- > z e+ ve w-",
        {("h", (3, 4, 5)), ("w+", (3, 4))},
    ),
]


@pytest.mark.parametrize(("chain", "full", "wanted"), CHAINS, ids=[c for c, _, _ in CHAINS])
def test_chain_is_the_resonant_part(chain, full, wanted, amplitudes):
    of_chain = amplitudes(chain)
    everything = amplitudes(full, merge=False).graph
    resonant = amplitudes(
        full, merge=False, keep=lambda closing: wanted <= propagators(everything, closing)
    )
    assert of_chain.graph.external == everything.external
    assert of_chain.graph.n_diagrams == resonant.graph.n_diagrams <= everything.n_diagrams
    momenta = of_chain.points(600.0, 4)
    value = of_chain.squared(momenta)
    np.testing.assert_allclose(value, resonant.squared(momenta), rtol=1e-10)
    assert np.all(value > 0)


def test_chain_is_not_the_full_process(amplitudes):
    """Away from the resonances the other diagrams matter: the comparison above can fail."""
    chain = amplitudes("e+ e- > t t~, t > w+ b, t~ > w- b~")
    full = amplitudes("e+ e- > w+ b w- b~")
    momenta = chain.points(600.0, 4)
    ratio = chain.squared(momenta) / full.squared(momenta)
    assert np.all(np.abs(ratio - 1) > 1e-2)


def test_factors_of_equal_and_different_decays(amplitudes):
    """Muons are like electrons: both chains have the same diagrams, two equal decays one half."""
    equal = amplitudes("e+ e- > z z, z > mu+ mu-")
    different = amplitudes("e+ e- > z z, z > e+ e-, z > mu+ mu-")
    momenta = equal.points(400.0, 3)
    np.testing.assert_allclose(2 * equal.squared(momenta), different.squared(momenta), rtol=1e-12)


def test_one_decay_of_two_equal_particles(amplitudes):
    """The decayed one of z z is not identical to the other."""
    plain = amplitudes("e+ e- > z z")
    assert plain.average == 4 * 2
    assert amplitudes("e+ e- > z z, z > mu+ mu-, z > ve ve~").average == 4


def test_narrow_width(amplitudes):
    """On the mass shell of the W: production times propagator times decay, spins summed over.

    Averaged over the angle of the decay in the rest frame of the W no correlation is left.
    """
    chain, production, decay = (
        amplitudes(p) for p in ("t > w+ b, w+ > e+ ve", "t > w+ b", "w+ > e+ ve")
    )
    p = chain.derived()
    two = production.points(0.0, 1)
    w = two[1, :, 0]
    # Gauss-Legendre in cos(theta) and equally spaced phi integrate |M|^2 exactly.
    nodes, weights = np.polynomial.legendre.leggauss(4)
    total = 0.0
    for cosine, weight in zip(nodes, weights, strict=True):
        for phi in np.arange(5) * 2 * np.pi / 5:
            sine = np.sqrt(1 - cosine**2)
            direction = np.array([sine * np.cos(phi), sine * np.sin(phi), cosine])
            lepton, neutrino = _decay(w, p["MW"], direction)
            momenta = np.array([two[0, :, 0], lepton, neutrino, two[2, :, 0]])[..., None]
            total += weight / 2 / 5 * chain.squared(momenta)[0]
    squares = production.squared(two)[0] * decay.squared(decay.points(0.0, 1))[0]
    np.testing.assert_allclose(total, squares / (p["MW"] * p["WW"]) ** 2, rtol=1e-10)


def _decay(parent, mass, direction):
    """Two massless products of a moving particle, back to back along `direction` at rest."""
    gamma, beta = parent[0] / mass, parent[1:] / parent[0]
    made = []
    for sign in (1, -1):
        k = sign * mass / 2 * direction
        along = beta @ k
        energy = gamma * (mass / 2 + along)
        factor = gamma**2 / (gamma + 1) * along + gamma * mass / 2
        made.append([energy, *(k + factor * beta)])
    return made
