"""The processes whose spectra are compared: their observables, and what these are compared with."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from fabgen.beams.pdf import DEFAULT_SET, load_member, xf
from fabgen.model import load_model
from spectra.compare import Floats, Observable, Reference
from spectra.drell_yan import DrellYan

DATA = Path(__file__).parent.parent / "data" / "wj_pt.json"
#: GeV: both scales, each beam, the least m(ll).
MU, BEAM, LOWEST = 91.188, 6500.0, 50.0


@dataclass(frozen=True)
class Process:
    """tables: of the card. particles: PDG ids of the final particles whose momenta, (particles, 4,
    n) as (E, px, py, pz) in GeV, `values` takes to (n,) of each observable. references: of each
    observable, the first of them for pictures."""

    name: str
    tables: Mapping[str, Mapping[str, float]]
    particles: tuple[int, ...]
    observables: tuple[Observable, ...]
    values: Callable[[Floats], Sequence[Floats]]
    references: Callable[[], Sequence[Sequence[Reference]]]

    def card(self, **others: Any) -> dict[str, Any]:
        """A card as a table; others: tables besides."""
        return {
            "process": self.name,
            "beams": {"kind": "proton", "energy": [BEAM, BEAM]},
            "scales": {"renormalization": MU, "factorization": MU},
            **self.tables,
            **others,
        }


_MASSES = (LOWEST, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100, 110, 120, 140, 160, 180, 200, 250, 300)
_AT_Z = (
    84,
    85,
    86,
    87,
    88,
    88.5,
    89,
    89.5,
    *np.arange(90, 92.5, 0.2),
    93,
    93.5,
    94,
    95,
    96,
    97,
    98,
)
PAIRS = (
    Observable("m(ll)", r"m(e^+e^-)", "GeV", np.array(_MASSES), above=True, log=True),
    Observable("m(ll), Z", r"m(e^+e^-)", "GeV", np.array(_AT_Z), below=True, above=True),
    Observable("y(ll)", r"y(e^+e^-)", "", np.linspace(-4.25, 4.25, 35), below=True, above=True),
    Observable("cos(e-) sign(y)", r"\cos\theta(e^-)\,\mathrm{sign}\,y", "", np.linspace(-1, 1, 21)),
)
_KNOWN = json.loads(DATA.read_text(encoding="utf-8"))
W_PT = Observable(
    "pT(W)", r"p_\mathrm{T}(W^+)", "GeV", np.array(_KNOWN["edges"]), above=True, log=True
)


def pair_values(momenta: Floats) -> tuple[Floats, ...]:
    """Of e- and e+: m twice, y, and the cosine between e- and the beam along which both move."""
    energy, x, y, z = momenta.sum(axis=0)
    rapidity = np.arctanh(z / energy)
    of_each = np.arcsinh(momenta[:, 3] / np.hypot(momenta[:, 1], momenta[:, 2]))
    cosine = np.tanh(0.5 * (of_each[0] - of_each[1]))
    m = np.sqrt(energy**2 - x**2 - y**2 - z**2)
    return m, m, rapidity, cosine * np.sign(rapidity)


@functools.cache
def pair_references() -> Sequence[Sequence[Reference]]:
    """By quadrature; its error is the difference to one with half of the points each way."""
    densities = load_member(DEFAULT_SET).densities

    def x_f(flavours: Sequence[int], x: Floats) -> Floats:
        return np.asarray(xf(densities, jnp.asarray(x), jnp.full(x.shape, MU), flavours))

    in_mass, in_rapidity, in_cosine = PAIRS[:2], PAIRS[2], PAIRS[3]
    masses = np.concatenate([observable.edges for observable in in_mass])

    def spectra(nodes: int) -> list[Floats]:
        parameters = load_model("sm").external
        known = DrellYan(
            2.0 * BEAM, LOWEST, parameters, x_f, masses, in_rapidity.edges, nodes=nodes
        )
        return [
            *(known.of_mass(observable.bounds) for observable in in_mass),
            known.of_rapidity(in_rapidity.bounds),
            known.of_cosine(in_cosine.edges),
        ]

    return [
        [Reference("direct convolution", fine, np.abs(fine - coarse))]
        for fine, coarse in zip(spectra(8), spectra(4), strict=True)
    ]


def w_values(momenta: Floats) -> tuple[Floats]:
    """pT of the W."""
    return (np.hypot(momenta[0, 1], momenta[0, 2]),)


@functools.cache
def w_references() -> Sequence[Sequence[Reference]]:
    """Two other programs; of one the total is known, hence what is beyond its bins: with the error
    of all of them."""
    first, second = _KNOWN["samples"]
    beyond = _KNOWN["total_pb"] - sum(first["pb"])
    pb, error = np.array([*first["pb"], beyond]), np.array(first["error"])
    whole = Reference(first["label"], pb, np.append(error, np.linalg.norm(error)))
    bins = Reference(second["label"], np.array(second["pb"]), np.array(second["error"]), False)
    return [[whole, bins]]


PROCESSES = {
    "ee": Process(
        "p p > e+ e-",
        {"cuts": {"mmll": LOWEST}},
        (11, -11),
        PAIRS,
        pair_values,
        pair_references,
    ),
    "wj": Process(
        "p p > w+ j",
        {"cuts": {"ptj": 30.0, "etaj": 5.0}},
        (24,),
        (W_PT,),
        w_values,
        w_references,
    ),
}
