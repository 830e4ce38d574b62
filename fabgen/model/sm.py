"""The Standard Model at tree level in unitary gauge (Feynman gauge for gluon and photon).

Parameters as in MadGraph's `sm`: alpha_EW(MZ), Gf and MZ are the electroweak inputs, the CKM matrix
is the unit matrix, the light fermions are massless. Feynman rules as in M.E. Peskin and
D.V. Schroeder, An Introduction to Quantum Field Theory, with
D_mu = d_mu - i g T^a A^a_mu - i g W^a tau^a/2 - i g' Y B: every fermion couples to the photon with
+i e Q.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from fabgen.arrays import array_module
from fabgen.model.base import ZERO, Model, Particle, Vertex

_EXTERNAL = {
    "aEWM1": 132.507,
    "Gf": 1.16639e-5,
    "aS": 0.118,
    "MZ": 91.188,
    "MT": 173.0,
    "MB": 4.7,
    "MTA": 1.777,
    "MH": 125.0,
    "ymb": 4.7,
    "ymt": 173.0,
    "ymtau": 1.777,
    "WT": 1.4915,
    "WZ": 2.441404,
    "WW": 2.0476,
    "WH": 6.382339e-3,
}

# name, antiname, pdg, three times the charge, mass, width, Yukawa mass
_QUARKS = (
    ("u", "u~", 2, 2, ZERO, ZERO, None),
    ("d", "d~", 1, -1, ZERO, ZERO, None),
    ("c", "c~", 4, 2, ZERO, ZERO, None),
    ("s", "s~", 3, -1, ZERO, ZERO, None),
    ("t", "t~", 6, 2, "MT", "WT", "ymt"),
    ("b", "b~", 5, -1, "MB", ZERO, "ymb"),
)
_LEPTONS = (
    ("ve", "ve~", 12, 0, ZERO, ZERO, None),
    ("e-", "e+", 11, -3, ZERO, ZERO, None),
    ("vm", "vm~", 14, 0, ZERO, ZERO, None),
    ("mu-", "mu+", 13, -3, ZERO, ZERO, None),
    ("vt", "vt~", 16, 0, ZERO, ZERO, None),
    ("ta-", "ta+", 15, -3, "MTA", ZERO, "ymtau"),
)
_BOSONS = (
    Particle("g", "g", 21, spin=3, colour=8, charge=0),
    Particle("a", "a", 22, spin=3, colour=1, charge=0),
    Particle("z", "z", 23, spin=3, colour=1, charge=0, mass="MZ", width="WZ"),
    Particle("w+", "w-", 24, spin=3, colour=1, charge=3, mass="MW", width="WW"),
    Particle("h", "h", 25, spin=1, colour=1, charge=0, mass="MH", width="WH"),
)


def _fermions(massless: frozenset[str]) -> list[tuple[Particle, str | None]]:
    """All fermions with their Yukawa masses; up and down members of a doublet follow each other."""
    fermions = []
    for table, colour, lepton in ((_QUARKS, 3, 0), (_LEPTONS, 1, 1)):
        for name, antiname, pdg, charge, mass, width, yukawa in table:
            if name in massless:
                mass, yukawa = ZERO, None
            particle = Particle(name, antiname, pdg, 2, colour, charge, mass, width, lepton)
            fermions.append((particle, yukawa))
    return fermions


def fermion_kind(particle: Particle) -> str:
    """The letter of a fermion in the names of couplings: u, d, v (neutrinos) or l."""
    return {2: "u", -1: "d", 0: "v", -3: "l"}[particle.charge]


def _fermion_vertices(fermions: list[tuple[Particle, str | None]]) -> list[Vertex]:
    vertices = []
    for particle, yukawa in fermions:
        name, anti, colour = particle.name, particle.antiname, "1"
        if particle.colour == 3:
            colour = "delta"
            vertices.append(Vertex((anti, name, "g"), "FFV", ("gs", "gs"), "T", orders=(1, 0)))
        kind = fermion_kind(particle)
        if particle.charge:
            photon = (f"a_{kind}", f"a_{kind}")
            vertices.append(Vertex((anti, name, "a"), "FFV", photon, colour, orders=(0, 1)))
        weak = (f"z_{kind}_left", f"z_{kind}_right")
        vertices.append(Vertex((anti, name, "z"), "FFV", weak, colour, orders=(0, 1)))
        if yukawa is not None:
            higgs = (f"h_{name}", f"h_{name}")
            vertices.append(Vertex((anti, name, "h"), "FFS", higgs, colour, orders=(0, 1)))
    for (up, _), (down, _) in zip(fermions[::2], fermions[1::2], strict=True):
        colour = "delta" if up.colour == 3 else "1"
        for incoming in (
            (down.antiname, up.name, "w-"),
            (up.antiname, down.name, "w+"),
        ):
            vertices.append(Vertex(incoming, "FFV", ("w_f", ZERO), colour, orders=(0, 1)))
    return vertices


# Quartic gauge vertices: 2 g12 g34 - g13 g24 - g14 g23, times a coupling that carries the sign.
_QUARTIC = (2, -1, -1)
_BOSON_VERTICES = (
    Vertex(("g", "g", "g"), "VVV", ("ggg",), "if", orders=(1, 0)),
    Vertex(("g", "g", "g", "g"), "VVVV", ("gggg",), "ff:12|34", (0, 1, -1), (2, 0)),
    Vertex(("g", "g", "g", "g"), "VVVV", ("gggg",), "ff:13|24", (1, 0, -1), (2, 0)),
    Vertex(("g", "g", "g", "g"), "VVVV", ("gggg",), "ff:14|23", (1, -1, 0), (2, 0)),
    Vertex(("w+", "w-", "a"), "VVV", ("wwa",), orders=(0, 1)),
    Vertex(("w+", "w-", "z"), "VVV", ("wwz",), orders=(0, 1)),
    Vertex(("w+", "w+", "w-", "w-"), "VVVV", ("wwww",), "1", _QUARTIC, (0, 2)),
    Vertex(("w+", "w-", "a", "a"), "VVVV", ("wwaa",), "1", _QUARTIC, (0, 2)),
    Vertex(("w+", "w-", "a", "z"), "VVVV", ("wwaz",), "1", _QUARTIC, (0, 2)),
    Vertex(("w+", "w-", "z", "z"), "VVVV", ("wwzz",), "1", _QUARTIC, (0, 2)),
    Vertex(("w+", "w-", "h"), "VVS", ("wwh",), orders=(0, 1)),
    Vertex(("z", "z", "h"), "VVS", ("zzh",), orders=(0, 1)),
    Vertex(("w+", "w-", "h", "h"), "VVSS", ("wwhh",), orders=(0, 2)),
    Vertex(("z", "z", "h", "h"), "VVSS", ("zzhh",), orders=(0, 2)),
    Vertex(("h", "h", "h"), "SSS", ("hhh",), orders=(0, 1)),
    Vertex(("h", "h", "h", "h"), "SSSS", ("hhhh",), orders=(0, 2)),
)


def _derive(external: Mapping[str, Any]) -> dict[str, Any]:
    """Masses, widths and couplings from the external parameters (scalars or per event).

    NumPy's of plain numbers: what JAX compiles for so few operations takes a third of a second.
    """
    with np.errstate(all="ignore"):  # what has no solution is refused by whoever reads it
        return _derived(external, array_module(list(external.values())))


def _derived(external: Mapping[str, Any], where: Any) -> dict[str, Any]:
    """where: NumPy or JAX."""
    p = dict(external)
    mz2 = p["MZ"] ** 2
    alpha = 1.0 / p["aEWM1"]
    mw2 = mz2 / 2 + where.sqrt(mz2**2 / 4 - alpha * math.pi * mz2 / (p["Gf"] * math.sqrt(2.0)))
    sw2 = 1.0 - mw2 / mz2
    sw, cw = where.sqrt(sw2), where.sqrt(1.0 - sw2)
    e = where.sqrt(4 * math.pi * alpha)
    g = e / sw
    gs = where.sqrt(4 * math.pi * where.asarray(p["aS"]))
    mw = where.sqrt(mw2)
    vev = 2 * mw / g
    p |= {"MW": mw, "sw2": sw2, "ee": e, "G": gs, "vev": vev}

    for kind, charge, isospin in (
        ("u", 2 / 3, 0.5),
        ("d", -1 / 3, -0.5),
        ("v", 0.0, 0.5),
        ("l", -1.0, -0.5),
    ):
        p[f"a_{kind}"] = 1j * e * charge
        p[f"z_{kind}_left"] = 1j * g / cw * (isospin - charge * sw2)
        p[f"z_{kind}_right"] = 1j * g / cw * (-charge * sw2)
    p["w_f"] = 1j * g / math.sqrt(2.0)
    p["gs"] = 1j * gs
    # The colour structure of ggg is i f^{abc}, that of W+ W- V (-i) c_V instead of f^{abc}.
    p["ggg"] = -1j * gs
    p["gggg"] = -1j * gs**2
    p["wwa"] = -1j * e
    p["wwz"] = -1j * g * cw
    p["wwww"] = 1j * g**2
    p["wwaa"] = -1j * e**2
    p["wwaz"] = -1j * e * g * cw
    p["wwzz"] = -1j * (g * cw) ** 2
    p["wwh"] = 1j * g * mw
    p["zzh"] = 1j * g / cw * p["MZ"]
    p["wwhh"] = 1j * g**2 / 2
    p["zzhh"] = 1j * (g / cw) ** 2 / 2
    p["hhh"] = -3j * p["MH"] ** 2 / vev
    p["hhhh"] = -3j * (p["MH"] / vev) ** 2
    for fermion, mass in (("t", "ymt"), ("b", "ymb"), ("ta-", "ymtau")):
        if mass in p:
            p[f"h_{fermion}"] = -1j * p[mass] / vev
    return p


def standard_model(name: str = "sm", massless: frozenset[str] = frozenset()) -> Model:
    """The Standard Model; `massless` names fermions whose mass and Yukawa coupling are dropped."""
    fermions = _fermions(massless)
    particles = {}
    for particle in [p for p, _ in fermions] + list(_BOSONS):
        particles[particle.name] = particle
        particles[particle.antiname] = particle.anti()
    dropped = {"b": ("MB", "ymb"), "ta-": ("MTA", "ymtau")}
    hidden = {parameter for fermion in massless for parameter in dropped[fermion]}
    light = ("u", "c", "d", "s") + (("b",) if "b" in massless else ())
    jet = ("g", *light, *(f"{quark}~" for quark in light))
    return Model(
        name=name,
        particles=MappingProxyType(particles),
        vertices=(*_fermion_vertices(fermions), *_BOSON_VERTICES),
        external=MappingProxyType({k: v for k, v in _EXTERNAL.items() if k not in hidden}),
        derive=_derive,
        multiparticles=MappingProxyType(
            {
                "p": jet,
                "j": jet,
                "l+": ("e+", "mu+"),
                "l-": ("e-", "mu-"),
                "vl": ("ve", "vm", "vt"),
                "vl~": ("ve~", "vm~", "vt~"),
            }
        ),
        families=(
            (("u", "u~", "d", "d~"), ("c", "c~", "s", "s~")),
            (("ve", "ve~", "e-", "e+"), ("vm", "vm~", "mu-", "mu+")),
        ),
        signed=frozenset({"ymb", "ymt", "ymtau"}),
    )
