"""The Standard Model with a Z' (PDG id 32): one more neutral vector boson that couples to fermions.

Its coupling to the left-handed fermions of a kind is kZP kZPfL times that of the Z, with f one of
u (u, c, t), d (d, s, b), l (e, mu, tau) and v (neutrinos), and to the right-handed ones kZP kZPfR
times that of the Z. By default all factors are 1: the sequential Z' of P. Langacker, Rev. Mod.
Phys. 81 (2009) 1199. Its vertices count as QED. It does not couple to bosons and does not mix with
the Z: where W bosons are radiated off fermions with it, nothing cancels their growth with energy.

The width is a parameter as others are and does not follow mass and couplings. The default is the
sum of the partial widths into all fermions at tree level at the default parameters: 29.526 GeV, of
which 3.18 each into u and c, 2.70 into t, 4.08 each into d, s and b, 0.921 into each charged lepton
and 1.82 into each kind of neutrino.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fabgen.model.base import Model, Particle, Vertex
from fabgen.model.sm import fermion_kind, standard_model

_ZPRIME = Particle("zp", "zp", 32, spin=3, colour=1, charge=0, mass="MZP", width="WZP")
#: Neutrinos have no right-handed partners, and no such coupling.
_FACTORS = ("kZP", "kZPuL", "kZPuR", "kZPdL", "kZPdR", "kZPlL", "kZPlR", "kZPvL")
_EXTERNAL = {"MZP": 1000.0, "WZP": 29.526, **dict.fromkeys(_FACTORS, 1.0)}


def zprime_model(name: str = "sm-zprime") -> Model:
    """The Standard Model with a Z', of the couplings of the Z by default."""
    base = standard_model(name)

    def derive(external: Mapping[str, Any]) -> dict[str, Any]:
        p = base.derive(external)
        for kind in "udlv":
            for side, letter in (("left", "L"), ("right", "R")):
                factor = p["kZP"] * p.get(f"kZP{kind}{letter}", 0.0)
                p[f"zp_{kind}_{side}"] = factor * p[f"z_{kind}_{side}"]
        return p

    return dataclasses.replace(
        base,
        particles=MappingProxyType({**base.particles, _ZPRIME.name: _ZPRIME}),
        vertices=(*base.vertices, *_vertices(base)),
        external=MappingProxyType({**base.external, **_EXTERNAL}),
        derive=derive,
        signed=base.signed | frozenset(_FACTORS),
    )


def _vertices(base: Model) -> tuple[Vertex, ...]:
    made = []
    for particle in base.particles.values():
        if not particle.is_fermion or particle.pdg < 0:
            continue
        kind = fermion_kind(particle)
        couplings = (f"zp_{kind}_left", f"zp_{kind}_right")
        colour = "delta" if particle.colour == 3 else "1"
        incoming = (particle.antiname, particle.name, _ZPRIME.name)
        made.append(Vertex(incoming, "FFV", couplings, colour, orders=(0, 1)))
    return tuple(made)
