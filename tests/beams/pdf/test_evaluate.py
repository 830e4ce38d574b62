"""x f(x, Q) against LHAPDF's rules written down again, point by point and without any table."""

from __future__ import annotations

import bisect
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.beams import pdf
from fabgen.beams.pdf import DEFAULT_SET, Densities, load_member

from .conftest import FLAVOURS, made_up

xf = jax.jit(pdf.xf, static_argnames="flavours")
#: Cubic, both sides of thresholds; bilinear subgrids of two and of three knots among others. All of
#: one size: they share a program.
GRIDS = {"one": (13,), "thresholds": (4, 5, 4), "bilinear": (2, 8, 3), "last bilinear": (11, 2)}


def hermite(t, low, low_slope, high, high_slope, width):
    return (
        (2 * t**3 - 3 * t**2 + 1) * low
        + (t**3 - 2 * t**2 + t) * low_slope * width
        + (3 * t**2 - 2 * t**3) * high
        + (t**3 - t**2) * high_slope * width
    )


def slope(y, t, i):
    """At knot i: the mean of the quotients to both sides, one-sided at the ends."""
    quotients = [(y[j + 1] - y[j]) / (t[j + 1] - t[j]) for j in (i - 1, i) if 0 <= j < len(t) - 1]
    return sum(quotients) / len(quotients)


def cell(knots, at):
    return min(max(bisect.bisect_right(list(knots), at) - 1, 0), len(knots) - 2)


def inside(grid, flavour, x, q):
    ends = np.cumsum(grid.sizes)
    number = max(
        k for k, end in enumerate(ends) if k == 0 or q >= grid.q[end - grid.sizes[k]]
    )  # a seam belongs to the upper subgrid
    own = slice(ends[number] - grid.sizes[number], ends[number])
    t, u = np.log(grid.x), np.log(grid.q[own] ** 2)
    values = grid.values[:, own, flavour]
    i, j = cell(grid.x, x), cell(grid.q[own], q)
    a, b = math.log(x), math.log(q * q)
    width_x, width_q = t[i + 1] - t[i], u[j + 1] - u[j]
    part_x, part_q = (a - t[i]) / width_x, (b - u[j]) / width_q
    if len(u) < 4:
        low, high = ((1 - part_x) * values[i, k] + part_x * values[i + 1, k] for k in (j, j + 1))
        return (1 - part_q) * low + part_q * high
    along = [
        hermite(
            *(part_x, values[i, k], slope(values[:, k], t, i)),
            *(values[i + 1, k], slope(values[:, k], t, i + 1), width_x),
        )
        for k in range(len(u))
    ]
    slopes = slope(along, u, j), slope(along, u, j + 1)
    return hermite(part_q, along[j], slopes[0], along[j + 1], slopes[1], width_q)


def line(at, first, second, low, high):
    part = (math.log(at) - math.log(first)) / (math.log(second) - math.log(first))
    if low > 1e-3 and high > 1e-3:
        return math.exp(math.log(low) + part * (math.log(high) - math.log(low)))
    return low + part * (high - low)


def reference(grid, flavour, x, q, force_positive=0):
    """The continuation of LHAPDF, by cases."""

    def at_x(q):
        if x >= grid.x[0]:
            return inside(grid, flavour, x, q)
        two = (inside(grid, flavour, knot, q) for knot in grid.x[:2])
        return line(x, *grid.x[:2], *two)

    def above(x):
        two = (inside(grid, flavour, x, knot) for knot in (grid.q[-1], grid.q[-2]))
        return line(q**2, grid.q[-1] ** 2, grid.q[-2] ** 2, *two)

    if q > grid.q[-1]:
        found = above(x) if x >= grid.x[0] else line(x, *grid.x[:2], *map(above, grid.x[:2]))
    elif q < grid.q[0]:
        lowest, next_ = at_x(grid.q[0]), at_x(grid.q[0] * math.sqrt(1.01))
        power = max(-2.5, (next_ / lowest - 1) / 0.01) if abs(lowest) >= 1e-5 else 1.0
        ratio = (q / grid.q[0]) ** 2
        found = lowest * ratio ** (power * ratio + 1 - ratio)
    else:
        found = at_x(q)
    if force_positive:
        found = max(found, {1: 0.0, 2: 1e-10}[force_positive])
    return found


