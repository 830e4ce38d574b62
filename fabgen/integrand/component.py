"""The parts of an integrand: one distinct |M|^2 each, with all subprocesses that it serves."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from fabgen.amplitude.matrix_element import MatrixElement
from fabgen.arrays import Masses
from fabgen.beams import Beams, Collision, Scales, exchanged
from fabgen.integrand.near_shell import NONE_NEAR, NearShell
from fabgen.integrand.prior import Prior
from fabgen.integrand.small_widths import NONE_SMALL, SmallWidths
from fabgen.model import ZERO
from fabgen.phasespace.channels import Channel
from fabgen.phasespace.cuts import Bound, Cuts
from fabgen.phasespace.kinematics import invariant_mass


@dataclasses.dataclass(frozen=True)
class ResonanceWindow:
    """A condition on the mass of some final particles: within `widths` of a resonance, or not."""

    legs: tuple[int, ...]
    mass: str
    width: str
    widths: float
    inside: bool

    def bound(self, values: Mapping[str, float], n_initial: int) -> Bound:
        """A window that keeps the mass inside, as a cut on final legs counted from 0."""
        mass, reach = values[self.mass], self.widths * values[self.width]
        legs = tuple(leg - n_initial for leg in self.legs)
        return Bound("bw_cutoff", "mass", legs, max(mass - reach, 0.0), mass + reach)

    def passes(
        self, momenta: Float[Array, "n_external 4 events"], derived: Mapping[str, Any]
    ) -> Bool[Array, " events"]:
        """momenta (n_external, 4, events) -> bool (events,)."""
        total = momenta[np.array(self.legs)].sum(axis=0)
        distance = jnp.abs(invariant_mass(total) - derived[self.mass])
        near: Bool[Array, " events"] = distance < self.widths * derived[self.width]
        return near if self.inside else ~near


class ServedSubprocess(NamedTuple):
    """A subprocess that a component's |M|^2 is the |M|^2 of.

    number: among all subprocesses. flavours: PDG ids of what comes in, in the order of the beams.
    exchanged: the first leg of the |M|^2 is the second beam; final legs are the same.
    """

    number: int
    flavours: tuple[int, ...]
    exchanged: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Component:
    """One |M|^2 in cuts, and the channels that map its phase space.

    f = |M(Phi)|^2 [L_ab theta(B Phi) + L_ba theta(B R Phi)]: L_ab the summed luminosities of the
    subprocesses in the order of the legs of |M|^2, L_ba of those with exchanged beams, theta the
    cuts in the lab, B the boost to it, and R the rotation by pi about the x axis. The momenta Phi,
    cuts and windows have the order of the legs of |M|^2, whose first one runs along +z.

    masses: names of the masses of the external particles. diagrams: the channel of each closing of
    the graph of |M|^2, if that keeps single diagrams apart. widths: those that stand for smaller
    ones. prior: how the channels share phase space before training. least_energy, most_energy:
    sqrt(s) in GeV below and above which f is zero. rapidity: |y| in the lab of all final particles
    together at most. qcd_order: the power of the strong coupling in all amplitudes, None if that
    differs. near_shell: the resonances that events may be written with.
    """

    element: MatrixElement
    masses: tuple[str, ...]
    cuts: Cuts
    windows: tuple[ResonanceWindow, ...]
    subprocesses: tuple[ServedSubprocess, ...]
    channels: tuple[Channel, ...]
    prior: Prior | None = None
    diagrams: tuple[int, ...] | None = None
    widths: SmallWidths = NONE_SMALL
    least_energy: float = 0.0
    most_energy: float = math.inf
    rapidity: float = math.inf
    qcd_order: int | None = None
    near_shell: NearShell = NONE_NEAR

    @property
    def n_initial(self) -> int:
        return self.element.graph.n_initial

    @property
    def resonances(self) -> tuple[tuple[str, str], ...]:
        """Names of masses and widths, the same for all channels."""
        return self.channels[0].resonances

    @property
    def orders(self) -> tuple[bool, ...]:
        """Whether beams are exchanged, of its subprocesses: (False,), (True,) or (False, True)."""
        return tuple(sorted({sub.exchanged for sub in self.subprocesses}))

    def served(self, exchanged: bool) -> tuple[ServedSubprocess, ...]:
        """The subprocesses of one order of the beams."""
        return tuple(sub for sub in self.subprocesses if sub.exchanged == exchanged)

    @functools.cached_property
    def flavours(self) -> dict[bool, dict[tuple[int, ...], int]]:
        """How many subprocesses have which incoming flavours, for each order of the beams."""
        found: dict[bool, dict[tuple[int, ...], int]] = {order: {} for order in self.orders}
        for sub in self.subprocesses:
            counts = found[sub.exchanged]
            counts[sub.flavours] = counts.get(sub.flavours, 0) + 1
        return found

    # -- kinematics -----------------------------------------------------------------------------

    def own_view(self, collision: Collision) -> Collision:
        """A collision as |M|^2 sees it: turned if all its subprocesses have exchanged beams."""
        return exchanged(collision) if self.orders == (True,) else collision

    def boost(self, collision: Collision, order: bool) -> Float[Array, " #events"]:
        """The rapidity in the lab of the momenta Phi, or of R Phi, as far as |y| can tell.

        collision: as |M|^2 sees it. order: whether the beams of the subprocess are exchanged.
        """
        return collision.rapidity if order == self.orders[0] else -collision.rapidity

    def beam_masses(self, derived: Mapping[str, Any]) -> tuple[Float[Array, ""], ...]:
        """Masses of the incoming particles in the order of the beams, GeV."""
        masses = tuple(value_of(derived, name) for name in self.masses[: self.n_initial])
        return masses[::-1] if self.orders == (True,) else masses

    def final_masses(self, derived: Mapping[str, Any]) -> Masses:
        """(n_final,) GeV."""
        return values_of(derived, self.masses[self.n_initial :])


AlphaS = Callable[[Float[Array, " events"]], Float[Array, " events"]]
"""alpha_s (events,) at renormalization scales (events,) in GeV."""
Derive = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""All parameters of the model, with some external ones replaced."""


class BoundComponents(NamedTuple):
    """All components with what their events depend on besides momenta.

    derived: all parameters of the model as the card, or the caller, has them. With alpha_s,
    `derive` makes those of an event from its alpha_s.
    """

    components: tuple[Component, ...]
    beams: Beams
    scales: Scales
    derived: Mapping[str, Any]
    derive: Derive
    alpha_s: AlphaS | None = None

    def first_channel(self, component: Component) -> int:
        """The number of the first channel of one of them."""
        (number,) = (k for k, known in enumerate(self.components) if known is component)
        return first_channels(self.components)[number]


def first_channels(components: Sequence[Component]) -> tuple[int, ...]:
    """The number of the first channel of each component."""
    counts = [len(component.channels) for component in components]
    return tuple(int(n) for n in np.cumsum([0, *counts[:-1]]))


def values_of(derived: Mapping[str, Any], names: Sequence[str]) -> Float[Array, " {len(names)}"]:
    """Real parameters by their names, (n,)."""
    return jnp.stack([value_of(derived, name) for name in names]) if names else jnp.zeros(0)


def value_of(derived: Mapping[str, Any], name: str) -> Float[Array, ""]:
    """A real parameter by its name, ZERO included."""
    return jnp.zeros(()) if name == ZERO else jnp.asarray(derived[name], dtype=float)
