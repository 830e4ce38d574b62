"""alpha_s: two loops against the differential equation, the table against LHAPDF's rules."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from fabgen.beams.alpha_s import AlphaSTable, TwoLoops, alpha_s_of
from fabgen.beams.pdf import DEFAULT_SET, SetInfo, load_member
from fabgen.errors import InputError

LOOPS = TwoLoops(0.130)


def test_reference_values(root):
    known = json.loads((root / "tests/data/pdf_points.json").read_text())["alpha_s"]
    scales, expected = (np.array([row[name] for row in known]) for name in ("mu", "alpha_s"))
    np.testing.assert_allclose(LOOPS(scales), expected, rtol=1e-13)


@pytest.mark.parametrize("mz", [91.188, 3.0, 1.2])
def test_two_loops_solve_their_equation(mz):
    """Across both thresholds, from a reference above, between and below them."""
    start = float(LOOPS(np.array([mz]))[0])
    loops = TwoLoops(start, mz)

    def slope(t, a):
        n_f = 3 + (np.exp(0.5 * t) >= 1.42) + (np.exp(0.5 * t) >= 4.7)
        return -(33 - 2 * n_f) / (12 * np.pi) * a**2 - (153 - 19 * n_f) / (24 * np.pi**2) * a**3

    scales = np.array([1.0, 1.3, 1.42, 2.5, 4.7, 6.0, 91.188, 173.0, 1e4, 1e5])
    for part in (scales[scales >= mz], scales[scales <= mz][::-1]):
        t = 2.0 * np.log(part)
        solution = solve_ivp(
            slope, (2.0 * np.log(mz), t[-1]), [start], t_eval=t, rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(loops(part), solution.y[0], rtol=1e-6)


def test_two_loops_are_exact_at_every_scale():
    """1/a - c ln(1 + 1/(c a)) = b0 ln(mu^2/Lambda^2): the same Lambda from alpha_s = 1 on."""
    b0, c = 23 / (12 * np.pi), 58 / (24 * np.pi**2) / (23 / (12 * np.pi))

    def scaled(a):
        return 1.0 / a - c * np.log1p(1.0 / (c * a))

    ln_lambda2 = 2.0 * np.log(91.188) - scaled(0.130) / b0
    distance = np.geomspace(1.001 * scaled(1.0) / b0, 1e3, 60)
    lowest = np.exp(0.5 * ln_lambda2 + 0.4 * distance[0])
    loops = TwoLoops(0.130, thresholds=(0.999 * lowest, lowest))
    a = np.asarray(loops(np.exp(0.5 * (ln_lambda2 + distance))))
    np.testing.assert_allclose(scaled(a), b0 * distance, rtol=1e-12)


def test_two_loops_have_the_slope_of_their_equation():
    scales = np.array([1.2, 2.0, 50.0, 3000.0])
    n_f = np.array([3, 4, 5, 5])
    a = np.asarray(LOOPS(scales))
    slope = -(33 - 2 * n_f) / (12 * np.pi) * a**2 - (153 - 19 * n_f) / (24 * np.pi**2) * a**3
    gradient = jax.grad(lambda mu: jnp.sum(LOOPS(mu)))(jnp.asarray(scales))
    np.testing.assert_allclose(gradient * scales / 2.0, slope, rtol=1e-10)


def test_alpha_s_is_one_at_most():
    """Events at scales below Lambda have a number, too; alpha_s(0.88 GeV) is above one."""
    scales = jnp.array([0.0, 0.1, 0.6, 0.88, 0.92, 5.0])
    found = np.asarray(LOOPS(scales))
    assert np.all(found[:4] == 1.0)
    assert 0.9 < found[4] < 1.0
    gradient = jax.grad(lambda mu: jnp.sum(LOOPS(mu)))(scales)
    assert np.all(np.isfinite(gradient))


# -- tables --------------------------------------------------------------------------------------

Q = (1.2, 1.4, 2.0, 3.0, 4.5, 4.5, 10.0, 50.0, 91.1876, 1000.0)
VALUES = (0.41, 0.38, 0.31, 0.26, 0.23, 0.228, 0.18, 0.13, 0.118, 0.089)
TABLE = AlphaSTable(Q, VALUES)


def by_rules(q):
    """One point, the subgrids apart."""
    if q < Q[0]:
        power = np.log(VALUES[1] / VALUES[0]) / np.log(Q[1] / Q[0])
        return VALUES[0] * (q / Q[0]) ** power
    if q > Q[-1]:
        return VALUES[-1]
    own = slice(0, 5) if q < 4.5 else slice(5, 10)
    t, y, at = 2.0 * np.log(Q[own]), np.array(VALUES[own]), 2.0 * np.log(q)
    quotients = np.diff(y) / np.diff(t)
    slopes = np.concatenate([quotients[:1], 0.5 * (quotients[1:] + quotients[:-1]), quotients[-1:]])
    i = min(int(np.searchsorted(t, at + 1e-12)) - 1, len(t) - 2)
    width = t[i + 1] - t[i]
    s = (at - t[i]) / width
    return (
        (2 * s**3 - 3 * s**2 + 1) * y[i]
        + (s**3 - 2 * s**2 + s) * slopes[i] * width
        + (3 * s**2 - 2 * s**3) * y[i + 1]
        + (s**3 - s**2) * slopes[i + 1] * width
    )


def test_the_table_of_a_set():
    """At its knots, of which 4.5 belongs to the upper part, between, below and above them."""
    scales = np.array([*Q, *np.geomspace(0.5, 3000.0, 60)])
    np.testing.assert_allclose(TABLE(scales), [by_rules(q) for q in scales], rtol=1e-12)
    assert TABLE(np.array([4.5]))[0] == 0.228


def test_gradient_of_the_table():
    scales, h = np.array([0.7, 1.3, 4.4, 4.6, 500.0, 2000.0]), 1e-6
    gradient = jax.grad(lambda mu: jnp.sum(TABLE(mu)))(jnp.asarray(scales))
    quotient = (TABLE(scales + h) - TABLE(scales - h)) / (2 * h)
    np.testing.assert_allclose(gradient, quotient, rtol=1e-6, atol=1e-9)


# -- of sets -------------------------------------------------------------------------------------


def test_which_running_a_set_has():
    default = alpha_s_of(load_member(DEFAULT_SET).info)
    assert default == LOOPS
    assert default.describe() == (
        "two loops from alpha_s(91.188 GeV) = 0.13, five flavours above 4.7 GeV and four above "
        "1.42 GeV"
    )
    other = alpha_s_of(SetInfo("set", "file", alpha_s_mz=0.118, alpha_s_q=Q, alpha_s_values=VALUES))
    assert other == TABLE
    assert other.describe() == "the table of the set, alpha_s(91.1876 GeV) = 0.118"


def test_a_set_that_does_not_tell_alpha_s():
    with pytest.raises(InputError, match="does not tell alpha_s") as caught:
        alpha_s_of(SetInfo("set", "set.info"))
    assert caught.value.file == "set.info"
