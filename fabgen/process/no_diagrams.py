"""Why a line has no diagrams: a charge, flavour, its restrictions, or no tree at any order."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fabgen.errors import InputError
from fabgen.model import ORDERS, ZERO, Model, Vertex
from fabgen.process.counting import coupling_orders, lowest_qed
from fabgen.process.expansion import expand
from fabgen.process.parser import parse_process
from fabgen.process.syntax import Core, Decay, ProcessLine

#: What may be dropped from a link, each with the way it is written, in the order of blame.
_RESTRICTIONS = ("exclude", "exclude_s_channel", "required_s_channel", "orders")
#: Choices of particles that are looked at for an example: thousands would take minutes.
_ENOUGH = 10
_CHARGES = {
    "charge": "electric charge",
    "lepton_number": "lepton number",
    "colour": "colour",
    "baryon_number": "baryon number",
}


def no_diagrams(model: Model, text: str, table: Mapping[str, tuple[str, ...]]) -> InputError:
    """The error for a line without diagrams. table: its multiparticles by name."""
    line = parse_process(text)
    hint = "its links have diagrams each, but there is no choice of particles with all of them"
    if line.orders:
        bounds = " ".join(map(str, line.orders))
        hint = f"no diagrams of the whole chain have {bounds}: raise or drop the orders behind '@'"
    for core in _written(Decay(line.core, line.decays)):
        trees = expand(ProcessLine(core), model, table, orders=ORDERS)
        reason = _reason(model, [tree.core for tree in trees])
        if reason:
            hint = f"{core}: {reason}" if line.decays else reason
            break
    return InputError("the process has no diagrams", key="process", found=text, hint=hint)


def violated_charges(model: Model, initial: Sequence[str], final: Sequence[str]) -> list[str]:
    """Which of electric charge, lepton number, colour and baryon number are not conserved."""

    def total(names: Sequence[str], charge: str) -> int:
        particles = [model.particle(name) for name in names]
        if charge in ("colour", "baryon_number"):
            quarks = sum((p.colour == 3) - (p.colour == -3) for p in particles)
            return quarks % 3 if charge == "colour" else quarks
        return sum(getattr(p, charge) for p in particles)

    violated = [name for key, name in _CHARGES.items() if total(initial, key) != total(final, key)]
    coloured = [name for name in (*initial, *final) if model.particle(name).colour != 1]
    if len(coloured) == 1 and "colour" not in violated:
        violated.append("colour")
    if "colour" in violated and "baryon number" in violated:
        violated.remove("baryon number")  # quarks that are missing are told once
    return violated


def _written(decay: Decay) -> Iterator[Core]:
    yield decay.core
    for inner in decay.decays:
        yield from _written(inner)


def _reason(model: Model, cores: Sequence[Core]) -> str | None:
    """Why none of the choices of particles of a link has diagrams; None if one has."""
    violated = [violated_charges(model, core.initial, core.final) for core in cores]
    possible = [core for core, names in zip(cores, violated, strict=True) if not names]
    if not possible:
        common = [name for name in violated[0] if all(name in names for names in violated)]
        if common:
            return f"the process does not conserve {' and '.join(common)}"
        return "no choice of its particles conserves electric charge, lepton number and colour"
    if _have_diagrams(model, possible):
        return None
    couplings = _missing_couplings(model, possible)
    if _have_diagrams(model, [_without(core, _RESTRICTIONS) for core in possible]):
        return "; ".join([_too_restricted(model, possible), *couplings])
    if not any(_conserves_flavour(model, core) for core in possible):
        return (
            "quark flavour and lepton family are conserved but by W bosons, and those connect the "
            "members of one family only (the CKM matrix is the unit matrix)"
        )
    return "; ".join(
        [
            "there are no tree diagrams at any order: the process happens first at one loop, if at "
            f"all, and there is no effective vertex in this model ({model.name})",
            *couplings,
        ]
    )


def _have_diagrams(model: Model, cores: Sequence[Core]) -> bool:
    return any(lowest_qed(model, core) is not None for core in cores)


def _without(core: Core, restrictions: Sequence[str]) -> Core:
    return dataclasses.replace(core, **dict.fromkeys(restrictions, ()))


def _too_restricted(model: Model, cores: Sequence[Core]) -> str:
    """The restrictions without one of which, or if need be several, there would be diagrams."""
    written = [name for name in _RESTRICTIONS if getattr(cores[0], name)]
    blamed: set[str] = set()
    for n in range(1, len(written) + 1):
        for names in itertools.combinations(written, n):
            if _have_diagrams(model, [_without(core, names) for core in cores]):
                blamed.update(names)
        if blamed:
            break
    removing = [_as_written(cores[0], name) for name in written if name in blamed - {"orders"}]
    reasons = []
    if removing:
        verb = "removes" if len(removing) == 1 else "together remove"
        reasons.append(f"{' and '.join(removing)} {verb} all diagrams")
    if "orders" in blamed:
        drawn = (coupling_orders(model, _without(core, list(blamed))) for core in cores)
        free = set().union(*itertools.islice(filter(None, drawn), _ENOUGH))
        bounds = " ".join(map(str, cores[0].orders))
        reasons.append(
            f"no diagrams have {bounds}: raise or drop the orders (there are diagrams of "
            f"{' or '.join(_in_words(orders) for orders in sorted(free))})"
        )
    return ", and ".join(reasons)


def _as_written(core: Core, restriction: str) -> str:
    if restriction == "required_s_channel":
        return f"'> {' | '.join(' '.join(group) for group in core.required_s_channel)} >'"
    sign = {"exclude": "/", "exclude_s_channel": "$$"}[restriction]
    return f"'{' '.join([sign, *getattr(core, restriction)])}'"


def _in_words(orders: tuple[int, ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in zip(ORDERS, orders, strict=True))


def _conserves_flavour(model: Model, core: Core) -> bool:
    """Whether a link respects every additive charge that the vertices of the model respect.

    Those charges are orthogonal to all vertices, taken as sums of incoming particles; a link
    respects them all if it is a combination of vertices.
    """
    column = {p.name: i for i, p in enumerate(p for p in model.particles.values() if p.pdg > 0)}

    def incoming(names: Sequence[str]) -> np.ndarray:
        row = np.zeros(len(column), dtype=int)
        for particle in map(model.particle, names):
            if particle.name != particle.antiname:
                name = particle.name if particle.pdg > 0 else particle.antiname
                row[column[name]] += 1 if particle.pdg > 0 else -1
        return row

    vertices = np.array([incoming(vertex.particles) for vertex in model.vertices])
    link = incoming(core.initial) - incoming(core.final)
    return bool(
        np.linalg.matrix_rank(vertices) == np.linalg.matrix_rank(np.vstack([vertices, link]))
    )


def _missing_couplings(model: Model, cores: Sequence[Core]) -> list[str]:
    """External fermions without a mass that would make diagrams if they coupled to a scalar that
    the link asks for."""
    names = {name for core in cores for name in (*core.initial, *core.final)}
    asked = names | {n for core in cores for group in core.required_s_channel for n in group}
    scalars = [p for p in model.particles.values() if p.spin == 1 and p.name in asked]
    known = {vertex.particles for vertex in model.vertices}
    massless = []
    for particle in model.particles.values():
        is_external = names & {particle.name, particle.antiname}
        if particle.pdg < 0 or not particle.is_fermion or not is_external:
            continue
        colour = "delta" if particle.colour == 3 else "1"
        vertices = [
            Vertex(
                (particle.antiname, particle.name, s.name),
                "FFS",
                (ZERO, ZERO),
                colour,
                (0, 0, 0),
                (0, 1),
            )
            for s in scalars
        ]
        more = tuple(v for v in vertices if v.particles not in known)
        if particle.is_massless and more:
            # One particle of a family more: it is no copy of the others then.
            coupled = dataclasses.replace(model, vertices=(*model.vertices, *more), families=())
            if _have_diagrams(coupled, cores):
                massless.append(particle.name)
    scalar_names = " and ".join(scalar.name for scalar in scalars)
    return [
        f"{name} is massless in this model and does not couple to {scalar_names}"
        for name in massless
    ]
