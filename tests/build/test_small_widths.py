"""Decayed particles of a tiny width: generated with a larger one, the cross section stays right."""

from __future__ import annotations

import functools
import itertools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.errors import InputError

HIGGS = "e+ e- > z h, h > b b~"
#: 125 + 125 GeV, the mass of the Higgs; its width at which nothing is replaced.
ENERGY, MH, WH = [125.0, 125.0], 125.0, 6.382339e-3
#: What a window of 15 widths leaves of a Breit-Wigner.
SHARE = 2.0 / math.pi * math.atan(30.0)


@functools.cache
def _built(process: str, settings: str):
    return build_integrand(card_from_table({"process": process, **json.loads(settings)}))


def integrand(process: str, **settings):
    """The integrand of a card of one channel, made once."""
    settings.setdefault("channels", {"use": "one"})
    return _built(process, json.dumps(settings, sort_keys=True))


@functools.cache
def density(target, name: str):
    """f(u, value of a parameter), compiled once."""
    made = jax.jit(lambda u, value: jnp.exp(target.log_density(u, parameters={name: value})))
    return lambda u, value: np.asarray(made(u, value))


def product_rule(*sizes: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, len(sizes)) and weights of Gauss and Legendre on the unit cube."""
    rules = [np.polynomial.legendre.leggauss(size) for size in sizes]
    points = itertools.product(*(0.5 * (x + 1.0) for x, _ in rules))
    weights = itertools.product(*(0.5 * w for _, w in rules))
    return np.array(list(points)), np.array([math.prod(w) for w in weights])


def higgs() -> tuple:
    return integrand(HIGGS, beams={"energy": ENERGY})


def higgs_sigma(width: float) -> float:
    """The cross section by quadrature in the mass and the polar angle of the Higgs, pb."""
    points, weights = product_rule(40, 6)
    u = np.full((len(points), 5), 0.3)
    u[:, :2] = points
    return float(weights @ density(higgs(), "WH")(u, width))


# -- the value ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1.0e-3, 1e-4, 1e-6, 1e-10, 1e-13, 1e-14, 7e-20, 1e-200])
def test_sigma_times_width_stays(width):
    """Against the narrow-width approximation, fabgen's own production and decay put together."""
    production = integrand("e+ e- > z h", beams={"energy": ENERGY})
    points, weights = product_rule(6)
    u = np.full((len(points), 2), 0.3)
    u[:, :1] = points
    produced = weights @ density(production, "WH")(u, WH)
    decayed = density(integrand("h > b b~"), "WH")(np.full((1, 2), 0.3), WH)[0]
    assert higgs_sigma(width) * width == pytest.approx(produced * decayed * SHARE, rel=2e-5)
    assert higgs_sigma(width) * width == pytest.approx(1.2669e-3, rel=3e-4)


CASES = [
    # process, its width, how often it decays, more of the card
    ("e+ e- > t t~, t > w+ b, t~ > w- b~", "WT", 2, {}),
    ("e+ e- > t t~, t > w+ b, t~ > w- b~", "WT", 2, {"phase_space": {"bw_cutoff": math.inf}}),
    ("e+ e- > t t~, (t > w+ b, w+ > e+ ve), t~ > w- b~", "WW", 1, {}),
    ("e+ e- > z h h, h > ta+ ta-", "WH", 2, {}),
    ("e+ e- > h h z, h > b b~, z > mu+ mu-", "WZ", 1, {}),
    ("e+ e- > z h, (h > z z, z > mu+ mu-)", "WZ", 2, {"parameters": {"MH": 200.0}}),
    ("t > w+ b, w+ > e+ ve", "WW", 1, {}),
]


@pytest.mark.parametrize(("process", "name", "count", "more"), CASES)
def test_chains(process, name, count, more):
    """f x width^count at a tiny width is that at a width which nothing stands for."""
    target = integrand(process, **more)
    widths = target.components[0].widths
    assert [width for _, width in widths.decayed].count(name) == count
    mass = target.derived[widths.decayed[[w for _, w in widths.decayed].index(name)][0]]
    u = np.random.default_rng(1).uniform(size=(500, target.dim))
    f, known = density(target, name), 3e-6 * mass
    expected = f(u, known) * known**count
    assert np.any(expected > 0.0)
    assert f(u, 1e-13).sum() * 1e-13**count == pytest.approx(expected.sum(), rel=1e-4)
    assert f(u, 7e-20).sum() * 7e-20**count == pytest.approx(expected.sum(), rel=1e-4)


def test_radiation_before_the_decay():
    """A propagator of w+ into w+ and a photon of 10 GeV is off its pole whatever the width."""
    target = integrand("e+ e- > w+ w- a, w+ > e+ ve", cuts={"pta": 10.0, "etaa": 2.5})
    assert target.components[0].widths.decayed == (("MW", "WW"),)


def test_wider_particles_are_left_alone():
    target = higgs()
    for width in (1.26e-4, WH):
        derived = target.model.derive({**target.external, "WH": width})
        assert target.components[0].widths.used(derived) == derived
        assert target.components[0].widths.factor(derived) == 1.0
    assert target.notes == ()


# -- maps, channels, gradients, events ------------------------------------------------------------


def test_every_map_has_the_same_density():
    """d sigma/d Phi on flat phase space is that of the map along the resonance."""
    settings = {"beams": {"energy": ENERGY}, "parameters": {"WH": 1e-13}}
    along = integrand(HIGGS, **settings)
    flat = integrand(HIGGS, **settings, phase_space={"mapping": "rambo"})

    @jax.jit
    def both(u):
        return along.point(u).log_f, flat.point(flat.unit_cube(along.momenta(u))).log_f

    there, here = both(np.random.default_rng(2).uniform(0.1, 0.9, (20, along.dim)))
    np.testing.assert_allclose(there, here, atol=1e-5)
    assert np.all(np.isfinite(there))


