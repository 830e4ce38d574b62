"""Which diagrams of a link are wanted: coupling orders, excluded and required propagators."""

from __future__ import annotations

import dataclasses

from fabgen.model import ORDERS, Model
from fabgen.process.syntax import Core


@dataclasses.dataclass(frozen=True)
class Restrictions:
    """The restrictions of one link in the form that the construction of currents asks for.

    maximum: the largest value of every coupling order, None if free; exact: the value that a
    diagram must have, None if free. excluded: particles and antiparticles that are not propagators
    anywhere. excluded_s_channel: no s-channel propagators, as they decay (`$$ t` keeps t~, as in
    MadGraph). required: s-channel propagators, numbered as bits; alternatives: sets of bits of
    which one must be met.
    """

    maximum: tuple[int | None, ...]
    exact: tuple[int | None, ...]
    excluded: frozenset[str]
    excluded_s_channel: frozenset[str]
    required: tuple[str, ...]
    alternatives: tuple[int, ...]

    @classmethod
    def of(cls, model: Model, core: Core, qed: int | None = None) -> Restrictions:
        """qed: the QED order to keep if the link names no orders itself."""
        maximum: list[int | None] = [None] * len(ORDERS)
        exact: list[int | None] = [None] * len(ORDERS)
        for order in core.orders:
            position = ORDERS.index(order.name)
            bound = maximum[position]
            maximum[position] = order.value if bound is None else min(bound, order.value)
            if order.operator == "==":
                exact[position] = order.value
        if not core.orders and qed is not None:
            position = ORDERS.index("QED")
            maximum[position] = exact[position] = qed
        names = tuple(sorted({name for group in core.required_s_channel for name in group}))
        return cls(
            maximum=tuple(maximum),
            exact=tuple(exact),
            excluded=_with_antiparticles(model, core.exclude),
            excluded_s_channel=frozenset(core.exclude_s_channel),
            required=names,
            alternatives=tuple(
                sum(1 << names.index(name) for name in set(group))
                for group in core.required_s_channel
            ),
        )

    def allows(self, orders: tuple[int, ...]) -> bool:
        """Whether a part of a diagram may have these coupling orders."""
        return all(m is None or o <= m for o, m in zip(orders, self.maximum, strict=True))

    def accepts(self, orders: tuple[int, ...], met: int) -> bool:
        """Whether a whole diagram is wanted; met: the required propagators that it has."""
        if not self.allows(orders):
            return False
        if any(e is not None and o != e for o, e in zip(orders, self.exact, strict=True)):
            return False
        return not self.alternatives or any(bits & met == bits for bits in self.alternatives)

    def passes(self, particle: str, antiparticle: str, side: str) -> int | None:
        """None if this propagator is not wanted, else the bits of the required ones that it meets.

        particle: what flows out of the legs on one side, all taken as incoming; side: "initial" or
        "final" if all legs of that kind are there (s-channel), "t" otherwise.
        """
        if particle in self.excluded:
            return None
        if side == "t":
            return 0
        # Out of final legs taken as incoming flows the antiparticle of what decays into them.
        decaying = antiparticle if side == "final" else particle
        if decaying in self.excluded_s_channel:
            return None
        return sum(1 << bit for bit, name in enumerate(self.required) if decaying == name)


def _with_antiparticles(model: Model, names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(n for name in names for n in (name, model.particle(name).antiname))
