"""Coupling orders that bound a whole decay chain: `e+ e- > t t~, t > w+ b @1 QED=3`.

As in MadGraph they hold for every link, and for the sum over all links. Links are drawn apart from
each other, so the bound of the sum has to be shared out among them. That is exact as long as every
choice of orders of the links, each within its share, respects the sum; other bounds are refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from fabgen.errors import InputError
from fabgen.model import ORDERS, Model
from fabgen.process.counting import coupling_orders
from fabgen.process.syntax import Core, DecayTree, Order

#: The position of a link in its decay chain: the slots that lead to it.
Path = tuple[int, ...]


def links(tree: DecayTree, path: Path = ()) -> Iterator[tuple[Path, Core]]:
    """All links of a chain by their position; the core process is at ()."""
    yield path, tree.core
    for slot, decay in enumerate(tree.decays):
        if decay is not None:
            yield from links(decay, (*path, slot))


def bound_chain(model: Model, tree: DecayTree, bounds: Sequence[Order]) -> DecayTree | None:
    """The tree with orders of its links such that their sums are at most the bounds.

    None if no diagrams are left. Raises InputError for bounds that cannot be shared out.
    """
    cores = {path: _bounded(core, {o.name: o.value for o in bounds}) for path, core in links(tree)}
    found = {path: coupling_orders(model, core) for path, core in cores.items()}
    for bound in [*bounds, *bounds]:  # what one bound has removed may matter for the others
        if not all(found.values()):
            return None
        place = ORDERS.index(bound.name)
        lowest = {path: min(o[place] for o in orders) for path, orders in found.items()}
        spare = bound.value - sum(lowest.values())
        found = {
            path: frozenset(o for o in orders if o[place] <= lowest[path] + spare)
            for path, orders in found.items()
        }
    if not all(found.values()):
        return None
    for bound in bounds:
        place = ORDERS.index(bound.name)
        shares = {path: max(o[place] for o in orders) for path, orders in found.items()}
        if sum(shares.values()) > bound.value:
            raise InputError(
                "A bound on the orders of a chain can be shared out among its links in several "
                "ways.",
                found=f"{bound} for {tree}",
                allowed=f"{bound.name}<=... behind every link, in the place of that behind '@'",
            )
        cores = {path: _bounded(core, {bound.name: shares[path]}) for path, core in cores.items()}
    return _rebuilt(tree, cores)


def _bounded(core: Core, bounds: dict[str, int]) -> Core:
    """The link with each of the orders at most its bound, and what it says itself."""
    orders = {order.name: order for order in core.orders}
    for name, value in bounds.items():
        own = orders.get(name)
        if own is None or (own.operator == "<=" and own.value > value):
            orders[name] = Order(name, "<=", value)
    return dataclasses.replace(core, orders=tuple(orders.values()))


def _rebuilt(tree: DecayTree, cores: dict[Path, Core], path: Path = ()) -> DecayTree:
    decays = tuple(
        None if decay is None else _rebuilt(decay, cores, (*path, slot))
        for slot, decay in enumerate(tree.decays)
    )
    return DecayTree(cores[path], decays)
