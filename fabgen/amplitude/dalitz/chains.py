"""Decay chains as constant tables: which couplings, line shapes and d functions meet in a helicity.

Built once from a model with numpy. A line is a resonance with one production angular momentum; a
row of a chain's table is one combination of helicities of a spin J, shared by all lines of that J.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fabgen.amplitude.dalitz.angles import pair_of
from fabgen.amplitude.dalitz.model import AmplitudeModel, Resonance
from fabgen.amplitude.dalitz.spins import clebsch_gordan, projections, sign, small_d_terms


@dataclass(frozen=True)
class Line:
    """A resonance, by its number, with an angular momentum of its production."""

    resonance: int
    orbital: int


@dataclass(frozen=True, eq=False)
class ChainTable:
    """All resonances of one pair.

    couplings (rows, lines, couplings): complex factors, so that (couplings @ values) @ line shapes
    is what stands beside the d function of a row. monomials: exponents (cos, sin) of theta/2;
    d_functions (rows, monomials). helicities (amplitudes, rows): 1 where a row contributes to a
    helicity amplitude, in the order of itertools.product over the four particles.
    """

    spectator: int
    couplings: np.ndarray
    monomials: tuple[tuple[int, int], ...]
    d_functions: np.ndarray
    helicities: np.ndarray


def orbitals(resonance: Resonance) -> tuple[int, ...]:
    """The angular momenta of its production, each once."""
    found = (
        resonance.orbital_production if coupling.orbital is None else coupling.orbital[0]
        for coupling in resonance.production
    )
    return tuple(dict.fromkeys(found))


def model_lines(model: AmplitudeModel) -> tuple[Line, ...]:
    """Every line once, those of one kind of line shape together."""
    lines = [
        Line(number, orbital)
        for number, resonance in enumerate(model.resonances)
        for orbital in orbitals(resonance)
    ]
    kinds = [resonance.line_shape for resonance in model.resonances]
    return tuple(sorted(lines, key=lambda line: kinds.index(kinds[line.resonance])))


def chain_tables(model: AmplitudeModel, lines: tuple[Line, ...]) -> tuple[ChainTable, ...]:
    """The tables of the chains that have resonances."""
    used = sorted({resonance.spectator for resonance in model.resonances})
    return tuple(_table(model, lines, k) for k in used)


def _table(model: AmplitudeModel, lines: tuple[Line, ...], k: int) -> ChainTable:
    i, j = pair_of(k)
    spins = [particle.spin for particle in model.particles]
    amplitudes = list(itertools.product(*map(projections, spins)))
    rows: dict[tuple[int, ...], int] = {}
    entries = []
    offset = 0
    for number, resonance in enumerate(model.resonances):
        if resonance.spectator == k:
            parts = itertools.product(_production(model, resonance), resonance.decay)
            for (orbital, n, pair, weight), (first, second, decay) in parts:
                if abs(first - second) > resonance.spin:
                    continue
                row = rows.setdefault((resonance.spin, *pair, first, second), len(rows))
                # The two phases (-1)^(j - l): of the spectator and of the second of the pair.
                phase = sign(spins[k] - pair[1]) * sign(spins[j] - second)
                line = lines.index(Line(number, orbital))
                entries.append((row, line, offset + n, resonance.sign * phase * weight * decay))
        offset += len(resonance.production)

    couplings = np.zeros((len(rows), len(lines), offset), dtype=complex)
    for row, line, coupling, factor in entries:
        couplings[row, line, coupling] += factor
    helicities = np.zeros((len(amplitudes), len(rows)))
    monomials: dict[tuple[int, int], int] = {}
    terms = []
    for (spin, helicity, spectator, first, second), row in rows.items():
        of = {0: helicity - spectator, k: spectator, i: first, j: second}
        helicities[amplitudes.index(tuple(of[n] for n in range(4))), row] = 1.0
        for exponents, coefficient in small_d_terms(spin, helicity, first - second):
            terms.append((row, monomials.setdefault(exponents, len(monomials)), coefficient))
    d_functions = np.zeros((len(rows), len(monomials)))
    for row, monomial, coefficient in terms:
        d_functions[row, monomial] += coefficient
    return ChainTable(k, couplings, tuple(monomials), d_functions, helicities)


def _production(
    model: AmplitudeModel, resonance: Resonance
) -> Iterator[tuple[int, int, tuple[int, int], float]]:
    """Helicity couplings of 0 -> R k: angular momentum of the line, number of the coupling in the
    resonance's list, helicities of R and k, factor.

    From L and S to helicities: M. Jacob and G. C. Wick, Ann. Phys. 7 (1959) 404.
    """
    parent, spectator = model.particles[0].spin, model.particles[resonance.spectator].spin
    for n, coupling in enumerate(resonance.production):
        if coupling.helicities is not None:
            yield resonance.orbital_production, n, coupling.helicities, 1.0
            continue
        assert coupling.orbital is not None
        orbital, total = coupling.orbital
        norm = math.sqrt((2 * orbital + 1) / (parent + 1))
        for a, b in itertools.product(projections(resonance.spin), projections(spectator)):
            factor = clebsch_gordan(resonance.spin, a, spectator, -b, total, a - b)
            factor *= clebsch_gordan(2 * orbital, 0, total, a - b, parent, a - b)
            if factor:
                yield orbital, n, (a, b), norm * factor
