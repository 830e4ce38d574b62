"""The parts of an integrand: subprocesses that share a map, and the conditions on their momenta."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.amplitude.matrix_element import MatrixElement
from fabgen.beams import Collision, decay_at_rest, fixed_beams
from fabgen.integrand.prior import Prior, log_densities, log_propagators
from fabgen.integrand.small_widths import NONE_SMALL, SmallWidths
from fabgen.model import ZERO
from fabgen.numerics import log_weights, safe_log
from fabgen.phasespace.channels import Channel
from fabgen.phasespace.cuts import Bound, Cuts
from fabgen.phasespace.kinematics import invariant_mass
from fabgen.phasespace.mapping import Kinematics
from fabgen.phasespace.mapping import Mapping as PhaseSpaceMap


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

    def passes(self, momenta: Array, derived: Mapping[str, Array]) -> Array:
        """momenta (n_external, 4, events) -> bool (events,)."""
        total = momenta[np.array(self.legs)].sum(axis=0)
        distance = jnp.abs(invariant_mass(total) - derived[self.mass])
        near = distance < self.widths * derived[self.width]
        return near if self.inside else ~near


class Frame(NamedTuple):
    """What cuts need besides the momenta in the rest frame of the beams.

    masses (n_final,): of the final particles, GeV. rapidity: of the rest frame in the lab.
    """

    masses: Array
    rapidity: Array


@dataclasses.dataclass(frozen=True, eq=False)
class Term:
    """Subprocesses with the same value everywhere: one matrix element, the same conditions.

    legs: of the matrix element, as numbers of the legs of the subprocesses. diagrams: the channel
    of each closing of the graph of the matrix element, if that keeps single diagrams apart. widths:
    those that stand for smaller ones; the factor for it is that of the collision.
    """

    element: MatrixElement
    legs: tuple[int, ...]
    cuts: Cuts
    windows: tuple[ResonanceWindow, ...]
    subprocesses: tuple[int, ...]
    diagrams: tuple[int, ...] | None = None
    widths: SmallWidths = NONE_SMALL

    def value(self, momenta: Array, frame: Frame, derived: Mapping[str, Array]) -> Array:
        """|M|^2 in cuts times the number of subprocesses.

        momenta (n_external, 4, events): in the rest frame of the beams, GeV.
        """
        derived = self.widths.used(derived)
        squared = self.element.evaluate(momenta[np.array(self.legs)], derived)
        return self._in_cuts(squared, momenta, frame, derived)

    def values(
        self, momenta: Array, frame: Frame, derived: Mapping[str, Array], n_channels: int
    ) -> tuple[Array, Array]:
        """The same, and |M_i|^2 of the diagrams of each channel (n_channels, events), uncut."""
        assert self.diagrams is not None
        n = len(self.subprocesses)
        groups = np.eye(n_channels)[:, list(self.diagrams)]
        derived = self.widths.used(derived)
        squared, single = self.element.evaluate_diagrams(
            momenta[np.array(self.legs)], derived, groups
        )
        return self._in_cuts(squared, momenta, frame, derived), n * single

    def _in_cuts(
        self, squared: Array, momenta: Array, frame: Frame, derived: Mapping[str, Array]
    ) -> Array:
        ok = self.cuts.passes(momenta[self.element.graph.n_initial :], *frame)
        for window in self.windows:
            ok &= window.passes(momenta, derived)
        ok |= jnp.isnan(momenta.sum(axis=(0, 1)))  # an error, to be counted
        return jnp.where(ok, len(self.subprocesses) * squared, 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Component:
    """All terms whose external particles have the same masses, on the same maps of phase space.

    channels: one, or several that share the phase space by their weights; prior: how they do before
    training. masses: names of the masses of the external particles.
    """

    channels: tuple[Channel, ...]
    masses: tuple[str, ...]
    terms: tuple[Term, ...]
    prior: Prior | None = None

    @property
    def mapping(self) -> PhaseSpaceMap:
        """The map of the first channel."""
        return self.channels[0].mapping

    @property
    def widths(self) -> SmallWidths:
        """Widths that stand for smaller ones, the same for all terms."""
        return self.terms[0].widths

    @property
    def resonances(self) -> tuple[tuple[str, str], ...]:
        """Names of masses and widths, the same for all channels."""
        return self.channels[0].resonances

    def collision(self, beam_energies: Sequence[float], derived: Mapping[str, Array]) -> Collision:
        """Two beams of these energies (GeV), or a decay at rest without any.

        Its factor is also that of the widths that stand for smaller ones.
        """
        masses = [value_of(derived, name) for name in self.masses]
        if beam_energies:
            first, second = beam_energies
            collision = fixed_beams((first, second), (masses[0], masses[1]))
        else:
            collision = decay_at_rest(masses[0])
        return collision._replace(factor=collision.factor * self.widths.factor(derived))

    def kinematics(
        self, collision: Collision, derived: Mapping[str, Array], n_initial: int
    ) -> Kinematics:
        stack = functools.partial(values_of, self.widths.used(derived))
        massive_beams = any(mass != ZERO for mass in self.masses[:n_initial])
        return Kinematics(
            collision.sqrt_s,
            stack(self.masses[n_initial:]),
            stack([mass for mass, _ in self.resonances]),
            stack([width for _, width in self.resonances]),
            stack(self.channels[0].exchanged),
            stack(self.masses[:2] if n_initial == 2 and massive_beams else []),
            collision.rapidity,
        )

    def frame(self, collision: Collision, derived: Mapping[str, Array], n_initial: int) -> Frame:
        """What cuts on the component's particles need."""
        return Frame(values_of(derived, self.masses[n_initial:]), collision.rapidity)

    def log_prior(
        self,
        momenta: Array,
        single: Array | None,
        kinematics: Kinematics,
        derived: Mapping[str, Array],
    ) -> Array:
        """log alpha (n_channels, events) at momenta (n_external, 4, events) in the rest frame.

        single: of Term.values, for the prior of diagrams.
        """
        n_initial = momenta.shape[0] - self.mapping.n_final
        kind = self.prior.kind if self.prior else "flat"
        if kind == "densities":
            weights = log_densities(self.channels, momenta[n_initial:], kinematics)
        elif kind == "propagators" and self.prior:
            weights = log_propagators(self.prior.groups, momenta, derived, kinematics.sqrt_s)
        elif kind == "diagrams":
            assert single is not None
            weights = safe_log(single)
        else:
            weights = jnp.zeros((len(self.channels), momenta.shape[-1]))
        # Where no channel has a weight, by rounding at the edge of all, they share alike.
        return log_weights(weights)


class Sampled(NamedTuple):
    """One component at some points: momenta (n_external, 4, events) in the rest frame and the lab,
    log(dPhi/du) (events,), values (terms, events) with the flux."""

    momenta: Array
    lab: Array
    log_jacobian: Array
    values: Array


def values_of(derived: Mapping[str, Array], names: Sequence[str]) -> Array:
    """Real parameters by their names, (n,)."""
    return jnp.stack([value_of(derived, name) for name in names]) if names else jnp.zeros(0)


def value_of(derived: Mapping[str, Array], name: str) -> Array:
    """A real parameter by its name, ZERO included."""
    return jnp.zeros(()) if name == ZERO else jnp.asarray(derived[name], dtype=float)
