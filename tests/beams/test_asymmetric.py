"""Beams of very different energies: the frame changes, and nothing else."""

from __future__ import annotations

import functools
import math

import jax
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.errors import InputError
from fabgen.events.digits import round_digits
from fabgen.events.layout import entries

CHAIN = "e+ e- > t t~, t > w+ b, t~ > w- b~"
#: Process, energies of the beams.
BEAMS = [
    ("ve~ e- > mu- vm~", (1e9, 5.11e-4)),
    ("e- ve~ > mu- vm~", (1e-6, 1e12)),
    ("ve~ e- > mu- vm~", (1e17, 1e-16)),
    ("t t~ > e+ e-", (1e9, 173.0 * (1 + 1e-12))),
    ("ta+ ta- > z h", (1.777 * (1 + 1e-9), 1e6)),
    (CHAIN, (1e12, 1e-6)),
]


@functools.cache
def built(process, energies):
    return build_integrand(card_from_table({"process": process, "beams": {"energy": [*energies]}}))


@functools.cache
def made(process, energies):
    """The integrand, points of its cube, what they are in the lab, and log f."""
    integrand = built(process, energies)
    u = np.random.default_rng(3).random((300, integrand.dim))
    momenta, log_f = jax.jit(lambda u: (integrand.momenta(u), integrand.log_density(u)))(u)
    return integrand, u, np.asarray(momenta), np.asarray(log_f)


@pytest.mark.parametrize(("process", "energies"), BEAMS)
def test_momenta(process, energies):
    """The energies of the card, momentum conserved, every particle on its mass shell; the digits of
    an event file suffice for that, too."""
    integrand, _, momenta, _ = made(process, energies)
    np.testing.assert_array_equal(momenta[:, :2, 0], [energies] * len(momenta))
    np.testing.assert_array_equal(integrand.incoming(), momenta[0, :2])
    miss = momenta[:, 2:].sum(axis=1) - momenta[:, :2].sum(axis=1)
    assert np.max(np.abs(miss)) < 1e-14 * max(energies)
    square = momenta[..., 0] ** 2 - np.sum(momenta[..., 1:] ** 2, axis=-1)
    off = square - np.square(integrand.topologies[0].masses)
    assert np.max(np.abs(off) / momenta[..., 0] ** 2) < 2e-15
    written = entries(integrand.topologies[0], momenta)
    np.testing.assert_array_equal([p[:, 3] for p in written[:2]], momenta[:, :2, 0].T)


def test_masses_of_resonances_in_event_files():
    """Tops of 173 GeV that the lab sees with up to 1e12 GeV."""
    integrand, _, momenta, _ = made(*BEAMS[-1])
    equal, _, rest, _ = made(CHAIN, (1000.0, 1000.0))
    written, expected = (
        entries(f.topologies[0], p)[2:4] for f, p in ((integrand, momenta), (equal, rest))
    )
    assert np.min(np.array(written)[:, :, 3]) > 1e9
    np.testing.assert_allclose(np.array(written)[..., 4], np.array(expected)[..., 4], rtol=1e-10)
    assert np.all(np.abs(np.array(written)[..., 4] - 173.0) < 15 * 1.4915)


@pytest.mark.parametrize(("process", "energies"), BEAMS)
def test_there_and_back(process, energies):
    """A boost costs no digits: the cube is found again as it is with equal beams, and from the 15
    digits of an event file."""
    integrand, u, momenta, _ = made(process, energies)
    inverse = jax.jit(lambda p: integrand.unit_cube(p))
    few = integrand.dim == 2
    np.testing.assert_allclose(inverse(momenta), u, atol=1e-15 if few else 1e-12)
    np.testing.assert_allclose(inverse(round_digits(momenta)), u, atol=1e-14 if few else 1e-11)


