"""Checks of a process before its integrand is built: energies, masses, parameters, cuts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fabgen.beams import energy_and_rapidity
from fabgen.card import Card
from fabgen.errors import InputError
from fabgen.model import ZERO, Model, Particle
from fabgen.phasespace.cuts import CutLeg, Kind
from fabgen.process import resonances
from fabgen.process.syntax import DecayTree

#: GeV: cross sections and Jacobians of beams of these energies are numbers.
_ENERGIES = 1e-30, 1e30


def numeric_parameters(model: Model, external: Mapping[str, float]) -> dict[str, float]:
    """All real parameters of a model as numbers: masses and widths by name, ZERO among them.

    Raises InputError for negative masses, widths and couplings, and where the electroweak inputs
    have no solution.
    """
    for name, value in external.items():
        if value < 0 and name not in model.signed:
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


def cut_legs(model: Model, tree: DecayTree, values: Mapping[str, float]) -> tuple[CutLeg, ...]:
    """The final legs as the cuts see them. values: masses by name."""
    decayed = {leg for p in resonances.decayed_particles(tree) for leg in p.legs}
    first = len(tree.initial)
    legs = []
    for number, name in enumerate(tree.final, start=first):
        particle = model.particle(name)
        kind = "j" if name in model.partons else cut_class(particle)
        legs.append(CutLeg(kind, particle.pdg, number in decayed, values[particle.mass]))
    return tuple(legs)


#: Classes of the cuts by PDG number, but for b quarks.
_KINDS: dict[int, Kind] = {
    **dict.fromkeys((1, 2, 3, 4, 21), "j"),
    **dict.fromkeys((11, 13, 15), "l"),
    **dict.fromkeys((12, 14, 16), "missing"),
    22: "a",
}


def cut_class(particle: Particle) -> Kind:
    """The class of a particle in the table of cuts: b quarks without a mass are jets."""
    if abs(particle.pdg) == 5:
        return "j" if particle.is_massless else "b"
    return _KINDS.get(abs(particle.pdg), "other")


def total_energy(card: Card, model: Model, values: Mapping[str, float], tree: DecayTree) -> float:
    """The total energy in the rest frame in GeV; refuses what lies below threshold."""
    initial = [values[model.particle(name).mass] for name in tree.initial]
    needed = threshold(card, model, values, tree)
    if len(initial) == 1:
        refuse_massless(model, values, tree)
        if initial[0] <= needed:
            problem = "the decay is closed: the products are heavier than the particle"
            raise _closed(problem, model, tree, initial[0], needed)
        return initial[0]
    energies = card.beams.energy
    refuse_extreme(energies)
    for name, mass, energy in zip(tree.initial, initial, energies, strict=True):
        if energy <= mass:
            raise InputError(
                f"the beam energy is below the mass of {name}",
                key="beams.energy",
                found=f"{energy:g} GeV",
                allowed=f"more than {mass:g} GeV",
            )
    total, _ = energy_and_rapidity(energies, (initial[0], initial[1]))
    refuse_below(needed, energies, total, tree)
    if len(tree.core.final) == 1 and tree.decays[0] is not None:
        _refuse_outside_window(card, model, values, tree.core.final[0], total)
    return total


def refuse_extreme(energies: tuple[float, float]) -> None:
    """Raises InputError for energies of beams (GeV) that overflow, or vanish."""
    for energy in energies:
        if not _ENERGIES[0] <= energy <= _ENERGIES[1]:
            raise InputError(
                "the energy of a beam is beyond what can be computed",
                key="beams.energy",
                found=f"{energy:g} GeV",
                allowed=f"{_ENERGIES[0]:g} to {_ENERGIES[1]:g} GeV",
            )


def refuse_below(
    needed: float, energies: tuple[float, float], total: float, tree: DecayTree
) -> None:
    """Raises InputError where beams have `total` in their rest frame, not more than needed; GeV."""
    if total <= needed:
        raise InputError(
            f"the energy is below the threshold of {name_of(tree)}",
            key="beams.energy",
            found=f"[{energies[0]:g}, {energies[1]:g}] GeV, {total:g} GeV in the rest frame",
            allowed=f"more than {needed:g} GeV in the rest frame",
        )


def _refuse_outside_window(
    card: Card, model: Model, values: Mapping[str, float], name: str, total: float
) -> None:
    """Raises InputError if the beams give the only particle no mass of its window."""
    particle, cutoff = model.particle(name), card.phase_space.bw_cutoff
    mass, reach = values[particle.mass], cutoff * values[particle.width]
    if abs(total - mass) >= reach > 0.0:
        raise InputError(
            f"{name} decays, and the energy is outside of its window",
            key="beams.energy",
            found=f"{total:g} GeV in the rest frame",
            allowed=f"{mass - reach:g} to {mass + reach:g} GeV, within phase_space.bw_cutoff = "
            f"{cutoff:g} widths",
        )


def boost(card: Card, model: Model, values: Mapping[str, float], tree: DecayTree) -> float:
    """The rapidity in the lab of the rest frame of what comes in; 0 for decays."""
    if len(tree.initial) == 1:
        return 0.0
    first, second = (values[model.particle(name).mass] for name in tree.initial)
    return energy_and_rapidity(card.beams.energy, (first, second))[1]


def threshold(card: Card, model: Model, values: Mapping[str, float], tree: DecayTree) -> float:
    """The smallest total mass of the final particles, decayed ones within bw_cutoff."""
    total = 0.0
    for name, decay in zip(tree.core.final, tree.decays, strict=True):
        particle = model.particle(name)
        mass = values[particle.mass]
        if decay is None:
            total += mass
            continue
        refuse_massless(model, values, decay)
        cutoff = card.phase_space.bw_cutoff * values[particle.width]
        products = threshold(card, model, values, decay)
        if mass + cutoff <= products:
            problem = f"the decay of {name} is closed within bw_cutoff"
            raise _closed(problem, model, decay, mass, products)
        total += max(products, mass - cutoff)
    return total


def refuse_massless(model: Model, values: Mapping[str, float], tree: DecayTree) -> None:
    """Raises InputError if the particle that decays here has no mass."""
    particle = model.particle(tree.initial[0])
    if values[particle.mass] > 0:
        return
    massive = [p.name for p in model.particles.values() if p.pdg > 0 and values[p.mass] > 0]
    problem = f"{particle.name} is massless in this model and cannot decay"
    if not particle.is_massless:
        problem = f"{particle.name} cannot decay: its mass {particle.mass} is 0"
    raise InputError(
        problem,
        key="process",
        found=f"{name_of(tree)}, model {model.name}",
        allowed=f"decays of particles with a mass: {' '.join(massive)}",
    )


def _closed(problem: str, model: Model, tree: DecayTree, mass: float, needed: float) -> InputError:
    """The error for products that are heavier than the particle which decays into them."""
    unstable = dict.fromkeys(n for n in tree.final if model.particle(n).width != ZERO)
    hint = (
        f"off their mass shell: write the products of {' and '.join(unstable)}, without a comma, "
        "as in h > w+ e- ve~"
    )
    return InputError(
        problem,
        key="process",
        found=f"{name_of(tree)}: {mass:g} GeV",
        allowed=f"more than {needed:g} GeV",
        hint=hint if unstable else None,
    )


def name_of(tree: DecayTree) -> str:
    """The process without its intermediate particles."""
    return f"{' '.join(tree.initial)} > {' '.join(tree.final)}"