def points(grid, n=400, seed=1):
    """Inside, at knots and thresholds, and beyond every edge and corner."""
    random = np.random.default_rng(seed)
    x = np.exp(random.uniform(np.log(grid.x[0]) - 3.0, 0.0, n))
    q = np.exp(random.uniform(np.log(grid.q[0]) - 1.0, np.log(grid.q[-1]) + 1.0, n))
    x[: n // 4] = random.choice(grid.x, n // 4)
    q[n // 8 : 3 * n // 8] = random.choice(grid.q, n // 4)
    return x, q


@pytest.mark.parametrize("force_positive", [0, 1, 2])
@pytest.mark.parametrize("sizes", GRIDS.values(), ids=GRIDS)
def test_the_rules_of_lhapdf(sizes, force_positive):
    grid = made_up(sizes)
    x, q = points(grid)
    found = xf(Densities.of_grid(grid, force_positive=force_positive), x, q, FLAVOURS)
    expected = [
        [reference(grid, k, *at, force_positive) for at in zip(x, q, strict=True)]
        for k in range(len(FLAVOURS))
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


def test_points_inside_are_the_same_beside_points_outside():
    """Whatever the way that the others need."""
    grid = made_up(GRIDS["thresholds"])
    densities = Densities.of_grid(grid)
    x, q = points(grid)
    is_inside = (x >= grid.x[0]) & (q >= grid.q[0]) & (q <= grid.q[-1])
    assert 0.2 < is_inside.mean() < 0.8
    same = np.resize(np.flatnonzero(is_inside), len(x))
    alone = xf(densities, x[same], q[same], FLAVOURS)
    np.testing.assert_allclose(xf(densities, x, q, FLAVOURS)[:, same], alone, rtol=1e-13)


def test_default_set_against_lhapdf(root):
    """x f that LHAPDF 6 gave; all flavours, and a table of some of them."""
    known = json.loads((root / "tests/data/pdf_points.json").read_text())["points"]
    x, q = (np.array([point[name] for point in known]) for name in ("x", "Q"))
    member = load_member(DEFAULT_SET)
    flavours = member.grid.flavours
    told = [int(flavour) for flavour in known[0]["xf"]]
    expected = np.array([[point["xf"][str(flavour)] for point in known] for flavour in told])
    found = xf(member.densities, np.resize(x, 1200), np.resize(q, 1200), flavours)[:, : len(x)]
    np.testing.assert_allclose(
        found[np.array([flavours.index(flavour) for flavour in told])], expected, rtol=1e-12
    )
    some = [told.index(flavour) for flavour in (21, -2, 5)]
    smaller = member.densities.of((21, -2, 5, 0))
    assert smaller.table.shape[1] == 12
    np.testing.assert_allclose(xf(smaller, x, q, (0, -2, 5)), expected[some], rtol=1e-12)


def test_default_set_carries_the_momentum_of_the_proton():
    """The sum over flavours of the integral of x f over x is 1, to the accuracy of the fit."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    x = np.exp(0.5 * (nodes - 1.0) * np.log(1e9))
    member = load_member(DEFAULT_SET)
    scales = (2.0, 91.188, 5000.0)
    at = xf(member.densities, np.tile(x, 3), np.repeat(scales, 400), member.grid.flavours)
    each = np.sum(at, axis=0).reshape(3, 400) * x * weights * 0.5 * np.log(1e9)
    np.testing.assert_allclose(each.sum(axis=1), 1.0, atol=0.01)


def test_flavours_that_are_not_there_are_zero():
    """Also where a set raises all values; so is x f above the highest knot."""
    grid = made_up((4,))
    densities = Densities.of_grid(grid, force_positive=2)
    found = xf(densities, np.array([0.01, 1e-6, 1.5]), np.full(3, 2.0), (6, 21))
    np.testing.assert_array_equal(found[0], 0.0)
    assert np.all(np.asarray(found[1, :2]) > 0.0) and found[1, 2] == 0.0


def test_two_beams_at_one_scale():
    grid = made_up(GRIDS["thresholds"])
    densities = Densities.of_grid(grid)
    x, q = points(grid)
    both = xf(densities, np.stack([x, x[::-1]]), q, FLAVOURS)
    assert both.shape == (2, len(FLAVOURS), len(x))
    for beam, own in zip(both, (x, x[::-1]), strict=True):
        np.testing.assert_allclose(beam, xf(densities, own, q, FLAVOURS), rtol=1e-13)


# -- derivatives: one program for all of them ----------------------------------------------------

GRID = made_up(GRIDS["bilinear"])
FACTORS = np.arange(1.0, 13.0).reshape(2, 6, 1)
N = 152


def total(values, x, q):
    """The sum over flavours and two beams at events, (events,)."""
    densities = Densities.of_grid(GRID, values=values)
    return jnp.sum(pdf.xf(densities, x, q, FLAVOURS) * FACTORS, axis=(0, 1))


gradients = jax.jit(jax.grad(lambda *at: jnp.sum(total(*at)), argnums=(0, 1, 2)))
total = jax.jit(total)


def derivative(function, h=2e-5):
    """At 0, by finite differences of fourth order."""
    near, far = (function(step) - function(-step) for step in (h, 2.0 * h))
    return (8.0 * near - far) / (12.0 * h)


@pytest.mark.parametrize("with_outside", [False, True])
def test_gradient_in_x_and_q(with_outside):
    x, q = (1.003 * at for at in points(GRID, N, seed=5))  # no knot, no edge
    if not with_outside:
        x, q = np.maximum(x, 1.01 * GRID.x[0]), np.clip(q, 1.01 * GRID.q[0], 0.99 * GRID.q[-1])
    values, both = jnp.asarray(GRID.values), np.stack([x, np.roll(x, 1)])
    _, in_x, in_q = gradients(values, both, q)
    by_q = derivative(lambda step: total(values, both, q * (1.0 + step)))
    np.testing.assert_allclose(in_q * q, by_q, rtol=1e-6, atol=1e-6)
    for beam in np.eye(2)[:, :, None]:
        by_x = derivative(lambda step, beam=beam: total(values, both * (1.0 + step * beam), q))
        np.testing.assert_allclose(np.sum(in_x * both * beam, axis=0), by_x, rtol=1e-6, atol=1e-6)


def test_gradient_in_the_values_at_the_knots():
    """Inside, where x f is linear in them, and outside, where it is not."""
    x, q = points(GRID, N)
    values, both = jnp.asarray(GRID.values), np.stack([x, x[::-1]])
    in_values, _, _ = gradients(values, both, q)
    random = np.random.default_rng(3)
    for way in random.uniform(-1.0, 1.0, (8, *values.shape)) * np.abs(values):
        change = derivative(lambda h, way=way: jnp.sum(total(values + h * way, both, q)))
        assert float(jnp.sum(in_values * way)) == pytest.approx(float(change), rel=1e-6)


def test_no_derivative_is_nan_anywhere():
    """Zeros in the grid, edges, corners, and far outside."""
    values = GRID.values.copy()
    values[:, :, 3] = 0.0
    mesh = np.meshgrid([1e-9, *GRID.x], [0.2, *GRID.q, 1e6])
    x, q = (np.resize(at, N) for at in mesh)
    assert mesh[0].size <= N
    for gradient in gradients(jnp.asarray(values), np.stack([x, x]), q):
        assert np.all(np.isfinite(gradient))


def test_densities_are_arguments_of_a_program():
    """One program serves other values; the table is none of its constants."""
    first, second = (Densities.of_grid(made_up((4, 5), seed)) for seed in (0, 1))
    x, q = points(made_up((4, 5)), 50)
    program = jax.jit(lambda densities, x, q: pdf.xf(densities, x, q, (21, 1)))
    for densities in (first, second):
        expected = xf(densities, x, q, (21, 1))
        np.testing.assert_allclose(program(densities, x, q), expected, rtol=1e-12)
    assert program._cache_size() == 1
    constants = jax.make_jaxpr(program)(first, x, q).consts
    assert sum(np.size(constant) for constant in constants) < 100