@pytest.mark.parametrize(("process", "energies"), BEAMS)
def test_f_is_that_of_equal_beams(process, energies):
    integrand, u, momenta, log_f = made(process, energies)
    masses = integrand.topologies[0].masses[:2]
    k1, k2 = (math.sqrt((e - m) * (e + m)) for e, m in zip(energies, masses, strict=True))
    s = masses[0] ** 2 + masses[1] ** 2 + 2 * (energies[0] * energies[1] + k1 * k2)
    even = built(process, (math.sqrt(s) / 2,) * 2)  # both masses are equal, or none
    np.testing.assert_allclose(jax.jit(even.log_density)(u), log_f, atol=1e-11)
    # In the rest frame of the beams the momenta are the same.
    rest = np.asarray(jax.jit(even.momenta)(u))
    np.testing.assert_allclose(momenta[..., 1:3], rest[..., 1:3], atol=1e-12 * math.sqrt(s))


@pytest.mark.parametrize("process", [BEAMS[1], BEAMS[4]])
def test_the_order_of_the_beams(process):
    """Mirrored and charge-conjugated: the same number."""
    first, second = process[1]
    names = {"e- ve~ > mu- vm~": "ve~ e- > vm~ mu-", "ta+ ta- > z h": "ta- ta+ > z h"}
    here, there = built(*process), built(names[process[0]], (second, first))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    u = np.column_stack([0.5 * (1 + nodes), np.full(12, 0.25)])
    sums = [0.5 * weights @ np.exp(jax.jit(f.log_density)(u)) for f in (here, there)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-12)


@pytest.mark.parametrize(
    ("cuts", "reach"),
    [
        ({"etal": 21.5}, math.tanh(21.5 - 0.5 * math.log(1e18))),
        ({"el": 2e11}, 0.6),
        ({"elmax": 7e11}, 0.4),
        ({"ptl": 800.0}, 0.6),
        ({"etalmin": 20.0}, math.tanh(0.5 * math.log(1e18) - 20.0)),
        ({"drll": 3.5}, None),
    ],
)
def test_cuts_in_the_lab(cuts, reach):
    """Muons of 1e12 on 1e-6 GeV have the rapidities 20.7 +- y of the rest frame, E = 5e11 (1 +- cos
    theta) GeV."""
    energies, n = {"energy": [1e12, 1e-6]}, 4000
    card = {"process": "e+ e- > mu+ mu-", "beams": energies, "cuts": cuts}
    cut = build_integrand(card_from_table(card))
    even = built("e+ e- > mu+ mu-", (1000.0, 1000.0))
    u = np.column_stack([(np.arange(n) + 0.5) / n, np.full(n, 0.25)])
    values = np.exp(jax.jit(even.log_density)(u))
    cos = np.abs(2 * u[:, 0] - 1)
    if reach is None:
        reach = math.tanh(0.5 * math.sqrt(3.5**2 - math.pi**2))
        inside = cos > reach
    else:
        inside = cos < reach
    found = np.mean(np.exp(jax.jit(cut.log_density)(u)))
    assert found == pytest.approx(np.mean(values * inside), rel=2e-3)
    assert 0.01 < inside.mean() < 0.99


def test_what_no_energy_reaches():
    with pytest.raises(InputError, match="below the threshold") as error:
        built("e+ e- > t t~", (1e12, 1e-9))
    assert "63.2456 GeV in the rest frame" in error.value.found
    with pytest.raises(InputError, match="the beam energy is below the mass of ta-"):
        built("e+ ta- > e+ ta-", (1e12, 1.777))


def test_gradients():
    """In a mass, through the boost."""
    integrand = built("ta+ ta- > z h", (1.777 * (1 + 1e-9), 1e6))
    u = np.array([0.3, 0.7])

    value_and_gradient = jax.jit(
        jax.value_and_grad(lambda mass: integrand.log_density(u, {"MH": mass}))
    )
    (up, _), (down, _) = (value_and_gradient(125.0 + step) for step in (1e-3, -1e-3))
    assert value_and_gradient(125.0)[1] == pytest.approx(float(up - down) / 2e-3, rel=1e-6)
