"""The amplitude of a three-body decay from its model.

M. Mikhasenko et al., arXiv:1910.04566, with helicity couplings as LHCb quotes them
(arXiv:2208.03262): for a chain with spectator k

    A^k[l0, l1, l2, l3] = sum_R sum_lR delta(l0, lR - lk)
        (-1)^(jk - lk) H_R[lR, lk]  X_R(s_k) d^J_{lR, li - lj}(theta_ij)  (-1)^(jj - lj) h_R[li, lj]

and all chains together, turned to the helicity axes of the reference chains r,

    O[l0, l1, l2, l3] = sum_k sum_l' d_{l0, l0'}(zeta^0_k(r)) A^k[l0', l1', l2', l3']
        prod_n d_{ln', ln}(zeta^n_k(r)).

The intensity is the sum of |O|^2 over all helicities: no average, no constants.
"""

from __future__ import annotations

import itertools
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
    and per chain a product of matrices for couplings and d functions. Complex arrays have their
    real and imaginary parts on the first axis: nearly all that they are multiplied with is real.
    """

    def __init__(self, model: AmplitudeModel):
        self.model = model
        #: Resonances with their production L, in the order of the line shapes.
        self.lines = model_lines(model)
        self._chains = chain_tables(model, self.lines)
        self._couplings = [c for resonance in model.resonances for c in resonance.production]

    def intensity(self, sigma: Array, values: Values) -> Array:
        """The intensity (events,) at invariants sigma (3, events) in GeV^2."""
        return _square(self._amplitudes(sigma, values))

    def resonance_intensities(self, sigma: Array, values: Values) -> Array:
        """The intensity of each resonance alone, (resonances, events).

        Turning the spins of a single chain does not change the sum over helicities.
        """
        plane, shapes, couplings = self._parts(sigma, values)
        owner = np.array([line.resonance for line in self.lines])

        def alone(number: Array) -> Array:
            mine = jnp.where((owner == number)[:, None], shapes, 0.0)
            total = jnp.zeros(())
            for chain in self._chains:
                total = total + _square(self._chain(chain, plane, mine, couplings))
            return total

        return jax.vmap(alone)(jnp.arange(len(self.model.resonances)))

    def amplitudes(self, sigma: Array, values: Values) -> Array:
        """O (2 j0 + 1, ..., 2 j3 + 1, events), complex, from the lowest helicities on."""
        total = self._amplitudes(sigma, values)
        return total[0] + 1j * total[1]

    def _amplitudes(self, sigma: Array, values: Values) -> Array:
        plane, shapes, couplings = self._parts(sigma, values)
        total = jnp.zeros(())
        for chain in self._chains:
            own = self._chain(chain, plane, shapes, couplings)
            total = total + self._aligned(chain, own, plane)
        return total

    def _parts(self, sigma: Array, values: Values) -> tuple[DecayPlane, Array, Array]:
        """Angles, line shapes (2, lines, events) and couplings (2, couplings, 1 or events)."""
        plane = self._plane(sigma, values)
        names = [c.real for c in self._couplings] + [c.imaginary for c in self._couplings]
        couplings = _rows(names, values).reshape(2, len(self._couplings), -1)
        return plane, self._line_shapes(plane, values), couplings

    def _plane(self, sigma: Array, values: Values) -> DecayPlane:
        return DecayPlane(sigma, [values[p.mass] for p in self.model.particles])

    def _line_shapes(self, plane: DecayPlane, values: Values) -> Array:
        groups = itertools.groupby(
            self.lines, lambda line: self.model.resonances[line.resonance].line_shape
        )
        return jnp.concatenate(
            [self._one_shape(name, list(lines), plane, values) for name, lines in groups], axis=1
        )

    def _one_shape(
        self, name: str, lines: Sequence[Line], plane: DecayPlane, values: Values
    ) -> Array:
        """The lines of one kind of line shape, (2, lines, events)."""
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
        return jnp.broadcast_to(shape.value(decay, parameters), (2, *decay.s.shape))

    def _chain(
        self, chain: ChainTable, plane: DecayPlane, shapes: Array, couplings: Array
    ) -> Array:
        """A^k, real and imaginary part: (2, 2 j0 + 1, ..., 2 j3 + 1, events)."""
        real, imaginary = (jnp.asarray(chain.couplings) @ part for part in couplings)
        produced = _product(real.real - imaginary.imag, real.imag + imaginary.real, shapes)
        theta = plane.helicity_angle(chain.spectator)
        monomials = jnp.stack([monomial(theta, powers) for powers in chain.monomials])
        amplitudes = jnp.matmul(chain.helicities, produced * (chain.d_functions @ monomials))
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
            axes = [axis for axis in range(1, 7) if axis not in (n + 1, n + 2)]
            matrix = jnp.expand_dims(matrix, (0, *axes[:-1]))
            amplitudes = (matrix * jnp.expand_dims(amplitudes, n + 1)).sum(axis=n + 2)
        return amplitudes


def _square(amplitudes: Array) -> Array:
    """Sum over the helicities (events,) of squares of (2, 2 j0 + 1, ..., 2 j3 + 1, events)."""
    return (amplitudes**2).sum(axis=(0, 1, 2, 3, 4))


def _rows(names: Sequence[str], values: Values) -> Array:
    """Parameters as (names, 1), or (names, events) where one of them has a value per event."""
    rows = [values[name] for name in names]
    if all(isinstance(row, float) for row in rows):
        return jnp.asarray(np.array(rows)[:, None])  # one constant of the compiled program
    rows = [jnp.atleast_1d(jnp.asarray(row, dtype=float)) for row in rows]
    return jnp.stack(jnp.broadcast_arrays(*rows))


def _product(real: Array, imaginary: Array, columns: Array) -> Array:
    """(2, rows, events): a complex matrix (rows, k, 1 or events) times columns (2, k, events)."""
    matrix = jnp.concatenate(
        [jnp.concatenate([real, -imaginary], 1), jnp.concatenate([imaginary, real], 1)]
    )
    parts = columns.reshape(-1, columns.shape[-1])
    alike = matrix.shape[-1] == 1
    result = matrix[..., 0] @ parts if alike else (matrix * parts).sum(axis=1)
    return result.reshape(2, -1, columns.shape[-1])
