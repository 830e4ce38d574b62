"""Angles of a three-body decay 0 -> 1 2 3 as functions of its invariants.

M. Mikhasenko et al., Dalitz-plot decomposition for three-body decays, Phys. Rev. D 101 (2020)
034033, arXiv:1910.04566. sigma_k = (p_i + p_j)^2 with (i, j, k) cyclic: a pair and its spectator.
All momenta lie in one plane, and the Gram determinant of any two of them with p_0 is the same, up
to a factor Kibble's function phi. So the angle between two momenta where M is at rest has

    sin = 2 M sqrt(phi) / sqrt(lambda lambda'),    cos = x / sqrt(lambda lambda'),

lambda Kallen's function of either; x is what the functions below write out.

`sigma` is (3, events) in GeV^2; `masses` are four, in GeV, the decaying particle's first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jax import Array

from fabgen.amplitude.dalitz.spins import HalfAngle, half_angle
from fabgen.numerics import safe_sqrt


def pair_of(spectator: int) -> tuple[int, int]:
    """The pair (i, j) of a spectator k: (i, j, k) is a cyclic permutation of (1, 2, 3)."""
    return spectator % 3 + 1, (spectator + 1) % 3 + 1


class DecayPlane:
    """The angles at points of the Dalitz plot."""

    def __init__(self, sigma: Array, masses: Sequence[Array]):
        self.sigma = {k: sigma[k - 1] for k in (1, 2, 3)}
        self.masses = tuple(masses)
        self.squares = tuple(m * m for m in masses)
        self.root_kibble = _root_kibble(self.sigma, self.squares)

    def helicity_angle(self, spectator: int) -> HalfAngle:
        """Half of theta_ij: between p_i and -p_k in the rest frame of the pair (i, j)."""
        i, j = pair_of(spectator)
        m0, mi, mj, mk = (self.squares[n] for n in (0, i, j, spectator))
        s = self.sigma[spectator]
        x = 2.0 * s * (self.sigma[j] - mk - mi) - (s + mi - mj) * (m0 - s - mk)
        return half_angle(x, 2.0 * safe_sqrt(s) * self.root_kibble)

    def alignment(self, particle: int, spectator: int, reference: int) -> HalfAngle | None:
        """Half of zeta^particle_{k(r)}: turns a spin from the chain k to the chain r.

        None where there is nothing to turn. Both chains have their helicity axes in the decay
        plane, so that angles about its normal add up.
        """
        if spectator == reference:
            return None
        if particle == 0:
            angle = self._between_spectators(spectator, reference)
            return angle if _follows(spectator, reference) else -angle
        total: HalfAngle | None = None
        for chain, direction in ((spectator, 1), (reference, -1)):
            if chain != particle:
                angle = self._from_spectator(particle, chain)
                positive = _follows(particle, chain) == (direction > 0)
                total = _add(total, angle if positive else -angle)
        return total

    def _between_spectators(self, first: int, second: int) -> HalfAngle:
        """Between the momenta of two particles in the rest frame of the decaying one."""
        m0, ma, mb = (self.squares[n] for n in (0, first, second))
        third = 6 - first - second
        x = (m0 + ma - self.sigma[first]) * (m0 + mb - self.sigma[second])
        x = x - 2.0 * m0 * (self.sigma[third] - ma - mb)
        return half_angle(x, 2.0 * self.masses[0] * self.root_kibble)

    def _from_spectator(self, particle: int, chain: int) -> HalfAngle:
        """Between p_0 and the particle's partner in the pair of `chain`, in its own rest frame."""
        partner = 6 - particle - chain
        m0, m, other = (self.squares[n] for n in (0, particle, partner))
        x = (m0 + m - self.sigma[particle]) * (self.sigma[chain] - m - other)
        x = x + 2.0 * m * (self.sigma[partner] - m0 - other)
        return half_angle(x, 2.0 * self.masses[particle] * self.root_kibble)


def _root_kibble(sigma: Mapping[int, Array], squares: Sequence[Array]) -> Array:
    """sqrt(phi) in GeV^3; 0 at the border of phase space and beyond.

    phi = s1 s2 s3 - sum_k s_k (m0^2 mk^2 + mi^2 mj^2) + 2 sum over the products of three squared
    masses (T. Kibble, Phys. Rev. 117 (1960) 1159); at every k it is
    (lambda(m0^2, mk^2, s_k) lambda(s_k, mi^2, mj^2) - x^2)/(4 s_k), x that of the helicity angle.
    """
    m0, m1, m2, m3 = squares
    phi = sigma[1] * sigma[2] * sigma[3]
    for k in (1, 2, 3):
        i, j = pair_of(k)
        phi = phi - sigma[k] * (m0 * squares[k] + squares[i] * squares[j])
    return safe_sqrt(phi + 2.0 * (m0 * (m1 * m2 + m2 * m3 + m3 * m1) + m1 * m2 * m3))


def _follows(first: int, second: int) -> bool:
    """Whether (first, second) are neighbours in the cycle (1, 2, 3)."""
    return second == first % 3 + 1


def _add(first: HalfAngle | None, second: HalfAngle) -> HalfAngle:
    if first is None:
        return second
    return HalfAngle(
        first.cos * second.cos - first.sin * second.sin,
        first.sin * second.cos + first.cos * second.sin,
    )