def test_masses_of_events():
    """The mass is in the window of the used width, which maps, windows and propagators share."""
    target = integrand(HIGGS, beams={"energy": ENERGY}, parameters={"WH": 1e-13})
    u = np.random.default_rng(3).uniform(size=(1000, target.dim))
    p = np.asarray(jax.jit(target.momenta)(u))[:, 3:5].sum(axis=1)
    mass = np.sqrt(p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(axis=1))
    used = 1e-6 * MH
    assert np.max(np.abs(mass - MH)) < 15.0 * used
    assert np.median(np.abs(mass - MH)) == pytest.approx(0.5 * used, rel=0.1)
    assert np.all(density(target, "WH")(u, 1e-13) > 0.0)
    assert target.widths[25] == 1e-13


@pytest.mark.parametrize("prior", ["densities", "invariants", "diagrams", "propagators"])
def test_several_channels(prior):
    """Every channel is scaled by the ratio, and their weights are those of the used width."""
    channels = {"use": "all", "prior": prior}
    target = integrand("e+ e- > ve ve~ h, h > ta+ ta-", channels=channels)
    assert target.n_channels > 1
    u = np.random.default_rng(4).uniform(size=(16, target.dim))
    channel = np.arange(16) % target.n_channels
    at = jax.jit(lambda width: target.point(u, channel, parameters={"WH": width}))
    tiny, least = at(1e-13), at(1e-6 * MH)
    np.testing.assert_allclose(tiny.log_f - least.log_f, math.log(1e-6 * MH / 1e-13), rtol=1e-9)
    np.testing.assert_allclose(tiny.log_prior, least.log_prior, rtol=1e-9)
    np.testing.assert_array_equal(tiny.momenta, least.momenta)


def test_gradient_in_the_width():
    target = higgs()
    u = np.random.default_rng(6).uniform(size=5)
    slope = jax.jit(jax.grad(lambda width: target.log_density(u, parameters={"WH": width})))
    assert float(slope(1e-13)) * 1e-13 == pytest.approx(-1.0, rel=1e-9)
    f = density(target, "WH")
    step = 1e-6 * WH
    numeric = (np.log(f(u[None], WH + step)) - np.log(f(u[None], WH - step))) / (2.0 * step)
    assert float(slope(WH)) == pytest.approx(numeric[0], rel=1e-5)


# -- words ----------------------------------------------------------------------------------------


def test_notes():
    target = integrand(HIGGS, beams={"energy": ENERGY}, parameters={"WH": 1e-13})
    assert target.notes == (
        "h decays with a width of 0.000125 GeV, 1e-06 of its mass (phase_space.small_width), "
        "instead of 1e-13 GeV; the cross section and all weights are multiplied by 1.25e+09 for "
        "each decayed h",
    )


def test_the_card_sets_the_bound():
    table = {"energy": ENERGY}
    made = integrand(
        HIGGS, beams=table, parameters={"WH": 1e-13}, phase_space={"small_width": 1e-5}
    )
    assert "1e-05 of its mass" in made.notes[0]
    points, weights = product_rule(40, 6)
    u = np.full((len(points), 5), 0.3)
    u[:, :2] = points
    assert weights @ density(made, "WH")(u, 1e-13) * 1e-13 == pytest.approx(1.2669e-3, rel=3e-4)


def test_overflow_is_refused():
    with pytest.raises(InputError, match="overflows") as caught:
        integrand("e+ e- > z h h, h > b b~", parameters={"WH": 1e-200})
    assert caught.value.key == "parameters.WH"


# -- where one width cannot stand for another -----------------------------------------------------

KEPT = [
    # the z is a propagator on its mass shell, too
    ("e+ e- > z mu+ mu-, z > b b~", {"cuts": {"mmll": 10.0}}),
    # the beams fix its p^2
    ("e+ e- > z, z > mu+ mu-", {"beams": {"energy": [45.594, 45.594]}}),
    # its mass is at the edge of phase space
    ("e+ e- > h z, z > mu+ mu-", {"beams": {"energy": [108.09401, 108.09401]}}),
    ("e+ e- > h z, z > b b~", {"cuts": {"mmbb": 91.187, "cut_decays": True}}),
    # a photon as soft as the width is wide
    ("e+ e- > w+ w- a, w+ > e+ ve", {"cuts": {"pta": 1e-3, "etaa": 2.5}}),
    # the tails would not scale with the peak
    (HIGGS, {"phase_space": {"bw_cutoff": math.inf}, "beams": {"energy": [5e3, 5e3]}}),
    (HIGGS, {"phase_space": {"bw_cutoff": 2e4}, "beams": {"energy": [5e3, 5e3]}}),
    (HIGGS, {"phase_space": {"small_width": 0.0}}),
]


@pytest.mark.parametrize(("process", "more"), KEPT)
def test_kept(process, more):
    """Where phase space or another propagator tells widths apart the width is used as it is."""
    width = 1e-6
    name = {"z": "WZ", "w": "WW", "h": "WH"}[process.split(", ")[1][0]]
    target = integrand(process, parameters={name: width}, **more)
    assert target.components[0].widths.decayed == ()
    assert target.notes == ()
    with pytest.raises(InputError, match="too narrow") as caught:
        integrand(process, parameters={name: 1e-15}, **more)
    assert caught.value.key == f"parameters.{name}"
