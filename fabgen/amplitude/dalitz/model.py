"""A three-body amplitude model: particles, resonances, couplings and the names of their parameters.

Numbers are external parameters with defaults, by name, as in `fabgen.model`: a resonance R has
MR and GR (mass, width, GeV) and what else its line shape asks for, and ArRn + i AiRn for its n-th
coupling; a particle X has MX; radii of the barrier factors in 1/GeV. Spins count halves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fabgen.amplitude.dalitz.angles import pair_of
from fabgen.errors import InputError

#: Names of the radii of the production 0 -> R k and of the decay R -> i j.
RADIUS_PRODUCTION, RADIUS_DECAY = "radius_production", "radius_decay"


@dataclass(frozen=True)
class DecayParticle:
    """The decaying particle or a product; mass: the name of its parameter, width: GeV."""

    name: str
    pdg: int
    spin: int
    parity: int
    mass: str
    width: float


@dataclass(frozen=True)
class Coupling:
    """One coupling of the production 0 -> R k: real and imaginary part by parameter names.

    helicities: of the resonance and of the spectator. Or, in their place, orbital: angular momentum
    L and total spin S (in halves).
    """

    real: str
    imaginary: str
    helicities: tuple[int, int] | None = None
    orbital: tuple[int, int] | None = None


@dataclass(frozen=True)
class Resonance:
    """A resonance of the pair that one particle, the spectator (1, 2 or 3), is not part of.

    parameters: of the line shape, external names by key. sign: of all its production couplings.
    decay: (helicity of i, of j, coupling) of the parity-conserving R -> i j. orbital_production,
    orbital_decay: angular momenta of barrier factors. coupled: masses, by name, of a second pair.
    """

    name: str
    spectator: int
    spin: int
    parity: int
    line_shape: str
    parameters: Mapping[str, str]
    sign: int
    production: tuple[Coupling, ...]
    decay: tuple[tuple[int, int, complex], ...]
    orbital_production: int
    orbital_decay: int
    coupled: tuple[str, str] | None = None


@dataclass(frozen=True)
class AmplitudeModel:
    """The decay 0 -> 1 2 3 as a sum of chains 0 -> R k, R -> i j.

    particles: 0, 1, 2, 3. external: all parameters with their defaults. reference: the spectator of
    the chains whose helicity axes all others are turned to. square_dalitz: the particles i, j, k
    whose square Dalitz plot is meant: the mass of i and j, and the angle between i and k in the
    rest frame of that pair.
    """

    name: str
    process: str
    particles: tuple[DecayParticle, ...]
    resonances: tuple[Resonance, ...]
    external: Mapping[str, float]
    reference: int
    square_dalitz: tuple[int, int, int]

    def parameters(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The external parameters with some replaced. Raises InputError for an unknown name."""
        values: dict[str, Any] = dict(self.external)
        for name, value in (overrides or {}).items():
            if name not in values:
                raise InputError(
                    f"{name} is not a parameter of the model {self.name}",
                    key=f"parameters.{name}",
                    found=name,
                    allowed=", ".join(values),
                )
            values[name] = value
        return values

    def pair(self, spectator: int) -> tuple[DecayParticle, DecayParticle]:
        """The particles (i, j) of a pair by its spectator."""
        i, j = pair_of(spectator)
        return self.particles[i], self.particles[j]
