"""The numbers that the maps of all components need, as arrays: one program maps for them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from fabgen.arrays import PerEvent
from fabgen.beams import Beams, Collision, Limits
from fabgen.integrand.component import Component, values_of
from fabgen.model import ZERO
from fabgen.phasespace.mapping import Kinematics


class ComponentNumbers(NamedTuple):
    """Of all components (the first axis), or of one. GeV.

    incoming: masses of the incoming legs of |M|^2; final: of the others. resonances, widths,
    exchanged: of the propagators that maps know by number, filled up with zeros. turned: whether
    |M|^2 has the beams in the other order; both: whether some of its subprocesses have one order
    and some the other. least_energy: see `Component`.
    """

    incoming: Float[Array, "*components n_initial"]
    final: Float[Array, "*components n_final"]
    resonances: Float[Array, "*components n_resonances"]
    widths: Float[Array, "*components n_resonances"]
    exchanged: Float[Array, "*components n_exchanged"]
    turned: Bool[Array, "*components"]
    both: Bool[Array, "*components"]
    least_energy: Float[Array, "*components"]

    @classmethod
    def of(cls, components: Sequence[Component], derived: Mapping[str, Any]) -> ComponentNumbers:
        """Those of the components at one set of the model's parameters."""
        used = [component.widths.used(derived) for component in components]

        def stacked(names: Callable[[Component], Sequence[str]]) -> Float[Array, "components n"]:
            rows = [values_of(v, names(c)) for c, v in zip(components, used, strict=True)]
            longest = max(len(row) for row in rows)
            return jnp.stack([jnp.pad(row, (0, longest - len(row))) for row in rows])

        return cls(
            stacked(lambda c: c.masses[: c.n_initial]),
            stacked(lambda c: c.masses[c.n_initial :]),
            stacked(lambda c: [mass for mass, _ in c.resonances]),
            stacked(lambda c: [width for _, width in c.resonances]),
            stacked(lambda c: c.channels[0].exchanged),
            jnp.array([c.orders == (True,) for c in components]),
            jnp.array([len(c.orders) == 2 for c in components]),
            jnp.array([c.least_energy for c in components]),
        )

    def row(self, number: Int[Array, ""] | int) -> ComponentNumbers:
        """Those of one component."""
        found: ComponentNumbers = jax.tree.map(lambda array: array[number], self)
        return found

    @property
    def beam_masses(self) -> Float[Array, " n_initial"]:
        """Of one component: masses in the order of the beams, (n_initial,)."""
        return jnp.where(self.turned, self.incoming[::-1], self.incoming)

    @property
    def limits(self) -> Limits:
        """Of one component: what the beams need to know of it."""
        return Limits(self.least_energy)

    def collide(
        self, beams: Beams, u: Float[Array, "{beams.dim} events"]
    ) -> tuple[Collision, PerEvent]:
        """Of one component: collisions at u (beams.dim, events), log of their Jacobian."""
        return beams.collide(u, tuple(self.beam_masses), self.limits)

    def kinematics(self, collision: Collision, massive_beams: bool) -> Kinematics:
        """Of one component, what its maps need; collision: in the order of the beams."""
        boost = _of_all(collision.rapidity)
        boost = jnp.where(self.turned, -boost, boost)
        size = jnp.abs(boost)
        return Kinematics(
            _of_all(collision.sqrt_s),
            self.final,
            self.resonances,
            self.widths,
            self.exchanged,
            self.incoming if massive_beams else np.zeros(0),
            (jnp.where(self.both, -size, boost), jnp.where(self.both, size, boost)),
        )


def own_kinematics(
    component: Component, collision: Collision, derived: Mapping[str, Any]
) -> Kinematics:
    """The Kinematics of the maps of one component. collision: in the order of the beams."""
    numbers = ComponentNumbers.of([component], derived).row(0)
    return numbers.kinematics(collision, has_massive_beams(component))


def has_massive_beams(component: Component) -> bool:
    """Whether scatterings start from two beams of which one has a mass."""
    n_initial = component.n_initial
    return n_initial == 2 and any(mass != ZERO for mass in component.masses[:n_initial])


def _of_all(values: Float[Array, " #events"]) -> PerEvent:
    """(events,), or one number that holds for all of them."""
    return values[0] if values.shape[-1] == 1 else values
