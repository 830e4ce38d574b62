"""The cuts of a card for the final particles of one process."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from fabgen.arrays import Masses, Number
from fabgen.card.cuts import CUT_DECAYS, CUT_OPTIONS
from fabgen.errors import InputError

from .bounds import Bound, Cone, CutLeg
from .energy import maximum_sqrt_s, minimum_sqrt_s
from .event import QUANTITIES, Event
from .implied import ImpliedBounds
from .table import EXCLUDING, PDG_KEYS, Classes, Row, isolated, rows, rows_of_pdg

#: The quantities that have to be more than their minimum; others may equal it.
_STRICT = ("energy",)


@dataclass(frozen=True)
class Cuts(ImpliedBounds):
    """All cuts of a card for one list of final particles. Static and hashable."""

    cut_decays: bool = False

    @classmethod
    def from_card(cls, cuts: Mapping[str, Any], legs: Sequence[CutLeg]) -> Cuts:
        """The cuts that apply to these legs.

        cuts: the card's table, only the keys it writes: numbers, switches, and tables of numbers by
        PDG number. Raises InputError for unknown keys and values that cannot be bounds.
        """
        legs = tuple(legs)
        bounds = dict(cuts)
        options = {name: bounds.pop(name, known.default) for name, known in CUT_OPTIONS.items()}
        classes = Classes(legs, bool(options[CUT_DECAYS]))
        by_pdg = {key: bounds.pop(key, {}) for key in PDG_KEYS}
        values = {key: _checked(key, value) for key, value in bounds.items()}
        found: list[Bound] = []
        if values.get("ptgmin", 0.0) > 0.0:
            values.pop("pta", None)
            values.pop("draj", None)
            found += _isolation(classes, options)
        for row in rows(classes):
            found += _bounds(row, values.pop(row.low, 0.0), values.pop(row.high, math.inf))
        if values:
            raise InputError("unknown cut", key=f"cuts.{next(iter(values))}")
        found += _of_pdg(classes, by_pdg, bool(options["mxx_only_part_antipart"]))
        return cls(legs, tuple(found), classes.cut_decays)

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
            result &= _holds(bound, QUANTITIES[bound.quantity](event, bound))
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
            total += _missed(bound, QUANTITIES[bound.quantity](event, bound))
        return total

    def minimum_sqrt_s(self, masses: Sequence[float]) -> float:
        """Lower bound on the energy of all legs in their rest frame, GeV. masses: GeV."""
        return minimum_sqrt_s(self, masses)

    def maximum_sqrt_s(self, masses: Sequence[float]) -> float:
        """Upper bound on the energy of all legs in their rest frame, GeV; inf without one."""
        return maximum_sqrt_s(self, masses)


def _holds(bound: Bound, value: Float[Array, " events"]) -> Bool[Array, " events"]:
    """Whether values of the quantity are within a bound, (events,)."""
    above = value > bound.minimum if bound.quantity in _STRICT else value >= bound.minimum
    below = value <= bound.maximum
    if bound.excludes:
        return above | below
    if bound.minimum <= 0.0:
        return below
    return above & below if bound.maximum < math.inf else above


def _missed(bound: Bound, value: Float[Array, " events"]) -> Float[Array, " events"]:
    """By how much values of the quantity miss a bound, in its units, (events,)."""
    too_low = too_high = jnp.zeros_like(value)
    if bound.minimum > 0.0:
        too_low = jnp.maximum(1.0 - value / bound.minimum, 0.0)
    if bound.maximum < math.inf:
        too_high = jnp.maximum(value - bound.maximum, 0.0) / (bound.maximum or 1.0)
    return jnp.minimum(too_low, too_high) if bound.excludes else too_low + too_high


def _bounds(row: Row, minimum: float, maximum: float) -> Iterator[Bound]:
    """A cut for each group of legs; none without a bound."""
    if minimum > maximum and row.low not in EXCLUDING:
        raise InputError(
            "a minimum is not below its maximum",
            key=f"cuts.{row.low}",
            found=f"{row.low} = {minimum:g}, {row.high} = {maximum:g}",
            allowed=f"{row.low} < {row.high}",
        )
    if minimum > 0.0 or maximum < math.inf:
        for group in row.groups:
            yield Bound(row.low, row.quantity, group, minimum, maximum, row.rank)


def _of_pdg(
    classes: Classes, tables: Mapping[str, Mapping[str, Any]], opposite_only: bool
) -> Iterator[Bound]:
    """The cuts by PDG number; the keys of each table are PDG numbers."""
    values = {
        (key, int(pdg)): _checked(f"{key}.{pdg}", value)
        for key, table in tables.items()
        for pdg, value in table.items()
    }
    for pdg in sorted({pdg for _, pdg in values}):
        for row in rows_of_pdg(classes, pdg, opposite_only=opposite_only):
            minimum = values.get((row.low, pdg), 0.0)
            yield from _bounds(row, minimum, values.get((row.high, pdg), math.inf))


def _isolation(classes: Classes, options: Mapping[str, Any]) -> Iterator[Bound]:
    """The isolation of photons."""
    cone = Cone(options["r0gamma"], options["xn"], options["epsgamma"])
    for group in isolated(classes, from_leptons=bool(options["isoem"])):
        yield Bound("ptgmin", "crowding", group, maximum=1.0, cone=cone)


def _checked(key: str, value: Any) -> float:
    """The value as a number, if it can be a bound."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0.0:
        raise InputError(
            "wrong value of a cut", key=f"cuts.{key}", found=value, allowed="a number >= 0"
        )
    return float(value)
