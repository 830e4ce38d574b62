"""The cuts of a card for the final particles of one process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from fabgen.arrays import Masses, Number
from fabgen.errors import InputError

from .bounds import Bound, CutLeg
from .energy import maximum_sqrt_s, minimum_sqrt_s
from .event import QUANTITIES, Event
from .implied import ImpliedBounds
from .table import rows


@dataclass(frozen=True)
class Cuts(ImpliedBounds):
    """All cuts of a card for one list of final particles. Static and hashable."""

    cut_decays: bool = False

    @classmethod
    def from_card(cls, cuts: Mapping[str, float | int | bool], legs: Sequence[CutLeg]) -> Cuts:
        """The cuts that apply to these legs. cuts: the card's table, only the keys it writes."""
        legs = tuple(legs)
        cut_decays = bool(cuts.get("cut_decays", False))
        values = {key: _checked(key, value) for key, value in cuts.items() if key != "cut_decays"}
        classes: dict[str, list[int]] = {}
        for index, leg in enumerate(legs):
            if cut_decays or not leg.from_decay:
                classes.setdefault(leg.kind, []).append(index)
        bounds = []
        for low, high, quantity, groups, rank in rows(legs, classes):
            minimum, maximum = values.pop(low, 0.0), values.pop(high, math.inf)
            if minimum > 0.0 or maximum < math.inf:
                bounds += [Bound(low, quantity, g, minimum, maximum, rank) for g in groups]
        if values:
            raise InputError("unknown cut", key=f"cuts.{next(iter(values))}")
        return cls(legs, tuple(bounds), cut_decays)

    def passes(
        self,
        momenta: Float[Array, "n_final 4 events"],
        masses: Masses,
        boost: Number = 0.0,
    ) -> Bool[Array, " events"]:
        """Whether events pass, (events,) bool.

        momenta (n_final, 4, events), masses (n_final,): GeV. boost: rapidity along z in the lab of
        the frame of the momenta; cuts are on quantities of the lab. An event whose quantities are
        not numbers fails. No gradient flows through.
        """
        event = Event(*jax.lax.stop_gradient((momenta, masses, boost)))
        result = jnp.ones(momenta.shape[2:], dtype=bool)
        for bound in self.bounds:
            value = QUANTITIES[bound.quantity](event, bound)
            if bound.minimum > 0.0:
                result &= value >= bound.minimum
            if bound.maximum < math.inf:
                result &= value <= bound.maximum
        return result

    def excess(
        self,
        momenta: Float[Array, "n_final 4 events"],
        masses: Masses,
        boost: Number = 0.0,
    ) -> Float[Array, " events"]:
        """By how much events miss the cuts, (events,): in units of each bound, added up; 0 where
        they pass. Arguments as in `passes`."""
        event = Event(momenta, masses, boost)
        total = jnp.zeros(momenta.shape[2:])
        for bound in self.bounds:
            value = QUANTITIES[bound.quantity](event, bound)
            if bound.minimum > 0.0:
                total += jnp.maximum(1.0 - value / bound.minimum, 0.0)
            if bound.maximum < math.inf:
                total += jnp.maximum(value - bound.maximum, 0.0) / (bound.maximum or 1.0)
        return total

    def minimum_sqrt_s(self, masses: Sequence[float]) -> float:
        """Lower bound on the energy of all legs in their rest frame, GeV. masses: GeV."""
        return minimum_sqrt_s(self, masses)

    def maximum_sqrt_s(self, masses: Sequence[float]) -> float:
        """Upper bound on the energy of all legs in their rest frame, GeV; inf without one."""
        return maximum_sqrt_s(self, masses)


def _checked(key: str, value: float | int | bool) -> float:
    """The value as a number, if it can be a bound."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0.0:
        raise InputError(
            "wrong value of a cut", key=f"cuts.{key}", found=value, allowed="a number >= 0"
        )
    return float(value)
