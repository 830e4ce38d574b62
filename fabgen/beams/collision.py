"""Collisions event by event: incoming momenta, energy, boost, flux; and the way to the lab.

Two frames: the rest frame of what collides, in which maps and matrix elements work, and the lab,
in which the first beam runs along +z. The lab sees the rest frame with a rapidity along z.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from fabgen.arrays import Masses, Number, PerEvent
from fabgen.phasespace.invariants import Shape
from fabgen.phasespace.kinematics import Momenta, components, light_cone
from fabgen.units import PB_GEV2

#: Of both beams, GeV; traced as arguments of a program.
Energies = tuple[Number | int, Number | int]


class Collision(NamedTuple):
    """Incoming particles. All values may be traced; one value for all events, or one for each.

    incoming, lab (n_initial, 4, 1 or events): momenta in the rest frame of the total momentum and
    in the lab, first beam along +z, GeV. sqrt_s (1 or events,): total energy in the rest frame,
    GeV. rapidity: of that frame along z in the lab. flux_factor: times |M|^2 dPhi gives pb, or GeV
    for a decay. x (n_initial, 1 or events): shares of the beams' momenta; 1 for fixed beams.
    """

    incoming: Float[Array, "n_initial 4 #events"]
    lab: Float[Array, "n_initial 4 #events"]
    sqrt_s: Float[Array, " #events"]
    rapidity: Float[Array, " #events"]
    flux_factor: Float[Array, " #events"]
    x: Float[Array, " n_initial #events"]

    def of_events(self, n: int) -> Collision:
        """With a value for each of n events."""
        return Collision(*(jnp.broadcast_to(a, (*a.shape[:-1], n)) for a in self))


class Limits(NamedTuple):
    """What beams of variable energy need to know of a channel. GeV.

    sqrt_s, most: f is zero at less, or more, energy in the rest frame. rapidity: and where the
    rest frame is faster than this in the lab, either way. shape: the distribution of s.
    """

    sqrt_s: Number = 0.0
    most: Number = math.inf
    rapidity: Number = math.inf
    shape: Shape | None = None


class Beams(abc.ABC):
    """Colliding beams, with `dim` variables of the unit hypercube in front of those of phase space.

    energies: GeV per beam, () for a decay. particles: PDG ids of the beams where they are not the
    incoming particles of the process. Static; all methods are pure JAX.
    """

    dim: int = 0
    energies: tuple[float, ...] = ()
    particles: tuple[int, ...] = ()
    #: PDG ids of the partons that the beams have densities of
    flavours: tuple[int, ...] = ()
    #: of densities of partons, for reports (`Integrand.densities`)
    description: Mapping[str, Any] = MappingProxyType({})

    @property
    def n_initial(self) -> int:
        """Incoming particles: 2, or 1 for a decay at rest."""
        return 2 if self.energies else 1

    @property
    def numbers(self) -> tuple[float, ...]:
        """What programs take as arguments, so that beams of other numbers share them."""
        return tuple(float(energy) for energy in self.energies)

    def with_numbers(self, numbers: tuple[Any, ...]) -> Beams:
        """The same beams with other, perhaps traced, numbers."""
        return self

    @abc.abstractmethod
    def collide(
        self,
        u: Float[Array | np.ndarray, "{self.dim} events"],
        masses: Sequence[ArrayLike],
        limits: Limits,
    ) -> tuple[Collision, PerEvent]:
        """The collisions at u (dim, events) in [0, 1], and the log of their Jacobian.

        masses (n_initial): of the incoming particles in the order of the beams, GeV. The Jacobian
        turns d(x1) d(x2) into du; it is () or (events,), and -inf where nothing can collide.
        """

    @abc.abstractmethod
    def separate(
        self, collision: Collision, limits: Limits
    ) -> tuple[Float[Array, "{self.dim} events"], PerEvent]:
        """u (dim, events) of collisions and the log of the same Jacobian: the inverse."""

    @abc.abstractmethod
    def of_total(
        self, total: Float[Array | np.ndarray, "4 events"], masses: Sequence[ArrayLike]
    ) -> Collision:
        """The collisions whose final particles have the momentum `total` (4, events) in the lab."""

    def densities(
        self, collision: Collision, scale: Float[Array | np.ndarray, " events"]
    ) -> Float[Array, "{len(self.flavours)} 2 events"]:
        """f(x) of all flavours in both beams, (flavours, 2, events).

        scale (events,): of factorization, GeV.
        """
        return jnp.zeros((0, 2, *scale.shape))


class FixedBeams(Beams):
    """Two beams of fixed energy (GeV), on their mass shells, head on."""

    def __init__(self, energies: Energies):
        self.energies = cast("tuple[float, float]", energies)

    def with_numbers(self, numbers: tuple[Any, ...]) -> FixedBeams:
        first, second = numbers
        return FixedBeams((first, second))

    def collide(
        self,
        u: Float[Array | np.ndarray, "{self.dim} events"],
        masses: Sequence[ArrayLike],
        limits: Limits,
    ) -> tuple[Collision, PerEvent]:
        first, second = self.energies
        return fixed_beams((first, second), (masses[0], masses[1])), jnp.zeros(())

    def separate(
        self, collision: Collision, limits: Limits
    ) -> tuple[Float[Array, "{self.dim} events"], PerEvent]:
        return jnp.zeros((0, collision.sqrt_s.shape[-1])), jnp.zeros(())

    def of_total(
        self, total: Float[Array | np.ndarray, "4 events"], masses: Sequence[ArrayLike]
    ) -> Collision:
        return self.collide(total[:0], masses, Limits())[0]


class AtRest(Beams):
    """One particle at rest."""

    def collide(
        self,
        u: Float[Array | np.ndarray, "{self.dim} events"],
        masses: Sequence[ArrayLike],
        limits: Limits,
    ) -> tuple[Collision, PerEvent]:
        return decay_at_rest(masses[0]), jnp.zeros(())

    def separate(
        self, collision: Collision, limits: Limits
    ) -> tuple[Float[Array, "{self.dim} events"], PerEvent]:
        return jnp.zeros((0, collision.sqrt_s.shape[-1])), jnp.zeros(())

    def of_total(
        self, total: Float[Array | np.ndarray, "4 events"], masses: Sequence[ArrayLike]
    ) -> Collision:
        return decay_at_rest(masses[0])


def fixed_beams(energies: Energies, masses: tuple[ArrayLike, ArrayLike]) -> Collision:
    """Beams on their mass shells, head on; flux 1/(4 sqrt((p1.p2)^2 - m1^2 m2^2)).

    All that follows are sums of positive terms, so that beams of very different energies, or hardly
    above their masses, lose no digits: E + pz and E - pz of both, s as their product, the invariant
    of the flux as e1 k2 + e2 k1.
    """
    m1, m2 = (jnp.asarray(m, dtype=float) for m in masses)
    e1, e2 = energies
    k1, k2, plus, minus = _light_cone(energies, (m1, m2), jnp.sqrt)
    sqrt_s = jnp.sqrt(plus) * jnp.sqrt(minus)
    flux = e1 * k2 + e2 * k1
    k = flux / sqrt_s
    return _for_all_events(
        incoming=along_z(jnp.sqrt(m1**2 + k**2), k, jnp.sqrt(m2**2 + k**2), k),
        lab=along_z(jnp.asarray(e1, dtype=float), k1, jnp.asarray(e2, dtype=float), k2),
        sqrt_s=sqrt_s,
        rapidity=0.5 * jnp.log(plus / minus),
        flux_factor=PB_GEV2 / (4 * flux),
        x=jnp.ones(2),
    )


def along_z(
    e1: Float[Array, "*events"],
    k1: Float[Array, "*events"],
    e2: Float[Array, "*events"],
    k2: Float[Array, "*events"],
) -> Float[Array, "2 4 *events"]:
    """Momenta (2, 4, ...) of two beams of energies e and momenta k along +z and -z."""
    zero = jnp.zeros_like(e1)
    return jnp.stack([jnp.stack([e1, zero, zero, k1]), jnp.stack([e2, zero, zero, -k2])])


def energy_and_rapidity(energies: Energies, masses: tuple[float, float]) -> tuple[float, float]:
    """sqrt(s) in GeV and the rapidity of the rest frame in the lab, as numbers."""
    _, _, plus, minus = _light_cone(energies, masses, math.sqrt)
    return math.sqrt(plus) * math.sqrt(minus), 0.5 * math.log(plus / minus)


def _light_cone(
    energies: Energies, masses: tuple[Any, Any], sqrt: Callable[[Any], Any]
) -> tuple[Any, Any, Any, Any]:
    """Momenta of both beams, and E + pz and E - pz of their sum, GeV."""
    (e1, e2), (m1, m2) = energies, masses
    k1, k2 = sqrt((e1 - m1) * (e1 + m1)), sqrt((e2 - m2) * (e2 + m2))
    return k1, k2, e1 + k1 + m2 * (m2 / (e2 + k2)), e2 + k2 + m1 * (m1 / (e1 + k1))


def decay_at_rest(mass: ArrayLike) -> Collision:
    """One particle at rest: dGamma = |M|^2 dPhi / (2 M), in GeV."""
    mass = jnp.asarray(mass, dtype=float)
    zero = jnp.zeros(())
    incoming = jnp.stack([mass, zero, zero, zero])[None]
    return _for_all_events(
        incoming=incoming,
        lab=incoming,
        sqrt_s=mass,
        rapidity=zero,
        flux_factor=1 / (2 * mass),
        x=jnp.ones(1),
    )


def _for_all_events(**values: Float[Array, "..."]) -> Collision:
    return Collision(**{name: value[..., None] for name, value in values.items()})


# -- frames -------------------------------------------------------------------------------------


def rotated(momenta: Momenta) -> Momenta:
    """Momenta (..., 4, events) turned by pi about the x axis: y and z change their signs.

    It exchanges the beams. A reflection would, too, but changes |M|^2 through W and Z.
    """
    return momenta * jnp.array([1.0, 1.0, -1.0, -1.0])[:, None]


def exchanged(collision: Collision) -> Collision:
    """The same collision seen from the other side: turned, the second beam along +z."""
    return collision._replace(
        incoming=rotated(collision.incoming)[::-1],
        lab=rotated(collision.lab)[::-1],
        rapidity=-collision.rapidity,
        x=collision.x[::-1],
    )


def with_beams(
    incoming: Float[Array, "n_initial 4 #events"], final: Float[Array, "n_final 4 events"]
) -> Float[Array, "n_initial+n_final 4 events"]:
    """Incoming momenta (n_initial, 4, 1 or events) before final ones (n_final, 4, events)."""
    beams = jnp.broadcast_to(incoming, (*incoming.shape[:-1], final.shape[-1]))
    return jnp.concatenate([beams, final])


def in_lab(
    collision: Collision, final: Float[Array | np.ndarray, "n_final 4 events"], masses: Masses
) -> Float[Array, "n_external 4 events"]:
    """All momenta (n_external, 4, events) in the lab, from the final ones in the rest frame."""
    return with_beams(collision.lab, boost_z(jnp.asarray(final), masses, collision.rapidity))


def boost_z(
    momenta: Float[Array, "n 4 events"], masses: Float[Array | np.ndarray, " n"], rapidity: Number
) -> Float[Array, "n 4 events"]:
    """Momenta (n, 4, events) of masses (n,) with all rapidities along z larger by `rapidity`.

    E + pz and E - pz are multiplied by exp(+-rapidity): both keep their relative precision, however
    fast the boost, and every particle stays on its mass shell.
    """
    energy, x, y, z = components(momenta)
    plus, minus = light_cone(energy, z, x * x + y * y + masses[:, None] ** 2)
    plus, minus = plus * jnp.exp(rapidity), minus * jnp.exp(-rapidity)
    return jnp.stack([0.5 * (plus + minus), x, y, 0.5 * (plus - minus)], axis=1)
