"""From a card to its integrand; what the card asks for and cannot have is refused here."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

from fabgen.amplitude.matrix_element import MatrixElement
from fabgen.beams import LEAST_ENERGY, AtRest, Beams, FixedBeams
from fabgen.build.channels import ComponentChannels, Group, channels_of, map_context
from fabgen.build.checks import boost, cut_legs, name_of, numeric_parameters, total_energy
from fabgen.build.dalitz import build_dalitz
from fabgen.build.divergences import refuse_divergences
from fabgen.build.dropped import dropped_particles
from fabgen.build.initial_states import notes, refuse_protons
from fabgen.build.missed_peaks import missed_peaks, told
from fabgen.build.narrow_widths import refuse_narrow
from fabgen.build.near_shell import near_shell_of
from fabgen.build.poles import Pole, find_poles
from fabgen.build.priors import weighted
from fabgen.build.protons import Protons, protons_energy
from fabgen.build.scales import scales_of
from fabgen.build.small_widths import small_widths, width_notes
from fabgen.build.topologies import flows_of, topology_of
from fabgen.build.toys import build_toy
from fabgen.build.windows import mass_windows
from fabgen.card import Card, with_channels
from fabgen.card.messages import with_source
from fabgen.card.schema import AMPLITUDE_MODELS
from fabgen.card.toys import is_toy
from fabgen.errors import InputError
from fabgen.integrand.base import Integrand
from fabgen.integrand.component import Component, ResonanceWindow, ServedSubprocess
from fabgen.integrand.near_shell import NearShell
from fabgen.integrand.prior import Prior
from fabgen.integrand.process import ProcessIntegrand
from fabgen.integrand.small_widths import SmallWidths
from fabgen.model import load_model
from fabgen.phasespace.cuts import Cuts
from fabgen.phasespace.topology import MapContext
from fabgen.process.effort import Effort, unheard
from fabgen.process.event_topology import EventTopology
from fabgen.process.graph import build_graph
from fabgen.process.orders import coupling_order
from fabgen.process.parser import parse_process
from fabgen.process.subprocesses import Found, Subprocess, find_subprocesses
from fabgen.process.syntax import process_numbers


def build_integrand(card: Card, note: Callable[[str], None] = unheard) -> Integrand:
    """The integrand of a card. Raises InputError where the card asks for something impossible, and
    for processes of several numbers of final particles (`build_integrands`).

    note: is told of work that takes longer than ten seconds.
    """
    found = build_integrands(card, note)
    if len(found) > 1:
        numbers = [len(f.topologies[0].pdg) - f.n_initial for f in found]
        error = InputError(
            "the processes of the card have several numbers of final particles",
            key="process",
            found=" and ".join(map(str, numbers)),
            allowed="one number",
            hint="build_integrands makes an integrand for each",
        )
        raise with_source(error, card)
    return found[0]


def build_integrands(card: Card, note: Callable[[str], None] = unheard) -> tuple[Integrand, ...]:
    """An integrand for each number of final particles, in the order of the processes.

    Raises InputError where the card asks for something impossible. note: see `build_integrand`.
    """
    toy = is_toy(card.process)
    try:
        if card.model not in AMPLITUDE_MODELS and not toy:
            return tuple(part.integrand() for part in _Builder(card, note).parts())
        return (build_toy(card) if toy else build_dalitz(card),)
    except InputError as error:
        raise with_source(error, card) from None


def build_channels(
    card: Card, found: Found | None = None
) -> tuple[tuple[ProcessIntegrand, tuple[ComponentChannels, ...]], ...]:
    """For each number of final particles the integrand, and the channels of each of its components:
    the one that the card asks for, or those of all diagrams. Raises InputError.

    found: what `find_subprocesses` has found for this card, if anybody has asked before.
    """
    try:
        parts = _Builder(with_channels(card), found=found).parts()
        return tuple((part.integrand(), part.channels) for part in parts)
    except InputError as error:
        raise with_source(error, card) from None


class _Builder:
    def __init__(
        self, card: Card, note: Callable[[str], None] = unheard, found: Found | None = None
    ):
        self.card = card
        self.model = load_model(card.model).at(card.parameters)
        refuse_protons(card, self.model)
        self.subprocesses, self.diagrams = found or find_subprocesses(
            self.model,
            card.process,
            card.multiparticles,
            Effort(card.limits.setup_minutes, note=note),
        )
        self.dropped = dropped_particles(card.channels.drop, self.model, self.diagrams)
        self.n_initial = len(self.subprocesses[0].tree.initial)
        are_protons = card.beams.kind == "proton" and self.n_initial == 2
        self.protons = Protons.of(card) if are_protons else None
        self.external = self.model.parameters(card.parameters)
        if self.protons is not None:
            self.external |= {"aS": self.protons.alpha_s_mz}
        self.values = numeric_parameters(self.model, self.external)
        self.elements: dict[int, MatrixElement] = {}
        self.groups: tuple[Group, ...] = ()
        self.channels: tuple[ComponentChannels, ...] = ()

    def parts(self) -> tuple[_Builder, ...]:
        """Builders of the subprocesses with each number of final particles."""
        self._refuse_sums()
        by_number: dict[int, list[Subprocess]] = defaultdict(list)
        for sub in self.subprocesses:
            by_number[len(sub.tree.final)].append(sub)
        found = []
        for subprocesses in by_number.values():
            part = copy.copy(self)
            part.subprocesses = tuple(subprocesses)
            found.append(part)
        return tuple(found)

    def integrand(self) -> ProcessIntegrand:
        for sub in self.subprocesses:
            self._sqrt_s(sub)  # refuses what lies below threshold
        self.groups = self._groups()
        self.channels = tuple(map(self._channels, self.groups))
        pairs = zip(self.groups, self.channels, strict=True)
        components = weighted(tuple(self._component(*pair) for pair in pairs))
        topologies = tuple(self._topologies(components))
        trees = [sub.tree for sub in self.subprocesses]
        return ProcessIntegrand(
            model=self.model,
            external=self.external,
            components=components,
            event_topologies=topologies,
            beams=self._beams(),
            scales=scales_of(self.card.scales, self.model, trees),
            alpha_s=self.protons.alpha_s if self.protons else None,
            notes=(
                *notes(self.model, topologies, self.protons is not None),
                *width_notes(self.model, [c.widths for c in components], self.values),
            ),
            warnings=self._warnings(),
            unmapped_widths=self._unmapped_widths(),
        )

    def _beams(self) -> Beams:
        if self.n_initial == 1:
            return AtRest()
        first, second = self.card.beams.energy
        if self.protons is None:
            return FixedBeams((first, second))
        trees = [sub.tree for sub in self.subprocesses]
        return self.protons.beams((first, second), self.model, trees)

    def _refuse_sums(self) -> None:
        """Raises InputError for subprocesses that cannot be added up."""
        first = self.subprocesses[0]
        for sub in self.subprocesses:
            if len(sub.tree.initial) != self.n_initial:
                raise InputError(
                    "all processes of a card have the same number of incoming particles",
                    key="process",
                    found=f"{name_of(first.tree)!r} and {name_of(sub.tree)!r}",
                )
            if self.n_initial == 2 and len(sub.tree.final) == 1 and self.protons is None:
                raise InputError(
                    "two beams of fixed energy cannot produce a single particle on its mass shell",
                    key="process",
                    found=name_of(sub.tree),
                    allowed="two or more final particles",
                )
            if self.n_initial == 1 and sub.tree.initial != first.tree.initial:
                raise InputError(
                    "the widths of different particles do not add up to anything",
                    key="process",
                    found=f"{name_of(first.tree)!r} and {name_of(sub.tree)!r}",
                    allowed="decays of one particle",
                )

    # -- components -----------------------------------------------------------------------------

    def _groups(self) -> tuple[Group, ...]:
        """Subprocesses with the same |M|^2 in the same cuts, whichever order their beams have."""
        found: dict[Hashable, list[int]] = defaultdict(list)
        for number, sub in enumerate(self.subprocesses):
            # Cuts that differ by flavours that they do not look at are the same. Beams of unequal
            # masses have other momenta, if not another energy, when they change places.
            order = None if self._may_be_exchanged(sub) else sub.legs[:2]
            found[sub.diagrams, self._cuts(sub).bounds, order].append(number)
        return tuple(
            Group(
                diagrams=self.diagrams[self.subprocesses[same[0]].diagrams],
                number=self.subprocesses[same[0]].diagrams,
                cuts=self._cuts(self.subprocesses[same[0]]),
                subprocesses=tuple(self.subprocesses[n] for n in same),
                numbers=tuple(same),
            )
            for same in found.values()
        )

    def _may_be_exchanged(self, sub: Subprocess) -> bool:
        """Whether collisions are the same with the incoming particles exchanged."""
        if self.n_initial == 1:
            return True
        first, second = (self.model.particle(name).mass for name in sub.tree.initial)
        return first == second

    def _channels(self, group: Group) -> ComponentChannels:
        return channels_of(self.context(group), group, self._use, self.dropped)

    def _component(self, group: Group, found: ComponentChannels) -> Component:
        options = self.card.channels
        several = len(found.channels) > 1
        apart = several and options.prior == "diagrams"
        prior = None
        if several:
            n_external = len(group.tree.initial) + len(group.tree.final)
            prior = Prior(options.prior, found.propagators(self.model, n_external))
        poles, sqrt_s = self._poles(group), self._sqrt_s(group.subprocesses[0])
        widths = small_widths(self.card.phase_space, [poles], self.values, sqrt_s)
        first = group.subprocesses[0]
        windows = mass_windows(
            self.model, self.values, self.card.phase_space.bw_cutoff, first, group.diagrams
        )
        self._refuse(group, poles, widths, windows)
        element = self._element(group, apart)
        diagrams: tuple[int, ...] | None = None
        if apart:
            place = {d: i for i, channel in enumerate(found.channels) for d in channel.diagrams}
            drawn = group.drawn(self.model, element.graph, once=False)
            diagrams = tuple(place[found.diagrams.index(diagram)] for diagram in drawn)
        return Component(
            element=element,
            masses=tuple(self.model.particle(name).mass for name in group.external),
            cuts=group.cuts,
            windows=windows,
            subprocesses=tuple(map(self._served, group.numbers)),
            channels=found.channels,
            prior=prior,
            diagrams=diagrams,
            widths=widths,
            least_energy=self._least(group) or group.least_energy(self.values, self.model),
            most_energy=group.most_energy(self.values, self.model),
            rapidity=group.largest_rapidity,
            qcd_order=coupling_order(group.diagrams.graph, "QCD"),
            near_shell=self._near_shell(group, element),
        )

    def _least(self, group: Group) -> float | None:
        """The smallest total energy of partons in GeV; None for beams of fixed energy."""
        if self.protons is None:
            return None
        return max(group.least_energy(self.values, self.model), LEAST_ENERGY)

    def _served(self, number: int) -> ServedSubprocess:
        sub = self.subprocesses[number]
        flavours = tuple(self.model.particle(name).pdg for name in sub.tree.initial)
        return ServedSubprocess(number, flavours, sub.legs[:2] == (1, 0))

    def _refuse(
        self,
        group: Group,
        poles: tuple[Pole, ...],
        widths: SmallWidths,
        windows: tuple[ResonanceWindow, ...],
    ) -> None:
        """Raises InputError for an infinite cross section and for what double precision spoils."""
        used = widths.used(self.values)
        bounds = [w.bound(used, self.n_initial) for w in windows if w.inside]
        for sub in {s.legs[:2]: s for s in group.subprocesses}.values():
            sqrt_s, rapidity = (
                self._sqrt_s(sub),
                boost(self.card, self.model, self.values, sub.tree),
            )
            refuse_divergences(
                *(self.model, group.diagrams.graph, group.tree, group.cuts, used, sqrt_s),
                boost=-rapidity if sub.legs[:2] == (1, 0) else rapidity,
                windows=bounds,
                least=group.least_energy(self.values, self.model) if self.protons else None,
            )
            options = self.card.phase_space
            refuse_narrow(poles, widths, self.values, sqrt_s, options, group.tree.final)

    @property
    def _use(self) -> str:
        """The channels of the card; "auto" means all in a run only (fabgen.card.with_channels)."""
        if self.card.phase_space.mapping == "rambo":
            return "rambo"
        return "all" if self.card.channels.use == "all" else "one"

    def context(self, group: Group) -> MapContext:
        """The data that the maps of a component depend on."""
        sqrt_s = self._sqrt_s(group.subprocesses[0])
        options, is_variable = self.card.phase_space, self.protons is not None
        return map_context(self.model, self.values, sqrt_s, group, options, is_variable)

    def _poles(self, group: Group) -> tuple[Pole, ...]:
        sqrt_s, options = self._sqrt_s(group.subprocesses[0]), self.card.phase_space
        if self.protons is not None:
            sqrt_s = min(sqrt_s, group.most_energy(self.values, self.model))
        return find_poles(
            *(self.model, group.diagrams, group.cuts, self.values, sqrt_s, options),
            least=self._least(group),
        )

    def _warnings(self) -> tuple[str, ...]:
        """Of resonances that no channel follows, and of densities with other flavours."""
        missed = [
            peak
            for group, found in zip(self.groups, self.channels, strict=True)
            for peak in missed_peaks(
                self._poles(group), found.channels, self.values, group.tree.final
            )
        ]
        scheme = self.protons.scheme_warning(self.model) if self.protons else ()
        return (*scheme, *told(missed, mapped=self._use != "rambo"))

    def _unmapped_widths(self) -> tuple[str, ...]:
        if self.card.phase_space.mapping != "rambo":
            return ()
        poles = (pole for group in self.groups for pole in self._poles(group))
        inside = (p.width for p in poles if p.depth > 0.0 and not (p.vetoed or p.fixed))
        return tuple(dict.fromkeys(inside))

    def _sqrt_s(self, sub: Subprocess) -> float:
        """In the rest frame of what collides, GeV; of protons the largest one."""
        if self.protons is not None:
            return protons_energy(self.card, self.model, self.values, sub.tree)
        return total_energy(self.card, self.model, self.values, sub.tree)

    def _cuts(self, sub: Subprocess) -> Cuts:
        return Cuts.from_card(self.card.cuts, cut_legs(self.model, sub.tree, self.values))

    def _element(self, group: Group, apart: bool) -> MatrixElement:
        """apart: keep single diagrams apart, for channel weights that follow them."""
        if group.number not in self.elements:
            diagrams = group.diagrams
            graph = diagrams.graph
            if apart:
                graph = build_graph(self.model, diagrams.tree, diagrams.qed, merge=False)
            self.elements[group.number] = MatrixElement(
                self.model, graph, diagrams.identical_factor, parameters=self.card.parameters
            )
        return self.elements[group.number]

    def _near_shell(self, group: Group, element: MatrixElement) -> NearShell:
        cutoff = self.card.phase_space.bw_cutoff
        return near_shell_of(self.model, self.values, cutoff, group.diagrams, flows_of(element))

    def _topologies(self, components: Sequence[Component]) -> Iterator[EventTopology]:
        processes = process_numbers([parse_process(line) for line in self.card.process])
        near = {s.number: c.near_shell for c in components for s in c.subprocesses}
        for number, sub in enumerate(self.subprocesses):
            element, process = self.elements[sub.diagrams], processes[sub.line]
            yield topology_of(self.model, self.values, sub, process, element, near[number])
