"""Toys that draw their own events: integrals, and the events against the densities."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.errors import InputError
from fabgen.integrand.toys.modes import SHARES, WIDTHS, Modes
from fabgen.integrand.toys.ridge import Ridge
from fabgen.integrand.toys.truncated import draw_truncated, log_truncated

N = 20_000


def toy(name, channels=None, **parameters):
    table = {"process": f"toy:{name}", "parameters": parameters}
    return build_integrand(card_from_table(table | ({"channels": channels} if channels else {})))


def grid(points):
    """Midpoints of the unit square (points^2, 2); the second coordinate runs fastest."""
    line = (np.arange(points) + 0.5) / points
    return np.stack([axis.ravel() for axis in np.meshgrid(line, line, indexing="ij")], axis=-1)


def events(integrand, n=N, seed=1):
    return np.asarray(jax.jit(integrand.exact_events, static_argnums=1)(jax.random.key(seed), n))


#: Also with a good part of the Gaussians beyond the faces.
FLAT = [
    ("modes", {}),
    ("modes", {"separation": 1.5}),
    ("ridge", {}),
    ("ridge", {"width": 0.4}),
]


@pytest.mark.parametrize(("name", "parameters"), FLAT)
def test_integrals_are_one_and_events_fill_cells_as_the_density_says(name, parameters):
    integrand = toy(name, dim=2, **parameters)
    cells, inner = 20, 40
    f = np.exp(np.asarray(jax.jit(integrand.log_density)(grid(cells * inner))))
    expected = f.reshape(cells, inner, cells, inner).mean(axis=(1, 3)).ravel() / cells**2
    assert expected.sum() == pytest.approx(1.0, abs=1e-6)
    u = events(integrand)
    assert u.shape == (N, 2) and u.min() >= 0.0 and u.max() <= 1.0
    counts = np.histogram2d(*u.T, cells, [[0, 1], [0, 1]])[0].ravel()
    full = N * expected > 10.0
    observed, means = counts[full], N * expected[full]
    if not full.all():
        observed, means = (np.append(a, N - a.sum()) for a in (observed, means))
    assert full.sum() > 10
    assert stats.chisquare(observed, means * N / means.sum()).pvalue > 1e-3


@pytest.mark.parametrize("dim", [2, 8, 32])
def test_modes_have_their_shares_centres_and_widths(dim):
    density = Modes(dim=dim)
    u = events(toy("modes", dim=dim))
    mode = np.argmin(np.linalg.norm(u[:, None] - density.centres, axis=-1), axis=1)
    assert stats.chisquare(np.bincount(mode, minlength=8), N * SHARES).pvalue > 1e-3
    widths = np.asarray(density.widths)
    np.testing.assert_allclose(widths / widths.max(), WIDTHS)
    for k in range(8):
        centre, width, own = density.centres[k], widths[k], u[mode == k]
        below = stats.truncnorm.cdf(own, -centre / width, (1.0 - centre) / width, centre, width)
        assert stats.kstest(below.ravel(), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("dim", [2, 3, 4, 8, 16, 32])
def test_the_closest_modes_are_as_far_apart_as_the_separation_says(dim):
    density = Modes(dim=dim, separation=12.0)
    distances = np.linalg.norm(density.centres[:, None] - density.centres, axis=-1)
    closest = np.min(distances[np.triu_indices(8, 1)])
    assert closest / np.max(density.widths) == pytest.approx(12.0, rel=1e-12)
    assert closest > 0.05 * np.sqrt(dim)
    assert density.centres.shape == (8, dim)
    assert density.centres.min() >= 0.2 and density.centres.max() <= 0.8


def test_the_coordinates_of_a_ridge_are_what_they_are_drawn_from():
    """x_1 is uniform, and so is what lies below each other one on the section at x_1."""
    dim, width = 4, 0.02
    x = events(toy("ridge", dim=dim, width=width))
    j = np.arange(2, dim + 1)[:, None]
    turns = np.where(j % 2, 2, 1) * x[:, 0] + (j - 2) / (2 * dim - 2)
    centre = 0.5 + 0.3 * np.sin(2 * np.pi * turns)
    below = stats.truncnorm.cdf(x[:, 1:].T, -centre / width, (1 - centre) / width, centre, width)
    uniform = np.concatenate([x[None, :, 0], below])
    for part in uniform:
        assert stats.kstest(part, "uniform").pvalue > 1e-3
    correlation = np.corrcoef(uniform)[np.triu_indices(dim, 1)]
    assert np.max(np.abs(correlation)) < 4.0 / np.sqrt(N)


def entropy_of_gaussians(dim, widths):
    """- mean of log f of one that is not cut off."""
    return dim * (0.5 * np.log(2 * np.pi * np.e) + np.log(widths))


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        (
            "modes",
            {"dim": 8, "separation": 30.0},
            SHARES @ (np.log(SHARES) - entropy_of_gaussians(8, np.asarray(Modes(8, 30.0).widths))),
        ),
        ("ridge", {"dim": 4, "width": 0.02}, -entropy_of_gaussians(3, 0.02)),
    ],
)
def test_the_mean_of_log_f_is_known(name, parameters, expected):
    """It is the divergence of the uniform density."""
    integrand = toy(name, **parameters)
    log_f = np.asarray(jax.jit(integrand.log_density)(events(integrand)))
    assert log_f.mean() == pytest.approx(expected, abs=5 * log_f.std() / np.sqrt(N))


@pytest.mark.parametrize("name", ["modes", "ridge"])
@pytest.mark.parametrize("dim", [2, 32])
def test_far_points_have_finite_gradients_and_points_outside_no_density(name, dim):
    narrow = {"modes": {"separation": 1e4}, "ridge": {"width": 1e-6}}[name]
    integrand = toy(name, dim=dim, **narrow)
    u = np.concatenate([np.zeros((1, dim)), np.ones((1, dim)), np.full((1, dim), 0.99)])

    def total(u):
        return jnp.sum(integrand.log_density(u))

    value, gradient = jax.jit(jax.value_and_grad(total))(u)
    assert np.isfinite(value) and np.all(np.isfinite(gradient))
    u[0, -1], u[1, 0] = -1e-9, 1.0 + 1e-9
    log_f = np.asarray(integrand.log_density(u))
    assert np.array_equal(np.isneginf(log_f), [True, True, False])
    beyond = np.full((dim, 1), 0.5)
    beyond[0] = 1.5
    assert np.isneginf(integrand.density.log_density(beyond)[0])


def test_parameters_are_traced_but_not_the_dimension():
    u = np.full((1, 2), 0.5)
    for name, parameter in (("modes", "separation"), ("ridge", "width")):
        integrand = toy(name, dim=2)
        value = 1.1 * integrand.parameters[parameter]

        def log_f(value, integrand=integrand, parameter=parameter):
            return integrand.log_density(u, {parameter: value})[0]

        traced, slope = jax.jit(jax.value_and_grad(log_f))(value)
        built = toy(name, dim=2, **{parameter: value})
        assert traced == pytest.approx(float(built.log_density(u)[0]), rel=1e-12)
        h = 1e-6 * value
        numeric = (log_f(value + h) - log_f(value - h)) / (2 * h)
        assert slope == pytest.approx(float(numeric), rel=1e-5)
        with pytest.raises(InputError) as error:
            integrand.log_density(u, {"dim": 3})
        assert error.value.key == "parameters.dim"


@given(st.floats(0.2, 0.8), st.floats(1e-6, 1e3), st.floats(0.001, 0.999))
def test_draws_invert_the_distribution_that_the_density_belongs_to(centre, width, v):
    """scipy's distribution function at the point gives v back, its density is ours."""
    cut = stats.truncnorm(-centre / width, (1.0 - centre) / width, centre, width)
    x = float(draw_truncated(jnp.asarray(v), centre, width))
    assert 0.0 <= x <= 1.0
    assert cut.cdf(x) == pytest.approx(v, abs=1e-7)
    assert float(log_truncated(jnp.asarray(x), centre, width)) == pytest.approx(
        cut.logpdf(x), abs=1e-7
    )


