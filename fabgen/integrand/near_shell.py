"""Resonances that an event is written with: those near their mass shell, of one diagram.

As in MadGraph (Template/LO/SubProcesses, myamp.f and addmothers.f) a time-like propagator of an
unstable particle is written where its mass is within bw_cutoff widths of that of the particle, but
not where the particle only radiates. MadGraph takes the diagram whose channel the event was drawn
from. Here no diagram is evaluated for itself, and sets of resonances stand for diagrams:

- Those that are near their mass shell and that a diagram has together make a set. A set that lies
  within another one is none: the Z of p p > e+ e- is written although there is a diagram with a
  photon.
- Of several sets one is drawn in proportion to the product of the squares of the propagators,
  M^4 / ((p^2 - M^2)^2 + M^2 Gamma^2) each, so that two resonances count for more than one.
- A colour flow that the resonance could not have had leaves it out.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from fabgen.integrand.choice import choose
from fabgen.phasespace.kinematics import mass_squared


class NearResonance(NamedTuple):
    """A particle by its PDG id and the names of its mass and width; legs: external ones below it.

    in_flows: for each colour flow whether its colour lines may be those of the particle.
    """

    pdg: int
    legs: tuple[int, ...]
    mass: str
    width: str
    in_flows: tuple[bool, ...]


@dataclasses.dataclass(frozen=True)
class NearShell:
    """The resonances that events of a component may be written with, beside decayed particles.

    cutoff: how far from its mass a resonance is written, in widths. sets: those that an event may
    have together, by their numbers; the first one is empty, and all subsets of a set are sets.
    """

    resonances: tuple[NearResonance, ...] = ()
    sets: tuple[tuple[int, ...], ...] = ((),)
    cutoff: float = 0.0

    def draw(
        self,
        momenta: Float[Array, "n_external 4 events"],
        flow: Int[Array, " events"],
        derived: Mapping[str, Any],
        random: Float[Array, " events"],
    ) -> Int[Array, " events"]:
        """The number of a set for each event (events,).

        momenta (n_external, 4, events) in any frame, GeV; flow, random (events,): colour flows, and
        uniform random numbers.
        """
        if not self.resonances:
            return jnp.zeros(flow.shape, int)
        near, log_propagator = self._propagators(momenta, flow, derived)
        members = jnp.asarray(self._members)
        is_open = members.astype(float) @ (~near).astype(float) == 0.0
        # The last row stands for no larger set.
        larger = jnp.concatenate([is_open, jnp.zeros((1, flow.shape[0]), bool)])
        largest = is_open
        for numbers in self._larger.T:
            largest &= ~larger[numbers]
        weight = jnp.exp(members.astype(float) @ jnp.where(near, log_propagator, 0.0))
        return choose(jnp.where(largest, weight, 0.0), random)

    def _propagators(
        self,
        momenta: Float[Array, "n_external 4 events"],
        flow: Int[Array, " events"],
        derived: Mapping[str, Any],
    ) -> tuple[
        Bool[Array, "{len(self.resonances)} events"], Float[Array, "{len(self.resonances)} events"]
    ]:
        """Whether each resonance may be written in an event, and the log of its propagator."""
        near, logs = [], []
        for resonance in self.resonances:
            square = mass_squared(momenta[np.array(resonance.legs)].sum(axis=0))
            mass, width = derived[resonance.mass], derived[resonance.width]
            distance = jnp.abs(jnp.sqrt(jnp.maximum(square, 0.0)) - mass)
            in_flow = jnp.asarray(np.array(resonance.in_flows))[flow]
            near.append((distance < self.cutoff * width) & in_flow)
            logs.append(-jnp.log(((square / mass**2) - 1.0) ** 2 + (width / mass) ** 2))
        return jnp.stack(near), jnp.stack(logs)

    @property
    def _members(self) -> np.ndarray:
        """Whether a set has a resonance, (sets, resonances)."""
        return np.array(
            [[number in numbers for number in range(len(self.resonances))] for numbers in self.sets]
        )

    @property
    def _larger(self) -> np.ndarray:
        """The numbers of the sets with one resonance more than each, (sets, most of them); filled
        up with the number of sets."""
        place = {frozenset(numbers): k for k, numbers in enumerate(self.sets)}
        rows = [
            [
                place[more]
                for extra in range(len(self.resonances))
                if (more := frozenset({*numbers, extra})) in place and extra not in numbers
            ]
            for numbers in self.sets
        ]
        return np.array(list(itertools.zip_longest(*rows, fillvalue=len(self.sets)))).T


#: No resonances at all.
NONE_NEAR = NearShell()
