"""Toys against quadrature: integrals, normalized maps, and the paper's errors of fixed weights."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.errors import InputError

N = 10**4


def toy(name, channels=None, parameters=None):
    table = {"process": f"toy:{name}"}
    table |= {"channels": channels} if channels else {}
    table |= {"parameters": parameters} if parameters else {}
    return build_integrand(card_from_table(table))


def grid(dim, points):
    """Midpoints of the unit cube (points^dim, dim)."""
    line = (np.arange(points) + 0.5) / points
    return np.stack([axis.ravel() for axis in np.meshgrid(*[line] * dim)], axis=-1)


def moments(integrand, points):
    """Mean and standard deviation of alpha_i f_i / g_i for each channel, by midpoints."""
    point = jax.jit(integrand.point)
    u = grid(integrand.dim, points)
    found = []
    for channel in range(integrand.n_channels):
        here = point(u, channel)
        w = np.exp(np.asarray(here.log_f) + np.asarray(here.log_jacobian) + here.log_prior[channel])
        found.append((w.mean(), w.std()))
    return np.array(found).T


@pytest.mark.parametrize(
    ("name", "prior", "equal", "optimal"),
    [
        ("camel-back", "flat", 5.62, 5.37),
        ("camel-back", "densities", 0.773, 0.743),
        ("cut-camel-back", "flat", 7.13, 5.65),
        ("cut-camel-back", "densities", 1.018, 0.913),
    ],
)
def test_errors_of_camel_backs_with_fixed_weights(name, prior, equal, optimal):
    """Relative errors (%) of 10^4 points, equal numbers per channel or the best ones."""
    integrals, deviations = moments(toy(name, {"prior": prior}), 200_000)
    total = integrals.sum()
    if name == "camel-back":
        assert total == pytest.approx(1.0, abs=1e-6)
    same = np.sqrt(np.sum(deviations**2 / (N / 2)))
    best = deviations.sum() / np.sqrt(N)
    assert 100 * same / total == pytest.approx(equal, rel=2e-3)
    assert 100 * best / total == pytest.approx(optimal, rel=2e-3)


@pytest.mark.parametrize("maps", ["ring line flat", "flat@ring flat@line"])
def test_crossed_ring_has_integral_one(maps):
    integrals, _ = moments(toy("crossed-ring", {"maps": maps}), 400)
    assert integrals.sum() == pytest.approx(1.0, abs=1e-3)
    assert np.all(integrals > 0.05)


def test_single_flat_channels_have_a_log_density():
    for name in ("camel-back", "crossed-ring"):
        integrand = toy(name, {"maps": "flat"})
        u = grid(integrand.dim, 500)
        outside = np.full((2, integrand.dim), 0.5)
        outside[[0, 1], [0, -1]] = 1.1, -0.1
        log_f = np.asarray(jax.jit(integrand.log_density)(np.concatenate([u, outside])))
        assert np.mean(np.exp(log_f[:-2])) == pytest.approx(1.0, abs=1e-4)
        assert np.all(np.isneginf(log_f[-2:]))


@pytest.mark.parametrize(
    ("name", "maps"), [("camel-back", "left right flat"), ("crossed-ring", "ring line flat")]
)
def test_jacobians_are_inverse_densities_and_weights_add_up(name, maps):
    """log|dx/du| against finite differences, everything finite on the faces."""
    integrand = toy(name, {"maps": maps})
    dim, h = integrand.dim, 1e-6
    evaluate, space = jax.jit(integrand.point), jax.jit(integrand.space)
    inside = np.random.default_rng(0).uniform(0.05, 0.95, (40, dim))
    # the points, each moved along every axis, and the faces: one call for each channel
    moved = np.concatenate([inside, *(inside + h * axis for axis in np.eye(dim))])
    everything = np.concatenate([inside, np.repeat([[0.0], [1.0]], dim, axis=1)])
    for channel in range(integrand.n_channels):
        at, *shifted = np.asarray(space(moved, channel)).reshape(dim + 1, 40, -1)
        columns = [(x - at) / h for x in shifted]
        numeric = np.linalg.slogdet(np.stack(columns, axis=-1))[1]
        point = jax.tree.map(np.asarray, evaluate(everything, channel))
        np.testing.assert_allclose(point.log_jacobian[:40], numeric, atol=1e-3)
        np.testing.assert_allclose(np.exp(point.log_prior[:, :40]).sum(axis=0), 1.0, rtol=1e-12)
        assert np.max(np.abs(point.features[:, :40])) <= 4.0
        assert not np.any(np.isnan((point.log_f + point.log_jacobian)[40:]))
        assert np.all(np.isfinite(point.features))


def test_mixed_channels_equal_each_alone():
    integrand = toy("crossed-ring")
    u = grid(2, 10)
    channel = np.arange(len(u)) % 2
    point = jax.jit(integrand.point)

    def logarithms(channel):
        found = point(u, channel)
        return np.asarray(found.log_jacobian), np.asarray(found.log_prior)

    log_jacobian, log_prior = logarithms(channel)
    for number in range(2):
        alone = logarithms(np.full(len(u), number))
        mine = channel == number
        np.testing.assert_array_equal(log_jacobian[mine], alone[0][mine])
        np.testing.assert_array_equal(log_prior[:, mine], alone[1][:, mine])


def test_parameters_move_the_density():
    narrow = toy("crossed-ring", {"maps": "flat"}, {"a": 2.0, "s0": 0.1})
    assert narrow.parameters["a"] == 2.0
    u = grid(2, 300)
    f = np.exp(jax.jit(narrow.log_density)(u))
    assert np.mean(f) == pytest.approx(1.0, abs=1e-3)
    traced = jax.jit(toy("camel-back").point)(u[:, :1], 0, {"m1": 3.0})
    assert np.all(np.isfinite(traced.log_jacobian))


@pytest.mark.parametrize(
    ("table", "key", "allowed"),
    [
        ({"channels": {"maps": "ring lime"}}, "channels.maps", "ring, line, flat"),
        ({"parameters": {"mass": 1.0}}, "parameters.mass", "r0, s0"),
        ({"channels": {"maps": "ring line@"}}, "channels.maps", "ring, line, flat"),
        ({"channels": {"prior": "diagrams"}}, "channels.prior", '"flat" or "densities"'),
        ({"parameters": {"s0": 0.0}}, "parameters.s0", "> 0"),
        ({"model": "lc2pkpi"}, "model", "no such key"),
    ],
)
def test_what_a_toy_does_not_have_is_refused(table, key, allowed):
    with pytest.raises(InputError) as error:
        build_integrand(card_from_table({"process": "toy:crossed-ring", **table}))
    assert error.value.key == key
    assert allowed in error.value.allowed


@pytest.mark.parametrize(
    ("parameters", "key"), [({"share": 2.0}, "share"), ({"s1": -1.0}, "s1"), ({"low": 7.0}, "low")]
)
def test_parameters_that_leave_no_camel_back(parameters, key):
    table = {"process": "toy:camel-back", "parameters": parameters}
    with pytest.raises(InputError) as error:
        build_integrand(card_from_table(table))
    assert error.value.key == f"parameters.{key}"


def test_unknown_toys_name_the_known_ones():
    with pytest.raises(InputError) as error:
        card_from_table({"process": "toy:camelback"})
    assert "toy:camel-back" in error.value.allowed
    assert error.value.hint == "did you mean toy:camel-back or toy:cut-camel-back?"