@pytest.mark.parametrize("v", [0.0, 1.0 - 2.0**-53])
@pytest.mark.parametrize("width", [1e-6, 0.02, 10.0])
def test_the_ends_of_the_uniform_numbers_stay_in_the_cube(v, width):
    x = float(draw_truncated(jnp.asarray(v), 0.3, width))
    assert 0.0 <= x <= 1.0


@pytest.mark.parametrize(
    ("name", "parameters", "key", "allowed"),
    [
        ("modes", {"dim": 2.5}, "dim", "a whole number from 2 to 32"),
        ("modes", {"dim": 0}, "dim", "a whole number from 2 to 32"),
        ("ridge", {"dim": 1}, "dim", "a whole number from 2 to 32"),
        ("ridge", {"dim": 33}, "dim", "a whole number from 2 to 32"),
        ("modes", {"separation": -1.0}, "separation", ">= 1 and <= 10000"),
        ("modes", {"separation": 0.0}, "separation", ">= 1 and <= 10000"),
        ("modes", {"separation": 1e300}, "separation", ">= 1 and <= 10000"),
        ("ridge", {"width": 0.0}, "width", ">= 1e-06 and <= 1"),
        ("ridge", {"width": 2.0}, "width", ">= 1e-06 and <= 1"),
        ("ridge", {"separation": 2.0}, "separation", "dim, width"),
    ],
)
def test_wrong_parameters_are_refused(name, parameters, key, allowed):
    with pytest.raises(InputError) as error:
        toy(name, **parameters)
    assert error.value.key == f"parameters.{key}"
    assert error.value.allowed == allowed


def test_the_limits_themselves_are_allowed():
    assert toy("modes", dim=32, separation=1.0).dim == 32
    assert toy("ridge", dim=2.0, width=1.0).density == Ridge(2, 1.0)


@pytest.mark.parametrize(
    ("name", "maps"), [("camel-back", "flat"), ("crossed-ring", "flat"), ("modes", "flat flat")]
)
def test_toys_without_exact_events_say_so(name, maps):
    integrand = toy(name, {"maps": maps})
    assert not integrand.has_exact_events
    with pytest.raises(InputError, match="exact events"):
        integrand.exact_events(jax.random.key(0), 10)
