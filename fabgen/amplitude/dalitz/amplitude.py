"""The amplitude of a three-body decay from its model.

M. Mikhasenko et al., arXiv:1910.04566, with helicity couplings as LHCb quotes them
(arXiv:2208.03262): for a chain with spectator k

    A^k[l0, l1, l2, l3] = sum_R sum_lR delta(l0, lR - lk)
        (-1)^(jk - lk) H_R[lR, lk]  X_R(s_k) d^J_{lR, li - lj}(theta_ij)  (-1)^(jj - lj) h_R[li, lj]

and all chains together, turned to the helicity axes of the reference chains r,

    O[l0, l1, l2, l3] = sum_k sum_l' d_{l0, l0'}(zeta^0_k(r)) A^k[l'] prod_n d_{ln', ln}(zeta^n_k(r)).

The intensity is the sum of |O|^2 over all helicities: no average, no constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.amplitude.dalitz.angles import DecayPlane, pair_of
from fabgen.amplitude.dalitz.chains import ChainTable, Line, chain_tables, model_lines
from fabgen.amplitude.dalitz.lineshapes import LINE_SHAPES, Decay
from fabgen.amplitude.dalitz.model import RADIUS_DECAY, RADIUS_PRODUCTION, AmplitudeModel
from fabgen.amplitude.dalitz.spins import monomial, small_d

#: Parameters of a model by name: scalars, traced or not, or one value per event.
Values = Mapping[str, Any]


class DalitzAmplitude:
    """The amplitude of one model.

    The work is done on arrays of all resonances at once: one evaluation of each kind of line shape,
    and per chain a product of matrices for couplings and d functions. Real and imaginary parts are
    kept apart, on the first axis, because everything but line shapes and couplings is real.
    """

    def __init__(self, model: AmplitudeModel):
        self.model = model
        self._lines = model_lines(model)
        self._chains = chain_tables(model, self._lines)
        self._couplings = [c for resonance in model.resonances for c in resonance.production]

    def intensity(self, sigma: Array, values: Values) -> Array:
        """The intensity (events,) at invariants sigma (3, events) in GeV^2."""
        plane, shapes, couplings = self._parts(sigma, values)
        total = jnp.zeros(())
        for chain in self._chains:
            total = total + self._aligned(chain, self._chain(chain, plane, shapes, couplings), plane)
        return (total**2).sum(axis=(0, 1, 2, 3, 4))

    def resonance_intensities(self, sigma: Array, values: Values) -> Array:
        """What each resonance would give alone, (resonances, events).

        Turning the spins of a single chain does not change the sum over helicities.
        """
        plane, shapes, couplings = self._parts(sigma, values)
        owner = np.array([line.resonance for line in self._lines])

        def alone(number: Array) -> Array:
            mine = jnp.where(owner[:, None] == number, shapes, 0.0)
            parts = (self._chain(chain, plane, mine, couplings) for chain in self._chains)
            return sum((part**2).sum(axis=(0, 1, 2, 3, 4)) for part in parts)

        return jax.vmap(alone)(jnp.arange(len(self.model.resonances)))

    def amplitudes(self, sigma: Array, values: Values) -> Array:
        """O (2 j0 + 1, ..., 2 j3 + 1, events), complex, from the lowest helicities on."""
        plane, shapes, couplings = self._parts(sigma, values)
        total = sum(
            self._aligned(chain, self._chain(chain, plane, shapes, couplings), plane)
            for chain in self._chains
        )
        return total[0] + 1j * total[1]

    def line_shapes(self, sigma: Array, values: Values) -> Array:
        """X (lines, events), complex: of every resonance with each of its production L."""
        return self._line_shapes(self._plane(sigma, values), values)

    def _parts(self, sigma: Array, values: Values) -> tuple[DecayPlane, Array, Array]:
        """Angles, line shapes (lines, events) and couplings (couplings, 1 or events)."""
        plane = self._plane(sigma, values)
        real = _rows([c.real for c in self._couplings], values)
        imaginary = _rows([c.imaginary for c in self._couplings], values)
        return plane, self._line_shapes(plane, values), real + 1j * imaginary

    def _plane(self, sigma: Array, values: Values) -> DecayPlane:
        return DecayPlane(sigma, [values[p.mass] for p in self.model.particles])

    def _line_shapes(self, plane: DecayPlane, values: Values) -> Array:
        shapes: list[Array] = [jnp.zeros(())] * len(self._lines)
        names = [self.model.resonances[line.resonance].line_shape for line in self._lines]
        for name in dict.fromkeys(names):
            numbers = [n for n, other in enumerate(names) if other == name]
            lines = [self._lines[n] for n in numbers]
            for n, shape in zip(numbers, self._one_shape(name, lines, plane, values), strict=True):
                shapes[n] = shape
        return jnp.stack(shapes)

    def _one_shape(
        self, name: str, lines: Sequence[Line], plane: DecayPlane, values: Values
    ) -> Array:
        """The lines of one kind of line shape, (lines, events)."""
        resonances = [self.model.resonances[line.resonance] for line in lines]
        particles = self.model.particles
        spectators = [r.spectator for r in resonances]
        pairs = [pair_of(k) for k in spectators]
        coupled = [r.coupled for r in resonances if r.coupled is not None]
        decay = Decay(
            s=jnp.stack([plane.sigma[k] for k in spectators]),
            parent=_rows([particles[0].mass], values),
            spectator=_rows([particles[k].mass for k in spectators], values),
            pair=(
                _rows([particles[i].mass for i, _ in pairs], values),
                _rows([particles[j].mass for _, j in pairs], values),
            ),
            orbital_production=np.array([[line.orbital] for line in lines]),
            orbital_decay=np.array([[r.orbital_decay] for r in resonances]),
            radius_production=_rows([RADIUS_PRODUCTION], values),
            radius_decay=_rows([RADIUS_DECAY], values),
            coupled=(
                _rows([first for first, _ in coupled], values),
                _rows([second for _, second in coupled], values),
            )
            if coupled
            else None,
        )
        shape = LINE_SHAPES[name]
        parameters = {
            key: _rows([r.parameters[key] for r in resonances], values) for key in shape.parameters
        }
        return jnp.broadcast_to(shape.value(decay, parameters), decay.s.shape)

    def _chain(
        self, chain: ChainTable, plane: DecayPlane, shapes: Array, couplings: Array
    ) -> Array:
        """A^k, real and imaginary part: (2, 2 j0 + 1, ..., 2 j3 + 1, events)."""
        factors = chain.couplings @ couplings
        if factors.shape[-1] == 1:
            produced = _complex_product(factors[..., 0], shapes)
        else:  # couplings with one value per event
            both = (factors * shapes).sum(axis=1)
            produced = jnp.stack([both.real, both.imag])
        theta = plane.helicity_angle(chain.spectator)
        monomials = jnp.stack([monomial(theta, powers) for powers in chain.monomials])
        amplitudes = chain.helicities @ (produced * (chain.d_functions @ monomials))
        return amplitudes.reshape(
            2, *(p.spin + 1 for p in self.model.particles), amplitudes.shape[-1]
        )

    def _aligned(self, chain: ChainTable, amplitudes: Array, plane: DecayPlane) -> Array:
        """The chain with the spins of all four particles turned to the reference axes."""
        for n, particle in enumerate(self.model.particles):
            angle = plane.alignment(n, chain.spectator, self.model.reference)
            if particle.spin == 0 or angle is None:
                continue
            # d_{l0, l0'} for the decaying particle, d_{ln', ln} for a product.
            matrix = small_d(particle.spin, angle if n == 0 else -angle)
            last = jnp.moveaxis(amplitudes, n + 1, -2)
            turned = [(row * last).sum(axis=-2) for row in matrix]
            amplitudes = jnp.moveaxis(jnp.stack(turned, axis=-2), -2, n + 1)
        return amplitudes


def _rows(names: Sequence[str], values: Values) -> Array:
    """Parameters as (names, 1), or (names, events) where one of them has a value per event."""
    rows = [values[name] for name in names]
    if all(isinstance(row, float) for row in rows):
        return np.array(rows)[:, None]  # a constant of the compiled program, not one per entry
    rows = [jnp.atleast_1d(jnp.asarray(row, dtype=float)) for row in rows]
    return jnp.stack(jnp.broadcast_arrays(*rows))


def _complex_product(matrix: Array, columns: Array) -> Array:
    """Real and imaginary part (2, rows, events) of matrix (rows, k) @ columns (k, events)."""
    parts = jnp.concatenate([columns.real, columns.imag])
    real = jnp.concatenate([matrix.real, -matrix.imag], axis=1)
    imaginary = jnp.concatenate([matrix.imag, matrix.real], axis=1)
    return jnp.stack([real @ parts, imaginary @ parts])
