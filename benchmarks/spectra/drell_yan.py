"""Drell-Yan pairs of protons by direct convolution: spectra to compare events with.

Closed form at leading order: photon and Z with their interference, massless quarks and leptons,

    d sigma / (dm dy dc) = 2 m/S sum_q [f_q(x1) f_q~(x2) s_q(m, c) + f_q~(x1) f_q(x2) s_q(m, -c)]
    s_q(m, c) = 3/8 [(1 + c)^2 (s_LL + s_RR) + (1 - c)^2 (s_LR + s_RL)]
    s_ab = m^2/(144 pi) |e^2 Q_q Q_l/m^2 + g_qa g_lb/(m^2 - M_Z^2 + i M_Z Gamma_Z)|^2

with x1, x2 = m/sqrt(S) exp(+-y), c the cosine between the first beam and the lepton e-, s_ab of
quarks of helicity a and leptons of helicity b; 144 is 48 times three colours (M.E. Peskin and
D.V. Schroeder, An Introduction to Quantum Field Theory, chapter 5.1, has the photon). Nothing but
the densities and the parameters comes from fabgen.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: x f(x, mu) (flavours, points) of PDG ids at x (points,).
PartonDensities = Callable[[Sequence[int], Floats], Floats]

#: (hbar c)^2 in pb GeV^2 (CODATA 2018).
_PB = 3.893793721e8
_CHARGES = {1: -1 / 3, 2: 2 / 3, 3: -1 / 3, 4: 2 / 3, 5: -1 / 3, 11: -1.0}
#: Panels in m between these places (GeV), where the resonance turns.
_TURNS = (60, 75, 84, 87, 89, 90, 90.6, 91.2, 91.8, 92.4, 93.5, 95.5, 99, 107, 120)
_TURNS += (150, 200, 300, 450, 700, 1000, 1500, 2300, 3500, 5500, 9000)


@dataclass(frozen=True)
class DrellYan:
    """Pairs above `lowest` GeV from two protons of sqrt(S) = energy GeV.

    parameters: aEWM1, Gf, MZ, WZ (GeV). masses (GeV), rapidities: edges of bins, where panels of
    the quadrature end; nodes: Gauss points of each panel. quarks: PDG ids.
    """

    energy: float
    lowest: float
    parameters: Mapping[str, float]
    densities: PartonDensities
    masses: Floats
    rapidities: Floats
    nodes: int = 6
    quarks: Sequence[int] = (1, 2, 3, 4)

    def of_mass(self, edges: Floats) -> Floats:
        """pb in bins of m."""
        mass, _, even, _ = self._table
        return np.histogram(mass, edges, weights=even.sum(axis=1))[0]

    def of_rapidity(self, edges: Floats) -> Floats:
        """pb in bins of y."""
        _, y, even, _ = self._table
        return np.histogram(y, edges, weights=even.sum(axis=0))[0]

    def of_cosine(self, edges: Floats) -> Floats:
        """pb in bins of c sign(y)."""
        _, y, even, odd = self._table
        symmetric, turned = 0.375 * (edges + edges**3 / 3.0), 0.375 * edges**2
        return np.diff(symmetric) * even.sum() + np.diff(turned) * np.sum(odd * np.sign(y))

    @functools.cached_property
    def _table(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Points in m and y, and pb of each (m, y): times 3/8 (1 + c^2), times 3/8 2 c."""
        end = math.log(self.energy / self.lowest)
        between = [*self.masses, *_TURNS, self.lowest, self.energy]
        mass, dm = _panels(between, self.lowest, self.energy, self.nodes)
        y, dy = _panels([*self.rapidities, *np.linspace(-end, end, 61)], -end, end, self.nodes)
        weights = _PB * (2.0 * mass * dm / self.energy**2)[:, None] * dy
        even, odd = self._coefficients(mass, y)
        return mass, y, even * weights, odd * weights

    def _coefficients(self, mass: Floats, y: Floats) -> tuple[Floats, Floats]:
        """What stands before 3/8 (1 + c^2) and 3/8 2 c in the sum over quarks, (m, y)."""
        ratio = mass[:, None] / self.energy
        ids = [*self.quarks, *(-quark for quark in self.quarks)]
        n = len(self.quarks)
        first, second = (self._at(ids, ratio * np.exp(sign * y)) for sign in (1.0, -1.0))
        even = odd = np.zeros((len(mass), len(y)))
        for number, quark in enumerate(self.quarks):
            same, opposite = (s[:, None] for s in self._partonic(quark, mass))
            ahead = first[number] * second[n + number]  # the quark comes from the first beam
            back = first[n + number] * second[number]
            even = even + (ahead + back) * (same + opposite)
            odd = odd + (ahead - back) * (same - opposite)
        return even, odd

    def _at(self, ids: Sequence[int], x: Floats) -> Floats:
        """f of flavours at x (m, y): 0 where x is above one."""
        inside = x < 1.0
        found = np.zeros((len(ids), *x.shape))
        found[:, inside] = self.densities(ids, x[inside]) / x[inside]
        return found

    def _partonic(self, quark: int, mass: Floats) -> tuple[Floats, Floats]:
        """s_LL + s_RR and s_LR + s_RL in GeV^-2."""
        p = self.parameters
        e2 = 4.0 * math.pi / p["aEWM1"]
        # sin^2 cos^2 of the weak angle, from G_F = e^2/(4 sqrt(2) sin^2 cos^2 M_Z^2)
        both = e2 / (4.0 * math.sqrt(2.0) * p["Gf"] * p["MZ"] ** 2)
        sin2 = 0.5 - math.sqrt(0.25 - both)

        def z(pdg: int) -> tuple[float, float]:
            charge = _CHARGES[pdg]
            isospin = 0.5 if charge > 0.0 else -0.5
            return isospin - charge * sin2, -charge * sin2

        s = mass**2
        photon = _CHARGES[quark] * _CHARGES[11] / s
        resonance = 1.0 / (s - p["MZ"] ** 2 + 1j * p["MZ"] * p["WZ"])
        sums = {True: np.zeros_like(mass), False: np.zeros_like(mass)}
        for a, b in itertools.product((0, 1), repeat=2):
            amplitude = e2 * (photon + z(quark)[a] * z(11)[b] / both * resonance)
            sums[a == b] += s / (144.0 * math.pi) * np.abs(amplitude) ** 2
        return sums[True], sums[False]


def _panels(edges: Sequence[float], low: float, high: float, nodes: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre points and weights on all panels between edges from low to high."""
    ends = np.unique(np.clip(edges, low, high))
    x, w = np.polynomial.legendre.leggauss(nodes)
    half = 0.5 * np.diff(ends)[:, None]
    middle = 0.5 * (ends[1:] + ends[:-1])[:, None]
    return (middle + half * x).ravel(), (half * w).ravel()
