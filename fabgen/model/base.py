"""Models: particles, external parameters, derived quantities and vertices.

The vocabulary is that of UFO (C. Degrande et al., arXiv:1108.2040). A model holds no numbers but
the defaults of its external parameters: masses, widths and couplings are names, and `Model.derive`
turns external values into theirs inside JAX, so that everything can be differentiated.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fabgen.card.meant import parameter_meant
from fabgen.errors import InputError

#: The name of a mass, width or coupling that vanishes identically, whatever the parameters.
ZERO = "ZERO"


@dataclasses.dataclass(frozen=True)
class Particle:
    """One particle or antiparticle.

    spin is 2s + 1, colour 1, 3, -3 or 8, charge three times the electric charge; mass and width are
    names of parameters or ZERO.
    """

    name: str
    antiname: str
    pdg: int
    spin: int
    colour: int
    charge: int
    mass: str = ZERO
    width: str = ZERO
    lepton_number: int = 0

    @property
    def is_fermion(self) -> bool:
        return self.spin == 2

    @property
    def is_massless(self) -> bool:
        """True where the mass vanishes identically, whatever the parameters."""
        return self.mass == ZERO

    @property
    def n_spin_states(self) -> int:
        if self.spin == 3 and self.is_massless:
            return 2
        return self.spin

    def anti(self) -> Particle:
        """The antiparticle (the particle itself if it is its own)."""
        if self.name == self.antiname:
            return self
        return dataclasses.replace(
            self,
            name=self.antiname,
            antiname=self.name,
            pdg=-self.pdg,
            charge=-self.charge,
            colour=-self.colour if abs(self.colour) == 3 else self.colour,
            lepton_number=-self.lepton_number,
        )


@dataclasses.dataclass(frozen=True)
class Vertex:
    """One term of a Feynman rule: particles (all incoming), colour structure, Lorentz structure.

    lorentz and its couplings (names, factor i of the Feynman rule included), slots numbered from 1:

    - FFV: fbar gamma^mu (gL PL + gR PR) f, slots (antifermion, fermion, vector)
    - FFS: fbar (gL PL + gR PR) f, slots (antifermion, fermion, scalar)
    - VVV: g12 (k1 - k2)^3 + g23 (k2 - k3)^1 + g31 (k3 - k1)^2
    - VVVV: weights[0] g12 g34 + weights[1] g13 g24 + weights[2] g14 g23, times the coupling
    - VVS, VVSS: g12
    - SSS, SSSS: 1

    colour: "1", "delta" (slots 1 and 2), "T" (antiquark, quark, gluon: T^{a3}_{12}), "if"
    (i f^{123}) or "ff:12|34" (f^{12e} f^{34e}, slots as written).
    """

    particles: tuple[str, ...]
    lorentz: str
    couplings: tuple[str, ...]
    colour: str = "1"
    weights: tuple[int, int, int] = (0, 0, 0)
    orders: tuple[int, int] = (0, 0)  # powers of the couplings: (QCD, QED)

    @property
    def is_counted(self) -> bool:
        """Whether it makes a diagram: the three structures of the four-gluon vertex are one."""
        return not self.colour.startswith("ff:") or self.colour == "ff:12|34"


#: The coupling orders, in the sequence of `Vertex.orders`.
ORDERS = ("QCD", "QED")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Model:
    """Particles by name, vertices, external parameters with their defaults, and their consequences.

    derive: external values (scalars or one per event) -> masses, widths, couplings and everything
    else that is computed from them, by name. families: groups of families that are copies of each
    other: exchanging all particles of two families of a group leaves every amplitude the same.
    signed: external parameters that may be negative.
    """

    name: str
    particles: Mapping[str, Particle]
    vertices: tuple[Vertex, ...]
    external: Mapping[str, float]
    derive: Callable[[Mapping[str, Any]], dict[str, Any]]
    multiparticles: Mapping[str, tuple[str, ...]]
    families: tuple[tuple[tuple[str, ...], ...], ...] = ()
    signed: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return (
            f"<Model {self.name}: {len(self.particles)} particles, {len(self.vertices)} vertices>"
        )

    def particle(self, name: str) -> Particle:
        return self.particles[name]

    @property
    def partons(self) -> tuple[str, ...]:
        """The gluon and all quarks that are massless: what `p` and `j` stand for."""
        return self.multiparticles.get("p", ())

    def at(self, overrides: Mapping[str, Any]) -> Model:
        """The model with the multiparticles that replaced external parameters make.

        A quark that does not decay and whose mass is set to 0 is a parton like the others.
        """
        light = [
            name
            for name, particle in self.particles.items()
            if abs(particle.colour) == 3
            and particle.width == ZERO
            and not particle.is_massless
            and overrides.get(particle.mass) == 0
        ]
        if not light:
            return self
        partons = (*self.partons, *light)
        changed = {
            name: partons if members == self.partons else members
            for name, members in self.multiparticles.items()
        }
        return dataclasses.replace(self, multiparticles=MappingProxyType(changed))

    @functools.cached_property
    def _lower_case(self) -> Mapping[str, str]:
        return MappingProxyType({name.lower(): name for name in self.particles})

    def resolve(self, name: str) -> str | None:
        """The canonical name of a particle typed in any case, None if there is none."""
        return self._lower_case.get(name.lower())

    @property
    def known_names(self) -> tuple[str, ...]:
        return tuple(self.particles)

    def parameters(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The external parameters with some of them replaced.

        Raises InputError for a name that is not an external parameter of the model.
        """
        values = dict(self.external)
        for name, value in (overrides or {}).items():
            if name not in values:
                raise InputError(
                    f"{name} is not an external parameter of the model {self.name}",
                    key=f"parameters.{name}",
                    found=name,
                    allowed=", ".join(values),
                    hint=parameter_meant(name, values),
                )
            values[name] = value
        return values
