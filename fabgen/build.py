"""From a card to its integrand; what the card asks for and cannot have is refused here."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from fabgen.amplitude.matrix_element import MatrixElement
from fabgen.build_dalitz import build_dalitz
from fabgen.card import Card
from fabgen.card.schema import AMPLITUDE_MODELS
from fabgen.card.toys import is_toy
from fabgen.components import Component, Term, Window
from fabgen.divergences import refuse_divergences
from fabgen.errors import InputError
from fabgen.integrand import Integrand
from fabgen.interface import AnyIntegrand
from fabgen.model import ZERO, Model, Particle, load_model
from fabgen.phasespace.cuts import CutLeg, Cuts, Kind
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.topology import channel_map, most_resonant
from fabgen.process import resonances
from fabgen.process.flows import colour_lines
from fabgen.process.graph import build_graph
from fabgen.process.subprocesses import Diagrams, Subprocess, find_subprocesses
from fabgen.process.syntax import DecayTree
from fabgen.process.topology import EventTopology, Resonance
from fabgen.toys import build_toy


def build_integrand(card: Card) -> AnyIntegrand:
    """The integrand of a card. Raises InputError where the card asks for something impossible."""
    toy = is_toy(card.process)
    if card.model not in AMPLITUDE_MODELS and not toy:
        return build_process(card)
    try:
        return build_toy(card) if toy else build_dalitz(card)
    except InputError as error:
        raise error.with_place(file=card.file) from None


def build_process(card: Card) -> Integrand:
    """The integrand of a process of Feynman diagrams. Raises InputError."""
    try:
        return _Builder(card).integrand()
    except InputError as error:
        raise error.with_place(file=card.file) from None


class _Builder:
    def __init__(self, card: Card):
        self.card = card
        self.model = load_model(card.model)
        self.external = self.model.parameters(card.parameters)
        self.values = numbers(self.model, self.external)
        self.subprocesses, self.diagrams = find_subprocesses(
            self.model, card.process, card.multiparticles
        )
        self.elements: dict[int, MatrixElement] = {}

    def integrand(self) -> Integrand:
        first = self.subprocesses[0]
        n_initial = len(first.tree.initial)
        for sub in self.subprocesses:
            if len(sub.tree.initial) != n_initial or len(sub.external) != len(first.external):
                raise InputError(
                    "all processes of a card have the same numbers of particles",
                    key="process",
                    found=f"{_name(first)!r} and {_name(sub)!r}",
                )
        if n_initial == 2 and len(first.tree.final) == 1:
            raise InputError(
                "two beams of fixed energy cannot produce a single particle on its mass shell",
                key="process",
                found=_name(first),
                allowed="two or more final particles",
            )
        components = self._components()
        return Integrand(
            model=self.model,
            external=self.external,
            components=components,
            topologies=tuple(map(self._topology, self.subprocesses)),
            beam_particles=tuple(self.model.particle(n).pdg for n in first.tree.initial),
            beam_energies=tuple(self.card.beams.energy) if n_initial == 2 else (),
            renormalization_scale=float(self.card.scales.renormalization),
            factorization_scale=float(self.card.scales.factorization),
        )

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
        return tuple(self._component(masses, terms) for (masses, _), terms in groups.items())

    def _component(self, masses: tuple[str, ...], grouped: Mapping[Any, list[int]]) -> Component:
        sub = self.subprocesses[next(iter(grouped.values()))[0]]
        n_initial, n_final = len(sub.tree.initial), len(sub.tree.final)
        sqrt_s = self._energy(sub)
        final = [self.values[mass] for mass in masses[n_initial:]]
        terms: list[Term] = []
        drawn: tuple[resonances.Diagram, ...] = ()
        for (_, diagrams, order), numbers_ in grouped.items():
            example = self.subprocesses[numbers_[0]]
            cuts = self._cuts(example)
            drawn = drawn or self._diagrams(self.diagrams[diagrams])
            graph = self.diagrams[diagrams].graph
            windows = self._windows(example, self.diagrams[diagrams])
            refuse_divergences(self.model, graph, example, cuts, self.values, sqrt_s)
            terms.append(
                Term(
                    element=self._element(diagrams),
                    legs=order,
                    cuts=cuts,
                    windows=windows,
                    subprocesses=tuple(numbers_),
                )
            )
        if self.card.phase_space.mapping == "rambo":
            return Component(Rambo(n_final), masses, (), tuple(terms))

        def minimum_mass(legs: tuple[int, ...]) -> float:
            # What no term needs: each has its own cuts.
            return min(term.cuts.minimum_invariant_mass(legs, final) for term in terms)

        diagram = most_resonant(self.model, drawn, self.values, minimum_mass, sqrt_s, n_initial)
        options = self.card.phase_space
        channel = channel_map(
            self.model,
            diagram,
            self.values,
            minimum_mass,
            sqrt_s,
            n_initial,
            n_final,
            bw_cutoff=options.bw_cutoff,
            nu=options.nu,
        )
        return Component(channel.mapping, masses, channel.resonances, tuple(terms))

    def _cuts(self, sub: Subprocess) -> Cuts:
        return Cuts.from_card(self.card.cuts, cut_legs(self.model, sub.tree))

    def _element(self, number: int) -> MatrixElement:
        if number not in self.elements:
            diagrams = self.diagrams[number]
            self.elements[number] = MatrixElement(
                self.model,
                diagrams.graph,
                diagrams.identical_factor,
                parameters=self.card.parameters,
            )
        return self.elements[number]

    def _diagrams(self, diagrams: Diagrams) -> tuple[resonances.Diagram, ...]:
        single = build_graph(self.model, diagrams.tree, diagrams.qed, merge=False)
        return resonances.diagrams(self.model, single, diagrams.tree)

    def _windows(self, sub: Subprocess, diagrams: Diagrams) -> tuple[Window, ...]:
        """bw_cutoff for decayed particles, and the vetoes of `$`."""
        cutoff = self.card.phase_space.bw_cutoff
        windows = []
        for propagator in resonances.decayed_particles(sub.tree):
            particle = self.model.particle(propagator.particle)
            if not self.values[particle.width] > 0:
                raise InputError(
                    "a particle that decays needs a width",
                    key="process",
                    found=f"{propagator.particle} (width {self.values[particle.width]:g} GeV)",
                    hint="write its decay products into the process itself",
                )
            if math.isfinite(cutoff):
                windows.append(
                    Window(propagator.legs, particle.mass, particle.width, cutoff, inside=True)
                )
        # Swapped beams leave final legs as they are, so the vetoes of equal diagrams are the same.
        for propagator in resonances.on_shell_vetoes(self.model, diagrams.graph, diagrams.tree):
            particle = self.model.particle(propagator.particle)
            if not math.isfinite(cutoff):
                raise InputError(
                    "`$` vetoes particles near their mass shell, which needs a width of the veto",
                    key="phase_space.bw_cutoff",
                    found="inf",
                    allowed="a number of widths",
                )
            if particle.width != ZERO:
                windows.append(
                    Window(propagator.legs, particle.mass, particle.width, cutoff, inside=False)
                )
        return tuple(windows)

    def _energy(self, sub: Subprocess) -> float:
        """The total energy in the rest frame; refuses what lies below threshold."""
        tree = sub.tree
        initial = [self.values[self.model.particle(name).mass] for name in tree.initial]
        needed = self._threshold(tree)
        if len(initial) == 1:
            if initial[0] <= needed:
                raise InputError(
                    "the decay is closed: the products are heavier than the particle",
                    key="process",
                    found=f"{_name(sub)}: {initial[0]:g} GeV",
                    allowed=f"more than {needed:g} GeV",
                )
            return initial[0]
        energies = self.card.beams.energy
        for name, mass, energy in zip(tree.initial, initial, energies, strict=True):
            if energy <= mass:
                raise InputError(
                    f"the beam energy is below the mass of {name}",
                    key="beams.energy",
                    found=f"{energy:g} GeV",
                    allowed=f"more than {mass:g} GeV",
                )
        momenta = [math.sqrt(e * e - m * m) for e, m in zip(energies, initial, strict=True)]
        total = math.sqrt(sum(energies) ** 2 - (momenta[0] - momenta[1]) ** 2)
        if total <= needed:
            raise InputError(
                f"the energy is below the threshold of {_name(sub)}",
                key="beams.energy",
                found=f"[{energies[0]:g}, {energies[1]:g}] GeV, {total:g} GeV in the rest frame",
                allowed=f"more than {needed:g} GeV in the rest frame",
            )
        return total

    def _threshold(self, tree: DecayTree) -> float:
        """The smallest total mass of the final particles, decayed ones within bw_cutoff."""
        total = 0.0
        for name, decay in zip(tree.core.final, tree.decays, strict=True):
            particle = self.model.particle(name)
            mass = self.values[particle.mass]
            if decay is None:
                total += mass
                continue
            cutoff = self.card.phase_space.bw_cutoff * self.values[particle.width]
            products = self._threshold(decay)
            if mass + cutoff <= products:
                raise InputError(
                    f"the decay of {name} is closed within bw_cutoff",
                    key="process",
                    found=f"{_name_of(decay)}: {mass:g} GeV",
                    allowed=f"more than {products:g} GeV",
                )
            total += max(products, mass - cutoff)
        return total

    def _topology(self, sub: Subprocess) -> EventTopology:
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
        )


def numbers(model: Model, external: Mapping[str, float]) -> dict[str, float]:
    """All real parameters of a model as numbers: masses and widths by name, ZERO among them.

    Raises InputError for negative masses, widths and couplings, and where the electroweak inputs
    have no solution.
    """
    for name, value in external.items():
        if value < 0 and not name.startswith("ym"):
            raise InputError(
                f"{name} is negative",
                key=f"parameters.{name}",
                found=f"{value:g}",
                allowed="zero or positive",
            )
    try:
        derived = model.derive(external)
    except ZeroDivisionError:
        derived = {"the couplings": math.nan}
    values = {name: float(value) for name, value in derived.items() if not np.iscomplexobj(value)}
    for name, value in values.items():
        if not math.isfinite(value):
            raise InputError(
                f"the parameters give no finite value of {name}",
                key="parameters",
                found=", ".join(f"{k} = {v:g}" for k, v in external.items()),
            )
    return {ZERO: 0.0, **values}


def cut_legs(model: Model, tree: DecayTree) -> tuple[CutLeg, ...]:
    """The final legs as the cuts see them."""
    decayed = {leg for p in resonances.decayed_particles(tree) for leg in p.legs}
    first = len(tree.initial)
    legs = []
    for number, name in enumerate(tree.final, start=first):
        particle = model.particle(name)
        legs.append(CutLeg(cut_class(particle), particle.pdg, number in decayed))
    return tuple(legs)


def cut_class(particle: Particle) -> Kind:
    """The class of a particle in the table of cuts."""
    if particle.colour != 1 and particle.is_massless:
        return "j"
    if abs(particle.pdg) == 5:
        return "b"
    if particle.is_fermion and particle.lepton_number:
        return "l" if particle.charge else "missing"
    if particle.pdg == 22:
        return "a"
    return "heavy"


def _name(sub: Subprocess) -> str:
    return _name_of(sub.tree)


def _name_of(tree: DecayTree) -> str:
    return f"{' '.join(tree.initial)} > {' '.join(tree.final)}"
