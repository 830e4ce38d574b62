"""Beams of protons: what a card asks for, and what partons of protons cannot be."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np

from fabgen.beams import LEAST_ENERGY, ProtonBeams
from fabgen.build.checks import name_of, refuse_below, refuse_extreme, threshold
from fabgen.card import Card
from fabgen.errors import InputError
from fabgen.model import Model
from fabgen.process.syntax import DecayTree

if TYPE_CHECKING:
    from fabgen.beams.alpha_s import AlphaSTable, TwoLoops
    from fabgen.beams.pdf.sets import Member

PHOTON = 22
#: GeV, where reports quote alpha_s.
MZ = 91.188


@dataclasses.dataclass(frozen=True)
class Protons:
    """What all processes of a card with protons share: a member of a set of densities, and the
    strong coupling that goes with it."""

    member: Member
    alpha_s: TwoLoops | AlphaSTable

    @classmethod
    def of(cls, card: Card) -> Protons:
        """Raises InputError for sets that are not there or damaged."""
        from fabgen.beams.alpha_s import alpha_s_of
        from fabgen.beams.pdf.sets import load_member

        member = load_member(card.beams.pdf, card.beams.member)
        return cls(member, alpha_s_of(member.info))

    @functools.cached_property
    def alpha_s_mz(self) -> float:
        """At the mass of the Z: of all that has no scale of its own."""
        return float(jax.jit(self.alpha_s)(np.array([MZ]))[0])  # of one program

    def scheme_warning(self, model: Model) -> tuple[str, ...]:
        """What the set does not have of the model's massless quarks, or has of others; or ()."""
        from fabgen.beams.pdf.scheme import scheme_warning

        massless = {abs(model.particle(name).pdg) for name in model.partons}
        found = scheme_warning(self.member.info, len([pdg for pdg in massless if pdg < 7]))
        return (found,) if found else ()

    def beams(
        self, energies: tuple[float, float], model: Model, trees: Sequence[DecayTree]
    ) -> ProtonBeams:
        """The beams of subprocesses of one number of final particles. Raises InputError for partons
        that the set does not have."""
        info, flavours = self.member.info, set[int]()
        for tree in trees:
            for name in tree.initial:
                pdg = model.particle(name).pdg
                if pdg not in self.member.grid.flavours:
                    raise InputError(
                        f"the set of densities does not have {name}",
                        key="beams.pdf",
                        found=f"{info.name}, with the process {name_of(tree)}",
                        allowed="a set that does",
                    )
                flavours.add(pdg)
        return ProtonBeams(
            energies,
            self.member.densities.of(sorted(flavours)),
            single=len(trees[0].final) == 1,
            description={
                "set": info.name,
                "member": self.member.number,
                # of the member; 0 where the set has no number
                "id": info.index + self.member.number if info.index >= 0 else 0,
                "alpha_s": self.alpha_s.describe(),
                "alpha_s_mz": self.alpha_s_mz,
            },
        )


def protons_energy(card: Card, model: Model, values: Mapping[str, float], tree: DecayTree) -> float:
    """sqrt(S) of both protons in GeV; refuses what they hold no partons for, or cannot reach."""
    refuse_no_partons(model, values, tree)
    energies = first, second = card.beams.energy
    refuse_extreme(energies)
    total = 2.0 * math.sqrt(first) * math.sqrt(second)
    refuse_below(max(threshold(card, model, values, tree), LEAST_ENERGY), energies, total, tree)
    if len(tree.final) == 1 and values[model.particle(tree.final[0]).mass] == 0.0:
        raise InputError(
            "a single particle of no mass takes no energy of two partons",
            key="process",
            found=name_of(tree),
            allowed="a particle with a mass, or two or more final particles",
        )
    return total


def refuse_no_partons(model: Model, values: Mapping[str, float], tree: DecayTree) -> None:
    """Raises InputError if what comes in is no massless parton."""
    for name in tree.initial:
        particle = model.particle(name)
        if particle.colour == 1 and particle.pdg != PHOTON:
            raise InputError(
                f"{name} is no parton of a proton",
                key="beams.kind",
                found=f"proton, with the process {name_of(tree)}",
                allowed="quarks, gluons, or a photon; fixed: beams of the incoming particles",
            )
        mass = values[particle.mass]
        if mass > 0.0:
            raise InputError(
                f"partons of a proton are massless, and {name} is not",
                key="process",
                found=f"{name_of(tree)}, {particle.mass} = {mass:g} GeV",
                allowed="massless quarks, gluons, or a photon",
                hint='model = "sm-no_b_mass" has a massless b' if abs(particle.pdg) == 5 else None,
            )
