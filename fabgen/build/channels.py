"""The channels of a component: which diagrams its maps follow, and what they depend on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from fabgen.build.dropped import without
from fabgen.card import PhaseSpace
from fabgen.integrand.prior import Denominator, denominators
from fabgen.model import Model
from fabgen.phasespace.channels import Channel, find_channels
from fabgen.phasespace.cuts import Cuts
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.single import Single
from fabgen.phasespace.topology import MapContext, channel_map, most_resonant
from fabgen.process import resonances
from fabgen.process.graph import Graph, build_graph
from fabgen.process.subprocesses import Diagrams, Subprocess
from fabgen.process.syntax import DecayTree


class ComponentChannels(NamedTuple):
    """The channels of a component and the diagrams that they refer to by position."""

    channels: tuple[Channel, ...]
    diagrams: tuple[resonances.Diagram, ...]

    def propagators(self, model: Model, n: int) -> tuple[tuple[Denominator, ...], ...]:
        """Those of each channel, of n external legs."""
        firsts = (self.diagrams[channel.diagrams[0]] for channel in self.channels)
        return tuple(denominators(model, diagram, n) for diagram in firsts)


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Subprocesses with the same |M|^2 in the same cuts, before their component is built.

    diagrams: of the |M|^2, the number-th distinct one; its legs have the order of `tree`.
    subprocesses: with their numbers among all.
    """

    diagrams: Diagrams
    number: int
    cuts: Cuts
    subprocesses: tuple[Subprocess, ...]
    numbers: tuple[int, ...]

    @property
    def tree(self) -> DecayTree:
        return self.diagrams.tree

    @property
    def external(self) -> tuple[str, ...]:
        return (*self.tree.initial, *self.tree.final)

    def drawn(
        self, model: Model, graph: Graph | None = None, *, once: bool
    ) -> tuple[resonances.Diagram, ...]:
        """The diagrams, each topology once, or one for each closing of the graph."""
        if graph is None:
            graph = build_graph(model, self.tree, self.diagrams.qed, merge=False)
        find = resonances.diagrams if once else resonances.diagrams_of_closings
        return tuple(find(model, graph, self.tree))

    def least_energy(self, values: Mapping[str, float], model: Model) -> float:
        """sqrt(s) in GeV below which masses and cuts leave nothing."""
        masses = [values[model.particle(name).mass] for name in self.tree.final]
        return self.cuts.minimum_sqrt_s(masses)

    def most_energy(self, values: Mapping[str, float], model: Model) -> float:
        """sqrt(s) in GeV above which cuts leave nothing, inf without such cuts."""
        masses = [values[model.particle(name).mass] for name in self.tree.final]
        return self.cuts.maximum_sqrt_s(masses)

    @property
    def largest_rapidity(self) -> float:
        """Of all final particles together |y| in the lab is no larger: it lies between theirs."""
        return max(self.cuts.maximum_rapidity(leg) for leg in range(len(self.tree.final)))


def map_context(
    model: Model,
    values: Mapping[str, float],
    sqrt_s: float,
    group: Group,
    options: PhaseSpace,
    is_variable: bool = False,
) -> MapContext:
    """The data of the maps of a component. values: masses and widths by name; sqrt_s: GeV, the
    largest one if the energy is_variable."""
    cuts, n_initial = group.cuts, len(group.tree.initial)
    final = [values[model.particle(name).mass] for name in group.tree.final]
    trees = [sub.tree for sub in group.subprocesses]
    return MapContext(
        model=model,
        values=values,
        sqrt_s=sqrt_s,
        n_initial=n_initial,
        # Particles of different mothers are not identical: cuts may tell them apart.
        final=tuple(zip(*map(resonances.lineages, trees), strict=True)),
        minimum_mass=lambda legs: cuts.minimum_invariant_mass(legs, final),
        maximum_mass=cuts.maximum_invariant_mass,
        minimum_pt=lambda leg: cuts.minimum_pt(leg, final[leg]),
        maximum_rapidity=cuts.maximum_rapidity,
        bw_cutoff=options.bw_cutoff,
        nu=options.nu,
        is_variable=is_variable,
        is_decayed=len(group.tree.core.final) == 1 and group.tree.decays[0] is not None,
    )


def channels_of(
    context: MapContext, group: Group, use: str, dropped: frozenset[str] = frozenset()
) -> ComponentChannels:
    """use: "rambo", "one" (the channel of the most resonant diagram) or "all" diagrams.

    dropped: particles; diagrams with a propagator of one have no part in it. Raises InputError
    where no other is left.
    """
    if context.n_final == 1:
        return ComponentChannels((Channel(Single(), (), (), ()),), ())
    if use == "rambo":
        return ComponentChannels((Channel(Rambo(context.n_final), (), (), ()),), ())
    drawn = without(group.drawn(context.model, once=True), dropped, group.tree)
    if use == "all":
        return ComponentChannels(find_channels(context, drawn), drawn)
    chosen = most_resonant(context, drawn)
    one = channel_map(context, chosen)
    channel = Channel(one.mapping, one.resonances, (), (drawn.index(chosen),))
    return ComponentChannels((channel,), drawn)
