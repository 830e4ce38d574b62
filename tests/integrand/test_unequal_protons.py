"""Beams of unequal energy are equal ones seen from a frame that moves along them."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import card_from_table

UNEQUAL = 13000.0, 3250.0
SHIFT = 0.5 * math.log(UNEQUAL[0] / UNEQUAL[1])
ETAL = 2.0


def integrand(energy, **cuts):
    return build_integrand(
        card_from_table({
            "process": "u u~ > e+ e-",
            "beams": {"kind": "proton", "energy": list(energy)},
            "cuts": {"mmll": 60.0, **cuts},
            "channels": {"use": "one"},
            "scales": {"renormalization": "partonic_energy", "factorization": "partonic_energy"},
        })
    )  # fmt: skip


@pytest.fixture(scope="module")
def equal():
    return integrand((6500.0, 6500.0))


def boosted(momenta, rapidity):
    energy, z = momenta[..., 0], momenta[..., 3]
    cosh, sinh = math.cosh(rapidity), math.sinh(rapidity)
    moved = momenta.copy()
    moved[..., 0], moved[..., 3] = cosh * energy + sinh * z, sinh * energy + cosh * z
    return moved


def rapidity(momenta):
    return np.arctanh(momenta[..., 3] / momenta[..., 0])


def points_of(made, n=3000):
    u = jax.random.uniform(jax.random.key(1), (n, made.dim))
    point = made.point(u, np.arange(n) % made.n_channels)
    return point, np.moveaxis(np.asarray(point.momenta), -1, 0)


def test_without_cuts_in_the_lab_f_is_the_same(equal):
    point, momenta = points_of(equal)
    moved, momenta_moved = points_of(integrand(UNEQUAL))
    np.testing.assert_allclose(momenta_moved, boosted(momenta, SHIFT), rtol=1e-10, atol=1e-8)
    np.testing.assert_allclose(moved.log_f, point.log_f, atol=1e-11)
    np.testing.assert_allclose(moved.log_jacobian, point.log_jacobian, atol=1e-11)
    assert np.all(np.isfinite(point.log_f))


def test_cuts_are_those_of_the_lab(equal):
    """f at the points of the cut process is that of the uncut one with equal beams, moved back."""
    cut = integrand(UNEQUAL, etal=ETAL)
    point, momenta = points_of(cut)
    inside = np.all(np.abs(rapidity(momenta[:, 2:])) < ETAL, axis=1)
    assert np.mean(inside) > 0.3
    np.testing.assert_array_equal(np.isfinite(point.log_f), inside)
    back = boosted(momenta, -SHIFT)
    channel = jnp.arange(len(back)) % equal.n_channels
    u = np.asarray(equal.unit_cube(back, channel))
    again = np.asarray(equal.point(u, channel).log_f)
    np.testing.assert_allclose(np.asarray(point.log_f)[inside], again[inside], atol=1e-9)
    # and most of what passes there would not pass in the frame of equal beams
    own = np.all(np.abs(rapidity(back[:, 2:])) < ETAL, axis=1)
    assert 0.2 < np.mean(own[inside]) < 0.9
