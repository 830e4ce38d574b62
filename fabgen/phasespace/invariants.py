"""Blocks for time-like invariants: invertible maps of u in [0, 1] onto s in [s_min, s_max].

A block offers, elementwise over events and differentiable in every argument,

    forward(u, limits, mass, width) -> (x, ds/du)
    inverse(x, limits, mass, width) -> (u, ds/du)

with x = s - s_min and the limits in GeV^2, the propagator's mass and width in GeV (ignored where a
block has no use for them). The difference x keeps its digits where the range is short. The range
must not be empty; the density in s is du/ds = 1/(ds/du).
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from fabgen.arrays import Number, PerEvent

#: c and arctan(c) of the tails of a BreitWignerTail, below and above.
_Turns = tuple[tuple[PerEvent, PerEvent], tuple[PerEvent, PerEvent]]

#: nu of the distribution of s where beams of variable energy meet: densities of partons fall, and
#: |M|^2 and the flux make it steeper.
NU_OF_BEAMS = 2.0
#: Smallest variable where the Jacobian of a block diverges at u = 0.
_TINY = 1e-24


class Limits(NamedTuple):
    """Range of an invariant, GeV^2."""

    low: Number
    span: Number  #: from the lower to the upper end, > 0
    #: Both ends whatever the other invariants are (default: the same). Shapes are chosen from them:
    #: they are the same for all events, so that this costs nothing.
    overall: tuple[Number, Number] | None = None

    @property
    def ends(self) -> tuple[Number, Number]:
        """s_min and s_max."""
        return self.low, self.low + self.span


class Block(abc.ABC):
    """An invertible map of [0, 1] onto the range of an invariant."""

    @abc.abstractmethod
    def forward(
        self, u: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        """u -> x = s - s_min (GeV^2) and ds/du (GeV^2)."""

    @abc.abstractmethod
    def inverse(
        self, x: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        """x = s - s_min (GeV^2) -> u and ds/du (GeV^2)."""


@dataclass(frozen=True)
class Flat(Block):
    """Density (s - s_min)^(bodies - 2): for pseudo-particles, which no propagator stands for.

    It grows with s as the massless phase space of that many bodies does. For two: Linear.
    """

    bodies: Number = 2.0

    def forward(
        self, u: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        power = self.bodies - 1.0
        root = jnp.maximum(u, _TINY) ** (1.0 / power)
        return root * limits.span, limits.span / (power * root ** (power - 1))

    def inverse(
        self, x: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        power = self.bodies - 1.0
        root = jnp.maximum(x / limits.span, _TINY ** (1.0 / power))
        return root**power, limits.span / (power * root ** (power - 1))


@dataclass(frozen=True)
class Linear(Block):
    """Constant in s."""

    def forward(
        self, u: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        return u * limits.span, limits.span + 0.0 * u

    def inverse(
        self, x: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        u = x / limits.span
        return u, limits.span + 0.0 * u


@dataclass(frozen=True)
class Power(Block):
    """Density proportional to (s - m^2)^-nu, for a propagator without width (m = 0: massless).

    MadNIS-Lite, arXiv:2408.01486, equation 25. Where masses and cuts give no bound, s_min = m^2, s
    - m^2 is shifted by regulator x s_max: the density is then integrable for nu >= 1, and bounded.
    (The integrand has no pole at s = m^2 then either, or its integral would diverge.) The shift
    vanishes linearly until s_min - m^2 = 10^-8 s_max; above, the power law is exact.
    """

    nu: Number = 1.4
    regulator: float = 1e-4

    def forward(
        self, u: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        low = regulated(limits.low - mass * mass, limits.ends[1], self.regulator)
        return power_law(u, low, limits.span, self.nu)

    def inverse(
        self, x: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        low = regulated(limits.low - mass * mass, limits.ends[1], self.regulator)
        return undo_power_law(x, low, limits.span, self.nu)


def regulated(low: Number, high: Number, regulator: float = 1e-4) -> PerEvent:
    """The lower end of a power law whose upper end is `high`, shifted where it vanishes."""
    low = jnp.maximum(low, 0.0)
    unbounded = jnp.maximum(1.0 - low / (1e-8 * high), 0.0)
    return low + unbounded * regulator * high


def power_law(u: PerEvent, low: Number, span: Number, nu: Number) -> tuple[PerEvent, PerEvent]:
    """x in [0, span] with density (low + x)^-nu, to relative precision, and dx/du."""
    log_range = jnp.log1p(span / low)
    log_like, power = _powers(nu)
    reach = jnp.expm1(power * log_range)
    log_x = jnp.log1p(u * reach)
    grown = jnp.where(log_like, u * log_range, log_x / power)
    slope = jnp.where(log_like, log_range, reach / power)
    return low * jnp.expm1(grown), low * jnp.exp(grown - jnp.where(log_like, 0.0, log_x)) * slope


def undo_power_law(x: PerEvent, low: Number, span: Number, nu: Number) -> tuple[PerEvent, PerEvent]:
    """u and dx/du of power_law."""
    log_range = jnp.log1p(span / low)
    log_like, power = _powers(nu)
    grown = jnp.log1p(x / low)
    reach = jnp.expm1(power * log_range)
    u = jnp.where(log_like, grown / log_range, jnp.expm1(power * grown) / reach)
    slope = jnp.where(log_like, log_range, reach / power)
    return u, (low + x) * jnp.exp(jnp.where(log_like, 0.0, -power * grown)) * slope


def _powers(nu: Number) -> tuple[Array, Array]:
    """Whether nu = 1, where the integral is a logarithm, and 1 - nu, or any number there."""
    power = 1.0 - jnp.asarray(nu, dtype=float)
    log_like = power == 0.0
    return log_like, jnp.where(log_like, 1.0, power)


@dataclass(frozen=True)
class BreitWigner(Block):
    """Density proportional to 1/((s - M^2)^2 + M^2 Gamma^2): s = M^2 + M Gamma tan(theta)."""

    def forward(
        self, u: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        scale = mass * width
        low, high = (jnp.arctan((s - mass * mass) / scale) for s in limits.ends)
        tan = jnp.tan(low + u * (high - low))
        x = mass * mass - limits.low + scale * tan
        return x, scale * (1.0 + tan * tan) * (high - low)

    def inverse(
        self, x: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        scale = mass * width
        low, high = (jnp.arctan((s - mass * mass) / scale) for s in limits.ends)
        y = (limits.low + x - mass * mass) / scale
        return (jnp.arctan(y) - low) / (high - low), scale * (1.0 + y * y) * (high - low)


@dataclass(frozen=True)
class BreitWignerTail(Block):
    """A Breit-Wigner that turns into the power law 1/|y|, y = (s - M^2)/(M Gamma), far out.

    u is linear in v(y) = sign(y) times

        arctan |y|                                          for |y| <= c,
        arctan c + ln(1 + b (|y| - c))/(2 c)                beyond, with b = 2 c/(1 + c^2),

    so dv/dy = 1/((1 + c^2)(1 + b (|y| - c))) there: the density and its derivative are continuous,
    and the map is a closed formula both ways; nothing is solved numerically. c is chosen for
    either side such that the tail takes about the fraction `above` or `below` of the variable,
    whatever the range; less for very narrow resonances (Gamma/M < 1/150), whose tails hold less.
    Where a range ends before c there is no tail.

    The tail is for what phase space and numerators do to a resonance: t -> W b grows like s^2 off
    its mass shell, f -> f' f'' like s. Without it, 10 % of an uncut e+ e- -> W+ b W- b~ at 1 TeV
    hide in the last percent of the variables. Sampling efficiency of the untrained map there:
    0.65 (plain Breit-Wigner: 0.23; a sum of Breit-Wigner and 6 % of ds/s: 0.63; the limit that the
    decay angles set: 0.67).
    """

    above: Number = 0.08
    below: Number = 0.01

    def _ends(
        self, limits: Limits, mass: Number, width: Number
    ) -> tuple[_Turns, PerEvent, PerEvent]:
        """Where the tails set in (c and arctan c, below and above), and v at the limits."""
        y = [(s - mass * mass) / (mass * width) for s in limits.overall or limits.ends]
        angle = jnp.arctan2(y[1] - y[0], 1.0 + y[0] * y[1])
        share = jnp.minimum(150.0 * width / mass, 1.0) * angle
        turns = _turn(y[0], self.below * share), _turn(y[1], self.above * share)
        v_low, v_high = (
            _compress((s - mass * mass) / (mass * width), turns)[0] for s in limits.ends
        )
        return turns, v_low, v_high

    def forward(
        self, u: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        scale = mass * width
        turns, v_low, v_high = self._ends(limits, mass, width)
        v = v_low + u * (v_high - v_low)
        sign = jnp.where(v < 0.0, -1.0, 1.0)
        c, arctan_c = _on_side(v, turns)
        tan = jnp.tan(jnp.minimum(jnp.abs(v), arctan_c))
        grown = jnp.expm1(2.0 * c * jnp.maximum(jnp.abs(v) - arctan_c, 0.0))
        y = tan + grown * ((1.0 + c * c) / (2.0 * c))
        slope = (1.0 + tan * tan) * (1.0 + grown)
        x = mass * mass - limits.low + scale * sign * y
        return x, scale * slope * (v_high - v_low)

    def inverse(
        self, x: PerEvent, limits: Limits, mass: Number = 0.0, width: Number = 0.0
    ) -> tuple[PerEvent, PerEvent]:
        scale = mass * width
        turns, v_low, v_high = self._ends(limits, mass, width)
        v, slope = _compress((limits.low + x - mass * mass) / scale, turns)
        return (v - v_low) / (v_high - v_low), scale * slope * (v_high - v_low)


def _turn(y_end: Number, share: PerEvent) -> tuple[PerEvent, PerEvent]:
    """c with a tail from c to |y_end| that is about `share` long in v, and arctan(c).

    With z = 2 c share the condition is z (exp(z) + 1) = 4 share |y_end| for c >> 1; an elementary
    approximation of Lambert's function (Iacono and Boyd 2017) is more than good enough.
    """
    x = jnp.log1p(4.0 * share * jnp.maximum(jnp.abs(y_end), 1e-3))
    c = x * (1.0 - jnp.log1p(x) / (2.0 + x)) / (2.0 * share)
    return c, jnp.arctan(c)


def _on_side(y: Number, turns: _Turns) -> tuple[PerEvent, PerEvent]:
    """c and arctan(c) of the tail on the side of y (or v)."""
    (c_low, arctan_low), (c_high, arctan_high) = turns
    return jnp.where(y < 0.0, c_low, c_high), jnp.where(y < 0.0, arctan_low, arctan_high)


def _compress(y: Number, turns: _Turns) -> tuple[PerEvent, PerEvent]:
    """v(y) of BreitWignerTail and dy/dv."""
    c, arctan_c = _on_side(y, turns)
    size = jnp.abs(y)
    core = jnp.minimum(size, c)
    beyond = 2.0 * c * (size - core) / (1.0 + c * c)
    v = jnp.where(size < c, jnp.arctan(core), arctan_c) + jnp.log1p(beyond) / (2.0 * c)
    return jnp.where(y < 0.0, -v, v), (1.0 + core * core) * (1.0 + beyond)


#: Names of the blocks that a Shape has by number.
SHAPES = ("linear", "flat", "power", "breit-wigner", "breit-wigner-tail")


class Shape(NamedTuple):
    """A block and its numbers, by columns of a row: those that it has no use for do not matter."""

    number: Int[Array, ""]  #: of the block in SHAPES
    mass: Number  #: GeV
    width: Number  #: GeV
    power: Number
    bodies: Number
    tails: Float[Array, " 2"]  #: below and above

    @classmethod
    def power_law(cls, power: Number) -> Shape:
        """s^-power."""
        return cls(jnp.asarray(SHAPES.index("power")), 0.0, 0.0, power, 2.0, jnp.zeros(2))

    def forward(self, u: PerEvent, limits: Limits) -> tuple[PerEvent, PerEvent]:
        """u -> x = s - s_min (GeV^2) and ds/du (GeV^2)."""
        return self._chosen("forward", u, limits)

    def inverse(self, x: PerEvent, limits: Limits) -> tuple[PerEvent, PerEvent]:
        """x = s - s_min (GeV^2) -> u and ds/du (GeV^2)."""
        return self._chosen("inverse", x, limits)

    def _chosen(self, method: str, x: PerEvent, limits: Limits) -> tuple[PerEvent, PerEvent]:
        """One of them where a block of events has one shape, else all, and one selected: their
        derivatives must be numbers there, too."""
        resonant = self.width > 0.0
        mass, width = jnp.where(resonant, self.mass, 1.0), jnp.where(resonant, self.width, 1.0)
        blocks = (
            (Linear(), ()),
            (Flat(self.bodies), ()),
            (Power(self.power), ()),
            (BreitWigner(), (mass, width)),
            (BreitWignerTail(self.tails[1], self.tails[0]), (mass, width)),
        )

        def branch(
            block: Block, numbers: tuple[Number, ...]
        ) -> Callable[[PerEvent, Limits], tuple[PerEvent, PerEvent]]:
            def run(x: PerEvent, limits: Limits) -> tuple[PerEvent, PerEvent]:
                y, slope = getattr(block, method)(x, limits, *numbers)
                return jnp.broadcast_to(y, x.shape), jnp.broadcast_to(slope, x.shape)

            return run

        branches = [branch(block, numbers) for block, numbers in blocks]
        found: tuple[PerEvent, PerEvent] = jax.lax.switch(self.number, branches, x, limits)
        return found
