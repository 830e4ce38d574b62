"""alpha_s at the renormalization scale of an event: two loops, or the table of a set."""

from __future__ import annotations

import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from fabgen.arrays import Table, array_module
from fabgen.beams.pdf.grid import slopes
from fabgen.beams.pdf.hermite import place, value_weights
from fabgen.beams.pdf.info import SetInfo
from fabgen.errors import InputError
from fabgen.numerics import safe_log

#: Masses of c and b in MadGraph's running, GeV.
THRESHOLDS = (1.42, 4.7)
#: Newton's steps to the last digit, from a start that is off by a third at most.
_N_STEPS = 4
#: Two loops say nothing about a larger alpha_s; without an end it would be infinite at Lambda, and
#: so would be the AQCDUP of events whose scale is the small pT of a lepton.
LARGEST = 1.0


@dataclasses.dataclass(frozen=True)
class TwoLoops:
    """da/d(ln mu^2) = -b0 a^2 - b1 a^3 from alpha_s(mz) = alpha_mz, without any expansion.

    b0 = (33 - 2 n_f)/(12 pi), b1 = (153 - 19 n_f)/(24 pi^2); n_f = 3 below the first of the
    thresholds (GeV), 4 up to the second, 5 above. The top quark is never light.

    With c = b1/b0 and y = 1/(c a), y - ln(1 + y) = (b0/c) ln(mu^2/Lambda^2). Lambda is that of each
    number of flavours: alpha_s is continuous at thresholds. It stays at `LARGEST` once it is there.
    """

    alpha_mz: float
    mz: float = 91.188
    thresholds: tuple[float, float] = THRESHOLDS

    def __call__(self, scale: Float[Array | np.ndarray, " events"]) -> Float[Array, " events"]:
        """alpha_s (events,) at scales (events,) in GeV."""
        below = [jnp.asarray(scale) < threshold for threshold in self.thresholds]
        number = 2 - sum(mask.astype(int) for mask in below)
        b0, c, ln_lambda2 = (jnp.asarray(column)[number] for column in self._regions)
        k = b0 / c * (2.0 * safe_log(scale) - ln_lambda2)
        is_above = k > 0.0
        y = _inverse(jnp.where(is_above, k, 1.0))
        return jnp.minimum(jnp.where(is_above, 1.0 / (c * y), LARGEST), LARGEST)

    def describe(self) -> str:
        charm, bottom = self.thresholds
        return (
            f"two loops from alpha_s({self.mz:.10g} GeV) = {self.alpha_mz:.10g}, five flavours "
            f"above {bottom:.10g} GeV and four above {charm:.10g} GeV"
        )

    @functools.cached_property
    def _regions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """b0, c and ln(Lambda^2/GeV^2) for three, four and five flavours."""
        charm, bottom = (2.0 * math.log(threshold) for threshold in self.thresholds)
        b0, c = np.array([_coefficients(n) for n in (3, 4, 5)]).T
        ln_lambda2 = np.zeros(3)
        ln_mu2, a = 2.0 * math.log(self.mz), self.alpha_mz
        home = int(ln_mu2 >= charm) + int(ln_mu2 >= bottom)
        ln_lambda2[home] = _ln_lambda2(b0[home], c[home], ln_mu2, a)
        for n in range(home, 2):
            ln_mu2 = (charm, bottom)[n]
            a = _at(b0[n], c[n], ln_lambda2[n], ln_mu2)
            ln_lambda2[n + 1] = _ln_lambda2(b0[n + 1], c[n + 1], ln_mu2, a)
        for n in range(home, 0, -1):
            ln_mu2 = (charm, bottom)[n - 1]
            a = _at(b0[n], c[n], ln_lambda2[n], ln_mu2)
            ln_lambda2[n - 1] = _ln_lambda2(b0[n - 1], c[n - 1], ln_mu2, a)
        return b0, c, ln_lambda2


def _coefficients(n_f: int) -> tuple[float, float]:
    """b0 and b1/b0 of n_f light flavours."""
    b0 = (33.0 - 2.0 * n_f) / (12.0 * math.pi)
    return b0, (153.0 - 19.0 * n_f) / (24.0 * math.pi**2) / b0


