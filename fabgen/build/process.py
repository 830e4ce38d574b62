"""From a card to its integrand; what the card asks for and cannot have is refused here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fabgen.amplitude.matrix_element import MatrixElement
from fabgen.build.checks import boost, cut_legs, name_of, numeric_parameters, total_energy
from fabgen.build.dalitz import build_dalitz
from fabgen.build.windows import mass_windows
from fabgen.card import Card
from fabgen.card.messages import with_source
from fabgen.card.schema import AMPLITUDE_MODELS
from fabgen.card.toys import is_toy
from fabgen.integrand.prior import Denominator, Prior, denominators
from fabgen.integrand.component import Component, Term
from fabgen.build.divergences import refuse_divergences
from fabgen.errors import InputError
from fabgen.build.initial_states import notes, refuse_protons
from fabgen.integrand.process import Integrand
from fabgen.integrand.base import AnyIntegrand
from fabgen.model import Model, load_model
from fabgen.build.narrow_widths import refuse_narrow
from fabgen.phasespace.channels import Channel, find_channels
from fabgen.phasespace.cuts import Cuts
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.topology import MapContext, channel_map, most_resonant
from fabgen.build.poles import Pole, find_poles
from fabgen.process import resonances
from fabgen.process.effort import Effort, unheard
from fabgen.process.colour_flows import colour_lines
from fabgen.process.graph import Graph, build_graph
from fabgen.process.parser import parse_process
from fabgen.process.subprocesses import Subprocess, find_subprocesses
from fabgen.process.syntax import process_numbers
from fabgen.process.event_topology import EventTopology, Resonance
from fabgen.build.small_widths import SmallWidths, small_widths, width_notes
from fabgen.build.toys import build_toy


def build_integrand(card: Card, note: Callable[[str], None] = unheard) -> AnyIntegrand:
    """The integrand of a card. Raises InputError where the card asks for something impossible.

    note: is told of work that takes longer than ten seconds.
    """
    toy = is_toy(card.process)
    if card.model not in AMPLITUDE_MODELS and not toy:
        return build_process(card, note)
    try:
        return build_toy(card) if toy else build_dalitz(card)
    except InputError as error:
        raise with_source(error, card) from None


def build_process(card: Card, note: Callable[[str], None] = unheard) -> Integrand:
    """The integrand of a process of Feynman diagrams. Raises InputError."""
    try:
        return _Builder(card, note).integrand()
    except InputError as error:
        raise with_source(error, card) from None


class ComponentChannels(NamedTuple):
    """The channels of a component and the diagrams that they refer to by position."""

    channels: tuple[Channel, ...]
    diagrams: tuple[resonances.Diagram, ...]

    def propagators(self, model: Model, n: int) -> tuple[tuple[Denominator, ...], ...]:
        """Those of each channel, of n external legs."""
        firsts = (self.diagrams[channel.diagrams[0]] for channel in self.channels)
        return tuple(denominators(model, diagram, n) for diagram in firsts)


class _Group(NamedTuple):
    """Subprocesses with the same value everywhere, before their matrix element is built.

    diagrams: number of the Diagrams; legs: of these, as legs of the subprocesses.
    """

    cuts: Cuts
    diagrams: int
    legs: tuple[int, ...]
    numbers: tuple[int, ...]


def build_channels(card: Card) -> tuple[Integrand, tuple[ComponentChannels, ...]]:
    """The integrand of a process, and the channels of each of its components: the one that the card
    asks for, or those of all diagrams. Raises InputError."""
    try:
        builder = _Builder(card)
        integrand = builder.integrand()
        found = builder.one_channel if card.channels.use == "one" else builder.channels
        return integrand, tuple(found(*grouped) for grouped in builder.groups)
    except InputError as error:
        raise with_source(error, card) from None


class _Builder:
    def __init__(self, card: Card, note: Callable[[str], None] = unheard):
        self.card = card
        self.model = load_model(card.model)
        refuse_protons(card, self.model)
        self.external = self.model.parameters(card.parameters)
        self.values = numeric_parameters(self.model, self.external)
        self.subprocesses, self.diagrams = find_subprocesses(
            self.model,
            card.process,
            card.multiparticles,
            Effort(card.limits.setup_minutes, note=note),
        )
        self.elements: dict[int, MatrixElement] = {}
        #: For each component the masses of its external particles and what it is made of.
        self.groups: list[tuple[tuple[str, ...], list[_Group]]] = []

    def integrand(self) -> Integrand:
        first = self.subprocesses[0]
        n_initial = len(first.tree.initial)
        for sub in self.subprocesses:
            if len(sub.tree.initial) != n_initial or len(sub.external) != len(first.external):
                raise InputError(
                    "all processes of a card have the same numbers of particles",
                    key="process",
                    found=f"{name_of(first.tree)!r} and {name_of(sub.tree)!r}",
                )
            if n_initial == 1 and sub.tree.initial != first.tree.initial:
                raise InputError(
                    "the widths of different particles do not add up to anything",
                    key="process",
                    found=f"{name_of(first.tree)!r} and {name_of(sub.tree)!r}",
                    allowed="decays of one particle",
                )
        if n_initial == 2 and len(first.tree.final) == 1:
            raise InputError(
                "two beams of fixed energy cannot produce a single particle on its mass shell",
                key="process",
                found=name_of(first.tree),
                allowed="two or more final particles",
            )
        components = self._components()
        processes = process_numbers([parse_process(line) for line in self.card.process])
        topologies = tuple(self._topology(sub, processes[sub.line]) for sub in self.subprocesses)
        return Integrand(
            model=self.model,
            external=self.external,
            components=components,
            topologies=topologies,
            beam_particles=tuple(self.model.particle(n).pdg for n in first.tree.initial),
            beam_energies=tuple(self.card.beams.energy) if n_initial == 2 else (),
            renormalization_scale=float(self.card.scales.renormalization),
            factorization_scale=float(self.card.scales.factorization),
            single=self._single or sum(len(c.channels) for c in components) == 1,
            notes=(
                *notes(self.model, topologies),
                *width_notes(self.model, [c.widths for c in components], self.values),
            ),
            unmapped_widths=self._unmapped_widths(),
        )

    @property
    def _single(self) -> bool:
        """Whether one channel is built: "auto" is all in a run only (fabgen.card.with_channels)."""
        return self.card.phase_space.mapping == "rambo" or self.card.channels.use != "all"

    def _components(self) -> tuple[Component, ...]:
        """Subprocesses by the masses of their particles and their decays, then by equal values."""
        groups: dict[Any, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, sub in enumerate(self.subprocesses):
            masses = tuple(self.model.particle(name).mass for name in sub.external)
            chain = tuple(
                (self.model.particle(p.particle).mass, p.legs)
                for p in resonances.decayed_particles(sub.tree)
            )
            # Cuts that differ by flavours that they do not look at are the same.
            conditions = (self._cuts(sub).bounds, sub.diagrams, sub.legs)
            groups[masses, chain][conditions].append(number)
        self.groups = [
            (
                masses,
                [
                    _Group(self._cuts(self.subprocesses[same[0]]), diagrams, legs, tuple(same))
                    for (_, diagrams, legs), same in grouped.items()
                ],
            )
            for (masses, _), grouped in groups.items()
        ]
        return tuple(self._component(masses, groups) for masses, groups in self.groups)

    def _component(self, masses: tuple[str, ...], groups: Sequence[_Group]) -> Component:
        found = self._maps(masses, groups)
        several, options = len(found.channels) > 1, self.card.channels
        prior, apart = None, several and options.prior == "diagrams"
        if several:
            prior = Prior(options.prior, found.propagators(self.model, len(masses)))
        poles = [self._poles(group) for group in groups]
        sqrt_s = self._sqrt_s(self.subprocesses[groups[0].numbers[0]])
        widths = small_widths(self.card.phase_space, poles, self.values, sqrt_s)
        terms = tuple(
            self._term(group, found, apart, own, widths)
            for group, own in zip(groups, poles, strict=True)
        )
        return Component(found.channels, masses, terms, prior)

    def _unmapped_widths(self) -> tuple[str, ...]:
        if self.card.phase_space.mapping != "rambo":
            return ()
        poles = (
            pole for _, groups in self.groups for group in groups for pole in self._poles(group)
        )
        inside = (p.width for p in poles if p.depth > 0.0 and not (p.vetoed or p.fixed))
        return tuple(dict.fromkeys(inside))

    def _poles(self, group: _Group) -> tuple[Pole, ...]:
        sub, diagrams = self.subprocesses[group.numbers[0]], self.diagrams[group.diagrams]
        sqrt_s, options = self._sqrt_s(sub), self.card.phase_space
        return find_poles(self.model, diagrams, group.cuts, self.values, sqrt_s, options)

    def _term(
        self,
        group: _Group,
        found: ComponentChannels,
        apart: bool,
        poles: tuple[Pole, ...],
        widths: SmallWidths,
    ) -> Term:
        """apart: keep single diagrams apart, for channel weights that follow them."""
        sub, diagrams = self.subprocesses[group.numbers[0]], self.diagrams[group.diagrams]
        options = self.card.phase_space
        windows = mass_windows(self.model, self.values, options.bw_cutoff, sub, diagrams)
        sqrt_s, used = self._sqrt_s(sub), widths.used(self.values)
        refuse_divergences(
            *(self.model, diagrams.graph, sub, group.cuts, used, sqrt_s),
            boost=boost(self.card, self.model, self.values, sub.tree),
            windows=[w.bound(used, len(sub.tree.initial)) for w in windows if w.inside],
        )
        refuse_narrow(poles, widths, self.values, sqrt_s, options, sub.tree.final)
        element = self._element(group.diagrams, apart)
        owners: tuple[int, ...] | None = None
        if apart:
            place = {d: i for i, channel in enumerate(found.channels) for d in channel.diagrams}
            drawn = self._drawn(group, element.graph, once=False)
            owners = tuple(place[found.diagrams.index(diagram)] for diagram in drawn)
        return Term(element, group.legs, group.cuts, windows, group.numbers, owners, widths)

    def _maps(self, masses: Sequence[str], groups: Sequence[_Group]) -> ComponentChannels:
        """The channels that the card asks for."""
        n_final = len(self.subprocesses[0].tree.final)
        options = self.card.phase_space
        if options.mapping == "rambo":
            return ComponentChannels((Channel(Rambo(n_final), (), (), ()),), ())
        if self.card.channels.use == "all":
            return self.channels(masses, groups)
        return self.one_channel(masses, groups)

    def one_channel(self, masses: Sequence[str], groups: Sequence[_Group]) -> ComponentChannels:
        """The channel of the most resonant diagram of a component."""
        setting = self._setting(masses, groups)
        drawn = self._drawn(groups[0], once=True)
        chosen = most_resonant(setting, drawn)
        one = channel_map(setting, chosen)
        channel = Channel(one.mapping, one.resonances, (), (drawn.index(chosen),))
        return ComponentChannels((channel,), drawn)

    def channels(self, masses: Sequence[str], groups: Sequence[_Group]) -> ComponentChannels:
        """The channels of all diagrams of a component."""
        drawn = dict.fromkeys(d for group in groups for d in self._drawn(group, once=True))
        setting = self._setting(masses, groups)
        return ComponentChannels(find_channels(setting, tuple(drawn)), tuple(drawn))

    def _drawn(
        self, group: _Group, graph: Graph | None = None, *, once: bool
    ) -> tuple[resonances.Diagram, ...]:
        """The diagrams of a group with its beams in place: each topology once, or one a closing."""
        diagrams = self.diagrams[group.diagrams]
        tree = diagrams.tree
        if graph is None:
            graph = build_graph(self.model, tree, diagrams.qed, merge=False)
        find = resonances.diagrams if once else resonances.diagrams_of_closings
        found = tuple(find(self.model, graph, tree))
        if group.legs[:2] != (1, 0):
            return found
        n = len(graph.external)
        return tuple(resonances.with_beams_swapped(self.model, d, n) for d in found)

    def _setting(self, masses: Sequence[str], groups: Sequence[_Group]) -> MapContext:
        """What maps depend on; bounds are those that hold for all groups, which have own cuts."""
        subs = [self.subprocesses[number] for group in groups for number in group.numbers]
        n_initial = len(subs[0].tree.initial)
        sqrt_s = self._sqrt_s(subs[0])
        final = [self.values[mass] for mass in masses[n_initial:]]
        cuts = [group.cuts for group in groups]
        return MapContext(
            model=self.model,
            values=self.values,
            sqrt_s=sqrt_s,
            n_initial=n_initial,
            # Particles of different mothers are not identical: cuts may tell them apart.
            final=tuple(zip(*(resonances.lineages(sub.tree) for sub in subs), strict=True)),
            minimum_mass=lambda legs: min(c.minimum_invariant_mass(legs, final) for c in cuts),
            maximum_mass=lambda legs: max(c.maximum_invariant_mass(legs) for c in cuts),
            minimum_pt=lambda leg: min(c.minimum_pt(leg, final[leg]) for c in cuts),
            maximum_rapidity=lambda leg: max(c.maximum_rapidity(leg) for c in cuts),
            bw_cutoff=self.card.phase_space.bw_cutoff,
            nu=self.card.phase_space.nu,
        )

    def _sqrt_s(self, sub: Subprocess) -> float:
        return total_energy(self.card, self.model, self.values, sub.tree)

    def _cuts(self, sub: Subprocess) -> Cuts:
        return Cuts.from_card(self.card.cuts, cut_legs(self.model, sub.tree))

    def _element(self, number: int, apart: bool) -> MatrixElement:
        if number not in self.elements:
            diagrams = self.diagrams[number]
            graph = diagrams.graph
            if apart:
                graph = build_graph(self.model, diagrams.tree, diagrams.qed, merge=False)
            self.elements[number] = MatrixElement(
                self.model, graph, diagrams.identical_factor, parameters=self.card.parameters
            )
        return self.elements[number]

    def _topology(self, sub: Subprocess, process: int) -> EventTopology:
        names = sub.external
        element = self.elements[sub.diagrams]
        n = len(names)
        flows = []
        for number in element.flow_numbers:
            lines = colour_lines(element.tables.structures[number], n, len(sub.tree.initial))
            placed = [(0, 0)] * n
            for leg, pair in zip(sub.legs, lines, strict=True):
                placed[leg] = pair
            flows.append(tuple(placed))
        return EventTopology(
            pdg=tuple(self.model.particle(name).pdg for name in names),
            n_initial=len(sub.tree.initial),
            masses=tuple(self.values[self.model.particle(name).mass] for name in names),
            resonances=tuple(
                Resonance(self.model.particle(p.particle).pdg, p.legs)
                for p in resonances.decayed_particles(sub.tree)
            ),
            flows=tuple(flows),
            process=process,
        )
