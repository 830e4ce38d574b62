"""Under which conditions the figures of a run hold: beams, cuts, windows of decayed particles."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fabgen.card import Card
from fabgen.card.cuts import CutValue
from fabgen.run.directory import FREE_TABLES

if TYPE_CHECKING:
    from fabgen.integrand.base import Integrand


def conditions(card: Card, integrand: Integrand) -> dict[str, Any]:
    """The entries `beams`, `cuts` and `bw_cutoff` of a report.

    beams: for each beam its PDG ids (of all subprocesses) and its energy in GeV, with sqrt(s) in
    GeV (masses of the first subprocess) and what is known of its densities; None for toys.
    bw_cutoff: in widths, None where it has no meaning.
    """
    chains = any(topology.resonances for topology in integrand.topologies)
    return {
        "beams": _beams(integrand),
        "cuts": {name: _plain(value) for name, value in card.cuts.items()},
        "bw_cutoff": card.phase_space.bw_cutoff if chains else None,
    }


def _plain(value: CutValue) -> float | bool | dict[str, float]:
    return dict(value) if isinstance(value, Mapping) else value


def settings_of(card: Card) -> dict[str, dict[str, Any]]:
    """The entry of a report on the tables of the card that may differ between reports of a run."""
    tables = {name: dataclasses.asdict(getattr(card, name)) for name in FREE_TABLES}
    del tables["limits"]  # they change no result
    del tables["generation"]["events"]  # they may come in parts: the report counts them
    tables["generation"]["seed"] = card.generation_seed
    return tables


def _beams(integrand: Integrand) -> dict[str, Any] | None:
    if not integrand.topologies:
        return None
    n = integrand.n_initial
    masses = list(integrand.topologies[0].masses[:n])
    energies = list(integrand.beam_energies) or [masses[0]]
    s = sum(energies) ** 2
    if n == 2:
        # (e1 + e2)^2 - (k1 - k2)^2 without the difference of large numbers.
        first, second = (
            math.sqrt((e - m) * (e + m)) for e, m in zip(energies, masses, strict=True)
        )
        product = energies[0] * energies[1] + first * second
        s = sum(m * m for m in masses) + 2.0 * product
    particles = [
        list(dict.fromkeys(topology.pdg[leg] for topology in integrand.topologies))
        for leg in range(n)
    ]
    found = {"particles": particles, "energies": energies, "sqrt_s": math.sqrt(s)}
    if integrand.densities:
        found["particles"] = [[pdg] for pdg in integrand.beam_particles]
        found["densities"] = dict(integrand.densities)
    return found