def _ln_lambda2(b0: float, c: float, ln_mu2: float, a: float) -> float:
    """ln Lambda^2 of alpha_s = a at mu."""
    y = 1.0 / (c * a)
    return ln_mu2 - c / b0 * (y - math.log1p(y))


def _at(b0: float, c: float, ln_lambda2: float, ln_mu2: float) -> float:
    (y,) = _inverse(np.array([b0 / c * (ln_mu2 - ln_lambda2)]))
    return float(1.0 / (c * y))


def _inverse(k: Float[Table, " n"]) -> Float[Table, " n"]:
    """y > 0 with y - ln(1 + y) = k > 0; NumPy or JAX, as k is.

    1 + y = -W_{-1}(-exp(-1 - k)) lies below 1 + sqrt(2 k) + k, by no more than k/3
    (Chatzigeorgiou, arXiv:1601.04895). The function is convex: Newton's steps lead down to it.
    """
    where = array_module([k])
    y: Table = where.sqrt(2.0 * k) + k
    for _ in range(_N_STEPS):
        y = y - (y - where.log1p(y) - k) * (1.0 + y) / y
    return y


@dataclasses.dataclass(frozen=True)
class AlphaSTable:
    """alpha_s as LHAPDF interpolates the table of a set (its type "ipol").

    q: knots in GeV; where one is there twice, at a threshold, subgrids meet. Cubic Hermite in
    ln Q^2, slopes one-sided at the ends of subgrids; constant above the table, below it a power of
    Q^2 through the two lowest knots. mz: where `describe` tells the value, GeV.
    """

    q: tuple[float, ...]
    values: tuple[float, ...]
    mz: float = 91.1876

    def __call__(self, scale: Float[Array | np.ndarray, " events"]) -> Float[Array, " events"]:
        """alpha_s (events,) at scales (events,) in GeV."""
        knots = np.array(self.q)
        q = jnp.asarray(scale)
        inside = jnp.clip(q, knots[0], knots[-1])
        at = place(inside, knots, 2.0)
        columns = jnp.asarray(self._columns)
        (low, low_slope), (high, high_slope) = value_weights(at, jnp.zeros(q.shape, dtype=bool))
        below, above = columns[:, at.knot], columns[:, at.knot + 1]
        found = low * below[0] + low_slope * below[1] + high * above[0] + high_slope * above[1]
        is_below = q < knots[0]
        ratio = jnp.where(is_below, q / knots[0], 1.0)
        return jnp.where(is_below, self.values[0] * ratio ** (2.0 * self._power), found)

    def describe(self) -> str:
        at_mz = float(self(np.array([self.mz]))[0])
        return f"the table of the set, alpha_s({self.mz:.10g} GeV) = {at_mz:.6g}"

    @functools.cached_property
    def _columns(self) -> np.ndarray:
        """(2, knots): values and slopes in ln Q^2."""
        knots, values = np.array(self.q), np.array(self.values)
        starts = [0, *(np.flatnonzero(np.diff(knots) == 0.0) + 1), len(knots)]
        return np.stack([values, slopes(values, 2.0 * np.log(knots), np.diff(starts).tolist())])

    @functools.cached_property
    def _power(self) -> float:
        """d ln(alpha_s)/d ln(Q^2) below the table."""
        first, value = self.q[0], self.values[0]
        other, at_other = next(
            (q, a) for q, a in zip(self.q, self.values, strict=True) if q > first
        )
        return math.log(at_other / value) / (2.0 * math.log(other / first))


def alpha_s_of(info: SetInfo) -> TwoLoops | AlphaSTable:
    """The running that goes with a set: its table, or two loops from its alpha_s(MZ) if it has
    none. Raises InputError for a set that tells neither."""
    if info.alpha_s_q:
        return AlphaSTable(info.alpha_s_q, info.alpha_s_values, info.mz)
    if info.alpha_s_mz is None:
        raise InputError(
            "the set of densities does not tell alpha_s",
            file=info.file,
            key="AlphaS_Qs, AlphaS_Vals",
            found="neither these nor AlphaS_MZ",
            allowed="a table, or alpha_s(MZ)",
        )
    return TwoLoops(info.alpha_s_mz, info.mz, info.thresholds or THRESHOLDS)
