"""From a process line to its subprocesses: multiparticles replaced, decays assigned.

Decays are assigned as MadGraph does (`combine_decay_chain_processes`), with one extension:

- The k-th of n given decays belongs to the k-th decaying particle if there are as many of both and
  each can be decayed by its counterpart.
- Otherwise, for each kind of particle: as many decays as particles of the kind are assigned in
  order; any other number of decays is a choice that every particle of the kind has, so that one
  decay applies to all of them and `z > e+ e-, z > mu+ mu-` behind a single z adds up both.
- Extension: a decay whose parent is not a final particle of the core belongs to the one decay
  given before it that produces the parent: `t > w+ b, w+ > l+ vl` behind `p p > t t~` means
  `(t > w+ b, w+ > l+ vl)`. (MadGraph discards it, with a warning that asks for parentheses.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, product
from math import prod

from fabgen.errors import InputError
from fabgen.process.multiparticles import ParticleNames, unknown_name
from fabgen.process.syntax import Core, Decay, DecayTree, Order, ProcessLine

#: Choices of particles that a link may ask for in its s-channel.
MAX_ALTERNATIVES = 1000

Predicate = Callable[[tuple[str, ...], tuple[str, ...]], bool]
_Choice = tuple[tuple[str, ...], tuple[DecayTree | None, ...]]


def expand(
    line: ProcessLine,
    model: ParticleNames,
    multiparticles: Mapping[str, tuple[str, ...]],
    *,
    orders: Sequence[str] | None = None,
    possible: Predicate | None = None,
) -> tuple[DecayTree, ...]:
    """All subprocesses of a process line, in the order of the members of its multiparticles.

    Those that differ by a permutation of final (particle, decay) pairs only count once, the first
    one is kept; a permutation of the two incoming particles is a subprocess of its own.

    multiparticles: lower-case name -> canonical members (`multiparticles()`). orders: the model's
    coupling orders, to which names of orders are matched case-insensitively; None keeps them as
    typed. possible(initial, final): False drops a link that cannot exist (charge, ...), with what
    contains it, before decays are multiplied out; subprocesses without diagrams are dropped later,
    by their diagrams. Raises InputError for unknown names and orders, and for decays of particles
    that nothing, or more than one thing, produces.
    """
    node = resolve(line, model, multiparticles, orders=orders)
    return tuple(_Expander(model, multiparticles, orders, possible).trees(node))


def resolve(
    line: ProcessLine,
    model: ParticleNames,
    multiparticles: Mapping[str, tuple[str, ...]],
    *,
    orders: Sequence[str] | None = None,
) -> Node:
    """The chain of a line with its names replaced, nothing multiplied out. Raises as `expand`."""
    expander = _Expander(model, multiparticles, orders, None)
    return _attach(expander.resolved(Decay(line.core, line.decays)))


@dataclass(frozen=True)
class Node:
    """One link with every name replaced by the particles that it stands for.

    core: initial and final as typed, for messages; the restrictions as canonical names.
    """

    core: Core
    initial: tuple[tuple[str, ...], ...]
    final: tuple[tuple[str, ...], ...]
    decays: tuple[Node, ...]

    @property
    def parents(self) -> tuple[str, ...]:
        return self.initial[0]

    def produces(self, node: Node) -> bool:
        return any(not set(node.parents).isdisjoint(slot) for slot in self.final)


@dataclass(frozen=True)
class _Expander:
    model: ParticleNames
    multiparticles: Mapping[str, tuple[str, ...]]
    orders: Sequence[str] | None
    possible: Predicate | None

    def members(self, names: tuple[str, ...], core: Core) -> tuple[tuple[str, ...], ...]:
        """The particles that each of the names stands for; core: where they stand."""
        return tuple(self._members(name, core) for name in names)

    def _members(self, name: str, core: Core) -> tuple[str, ...]:
        if (particle := self.model.resolve(name)) is not None:
            return (particle,)
        if name in self.multiparticles:
            return self.multiparticles[name]
        raise unknown_name(name, self.model, self.multiparticles, found=f"'{name}' in '{core}'")

    def flat(self, names: tuple[str, ...], core: Core) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain.from_iterable(self.members(names, core))))

    def order(self, order: Order) -> Order:
        return order if self.orders is None else resolved_order(order, self.orders)

    def resolved(self, decay: Decay) -> Node:
        core = decay.core
        # A multiparticle in the s-channel is one alternative per member.
        groups = [self.members(group, core) for group in core.required_s_channel]
        alternatives = sum(prod(map(len, group)) for group in groups)
        if alternatives > MAX_ALTERNATIVES:
            raise InputError(
                "The s-channel has too many alternatives.",
                found=f"{alternatives:,} in '{core}'",
                allowed=f"at most {MAX_ALTERNATIVES:,}",
            )
        required = (choice for group in groups for choice in product(*group))
        canonical = replace(
            core,
            required_s_channel=tuple(dict.fromkeys(required)),
            exclude=self.flat(core.exclude, core),
            exclude_s_channel=self.flat(core.exclude_s_channel, core),
            veto_on_shell=self.flat(core.veto_on_shell, core),
            orders=tuple(self.order(order) for order in core.orders),
        )
        return Node(
            canonical,
            self.members(core.initial, core),
            self.members(core.final, core),
            tuple(self.resolved(inner) for inner in decay.decays),
        )

    def trees(self, node: Node, parent: str | None = None) -> Iterator[DecayTree]:
        """Every concrete choice; parent: the particle that decays, None for the core process."""
        choices = self.choices(node)
        for initial in product(*node.initial) if parent is None else [(parent,)]:
            for final, decays in choices:
                if self.possible is None or self.possible(initial, final):
                    yield DecayTree(replace(node.core, initial=initial, final=final), decays)

    def choices(self, node: Node) -> list[_Choice]:
        """Final particles with their decays, permutations of (particle, decay) pairs once."""

        @cache
        def decayed(decay: Node, particle: str) -> tuple[DecayTree, ...]:
            return tuple(self.trees(decay, particle))

        distinct: dict[tuple, _Choice] = {}
        for final in product(*node.final):
            options: list[Sequence[DecayTree | None]] = [
                [tree for decay in assigned for tree in decayed(decay, particle)]
                if assigned
                else [None]
                for particle, assigned in zip(final, _assign(final, node.decays), strict=True)
            ]
            for decays in product(*options):
                pairs = zip(final, decays, strict=True)
                key = tuple(sorted((p, () if d is None else d.key()) for p, d in pairs))
                distinct.setdefault(key, (final, decays))
        return list(distinct.values())


def resolved_order(order: Order, names: Sequence[str]) -> Order:
    """The order with its name as the model writes it. Raises InputError for an unknown one."""
    for name in names:
        if name.upper() == order.name.upper():
            return replace(order, name=name)
    raise InputError(
        f"The model has no coupling order {order.name}.",
        found=str(order),
        allowed=" ".join(names),
    )


def _assign(final: tuple[str, ...], decays: tuple[Node, ...]) -> list[tuple[Node, ...]]:
    """The decays that each final particle may take; the rules stand at the top of the module."""
    suitable = [tuple(d for d in decays if particle in d.parents) for particle in final]
    decaying = [i for i, options in enumerate(suitable) if options]
    if len(decaying) == len(decays) and all(
        decay in suitable[i] for i, decay in zip(decaying, decays, strict=True)
    ):
        for i, decay in zip(decaying, decays, strict=True):
            suitable[i] = (decay,)
        return suitable
    for particle in dict.fromkeys(final[i] for i in decaying):
        slots = [i for i in decaying if final[i] == particle]
        options = suitable[slots[0]]
        if len(options) == len(slots):
            for i, decay in zip(slots, options, strict=True):
                suitable[i] = (decay,)
    return suitable


def _attach(node: Node) -> Node:
    """The same chain with every decay below the link that produces its parent."""
    placed: list[Node] = []
    for decay in map(_attach, node.decays):
        if node.produces(decay):
            placed.append(decay)
            continue
        producers = [link for earlier in placed for link in _producers(earlier, decay)]
        if len(producers) != 1:
            raise _homeless(decay, node, placed, producers)
        placed = [_graft(earlier, decay) for earlier in placed]
    return replace(node, decays=tuple(placed))


def _producers(node: Node, decay: Node) -> list[Node]:
    here = [node] if node.produces(decay) else []
    return here + [link for inner in node.decays for link in _producers(inner, decay)]


def _graft(node: Node, decay: Node) -> Node:
    """`decay` put below the only link of the chain that produces its parent."""
    decays = tuple(_graft(inner, decay) for inner in node.decays)
    return replace(node, decays=(*decays, decay) if node.produces(decay) else decays)


def _homeless(decay: Node, node: Node, placed: list[Node], producers: list[Node]) -> InputError:
    parent = decay.core.initial[0]
    if producers:
        several = " and ".join(f"'{link.core}'" for link in producers)
        return InputError(
            f"It is not clear which {parent} decays: {several} produce one.",
            found=str(decay.core),
            allowed=f"parentheses, as in '({producers[0].core}, {decay.core})'",
        )
    links = [node, *placed]
    produced = dict.fromkeys(name for link in links for name in link.core.final)
    return InputError(
        f"The decaying particle {parent} is not produced.",
        found=str(decay.core),
        allowed=f"decays of {', '.join(produced)}",
        hint="a decay stands behind what produces its parent",
    )
