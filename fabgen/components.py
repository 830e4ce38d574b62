"""The parts of an integrand: subprocesses that share a map, and the conditions on their momenta."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.amplitude.matrix_element import MatrixElement
from fabgen.beams import Collision
from fabgen.model import ZERO
from fabgen.phasespace.cuts import Cuts
from fabgen.phasespace.kinematics import invariant_mass
from fabgen.phasespace.mapping import Kinematics
from fabgen.phasespace.mapping import Mapping as PhaseSpaceMap


@dataclasses.dataclass(frozen=True)
class Window:
    """A condition on the mass of some final particles: within `widths` of a resonance, or not."""

    legs: tuple[int, ...]
    mass: str
    width: str
    widths: float
    inside: bool

    def passes(self, momenta: Array, derived: Mapping[str, Array]) -> Array:
        """momenta (n_external, 4, events) -> bool (events,)."""
        total = momenta[np.array(self.legs)].sum(axis=0)
        distance = jnp.abs(invariant_mass(total) - derived[self.mass])
        near = distance < self.widths * derived[self.width]
        return near if self.inside else ~near


@dataclasses.dataclass(frozen=True, eq=False)
class Term:
    """Subprocesses with the same value everywhere: one matrix element, the same conditions.

    legs: of the matrix element, as numbers of the legs of the subprocesses.
    """

    element: MatrixElement
    legs: tuple[int, ...]
    cuts: Cuts
    windows: tuple[Window, ...]
    subprocesses: tuple[int, ...]

    def value(self, momenta: Array, lab: Array, derived: Mapping[str, Array]) -> Array:
        """|M|^2 in cuts times the number of subprocesses; momenta, lab (n_external, 4, events)."""
        n_initial = self.element.graph.n_initial
        ok = self.cuts.passes(lab[n_initial:])
        for window in self.windows:
            ok &= window.passes(momenta, derived)
        squared = self.element.evaluate(momenta[np.array(self.legs)], derived)
        return jnp.where(ok, len(self.subprocesses) * squared, 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Component:
    """All terms whose external particles have the same masses, on one map of phase space.

    masses: names of the masses of the external particles. resonances: names of (mass, width).
    """

    mapping: PhaseSpaceMap
    masses: tuple[str, ...]
    resonances: tuple[tuple[str, str], ...]
    terms: tuple[Term, ...]

    def kinematics(
        self, collision: Collision, derived: Mapping[str, Array], n_initial: int
    ) -> Kinematics:
        def stack(names: Sequence[str]) -> Array:
            return jnp.stack([value_of(derived, n) for n in names]) if names else jnp.zeros(0)

        return Kinematics(
            collision.sqrt_s,
            stack(list(self.masses[n_initial:])),
            stack([mass for mass, _ in self.resonances]),
            stack([width for _, width in self.resonances]),
        )


def value_of(derived: Mapping[str, Array], name: str) -> Array:
    """A real parameter by its name, ZERO included."""
    return jnp.zeros(()) if name == ZERO else jnp.asarray(derived[name], dtype=float)
