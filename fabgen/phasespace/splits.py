"""Phase space as n - 1 splits of one row: `mapping = "channels"`.

F. James, CERN 68-15: dPhi_n = product over invariants ds/(2 pi) x product over splits dPhi_2, with
dPhi_2 = |p|/(4 pi M) d(cos theta)/2 d(phi)/(2 pi). Decays are isotropic; of a scattering (see
scattering.py) cos(theta) follows a power law in t. Cuts on pT and rapidity of single particles
limit the angles.

u (3 n - 4,): first the n - 2 invariants in the order of drawing; then for each split (1 + cos
theta)/2 and azimuth/(2 pi) of the first node that it makes in its rest frame (frames.py). With
unpolarized beams f does not depend on the root's azimuth. A split that is a scattering has, instead
of (1 + cos theta)/2, the variable of the power law in t, and z is where its virtual particle comes
from. With cuts on particles below, angles are taken from the range that these leave: in the root
that of cos theta; in other scatterings also that of the azimuth (reach.py, scattering.py); and
other decays have axes of their own (transverse.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from fabgen.arrays import PerEvent
from fabgen.numerics import log_where_open, safe_sqrt

from .fusion import computed_once
from .kinematics import TWO_PI, Turn
from .mapping import Kinematics
from .ranges import OfNodes, OfSplits, Ranges
from .reach import Products, Reach
from .row import Role, Row
from .scattering import Pair, Span


class Kind(NamedTuple):
    """The static part of a row, one program each.

    ladder: whether splits may be scatterings. cut: whether cuts limit angles.
    """

    n_final: int
    ladder: bool
    cut: bool

    def roles(self, split: int) -> tuple[Role, ...]:
        """Those that a split may have."""
        found = [Role.DECAY]
        if self.ladder:
            found.append(Role.SCATTERING)
        if self.cut and split > 0:
            found += [Role.FLIGHT, Role.RENEWED]
        return tuple(found)


def by_role(
    kind: Kind,
    row: Row,
    split: int,
    functions: Mapping[Role, Callable[..., Any]],
    like: PerEvent,
    *arguments: Any,
) -> Any:
    """functions[role](*arguments) of the role of a split; results are (..., events) as `like`.

    A block of events of one row runs that one alone. What a function would keep for its gradient, a
    switch would make room for in all others.
    """
    roles = kind.roles(split)
    number = jnp.asarray(row.role)[split]

    def run(function: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any) -> Any:
            found = function(*arguments)
            return jax.tree.map(
                lambda leaf: jnp.broadcast_to(leaf, (*jnp.shape(leaf)[:-1], *like.shape)), found
            )

        return jax.checkpoint(checked)

    chosen = [run(functions[role]) for role in roles]
    if len(chosen) == 1:
        return chosen[0](*arguments)
    place = sum(jnp.where(number == role, k, 0) for k, role in enumerate(roles))
    return jax.lax.switch(place, chosen, *arguments)


class Last(NamedTuple):
    """A scattering that has been: what met, and how it went."""

    pair: Pair
    w: PerEvent  #: (1 - cos theta)/2
    t: PerEvent  #: GeV^2
    size: PerEvent  #: momentum of both nodes that it made, GeV
    turn: Turn  #: to the first

    def pair_of_rest(self, mass: PerEvent) -> Pair:
        """What meets in the split of the second node, which has this mass."""
        return self.pair.next(self.w, self.t, self.size, mass, self.turn)


class Numbers(NamedTuple):
    """What angles depend on besides variables, of all splits: masses of nodes, momenta of what
    splits make in their rest frames (GeV), and what cuts say."""

    masses: OfNodes
    sizes: OfSplits
    reach: Reach | None

    def products(self, split: int) -> Products | None:
        return None if self.reach is None else self.reach.products(split)


def span_of(
    row: Row, kinematics: Kinematics, split: int, pair: Pair, numbers: Numbers
) -> tuple[Span, PerEvent]:
    """The range of t of a scattering, and nu."""
    index = jnp.asarray(row.exchanged)[split]
    exchanged = jnp.append(jnp.asarray(kinematics.exchanged_masses, float), 0.0)[index]
    both = numbers.masses[jnp.asarray(row.children)[split]]
    size, products = numbers.sizes[split], numbers.products(split)
    span = pair.span(exchanged, products, size, both, split == 0)
    return span, jnp.asarray(row.exchange_power)[split]


def beams_pair(row: Row, kinematics: Kinematics, mass: PerEvent) -> Pair:
    """The beams, of this total energy, with that along +z that the ladder starts from."""
    incoming = jnp.asarray(kinematics.incoming_masses, float)
    incoming = incoming if incoming.shape[0] == 2 else jnp.zeros(2)
    turned = jnp.asarray(row.from_second)
    first, second = (jnp.where(turned, a, b) for a, b in zip(incoming[::-1], incoming, strict=True))
    return Pair.of_beams(mass, first, second)


def before_any(row: Row, kinematics: Kinematics, mass: PerEvent) -> Last:
    """What stands for a last scattering where there was none: numbers that nothing looks at."""
    one, zero = jnp.ones_like(mass), jnp.zeros_like(mass)
    pair = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, mass.shape), beams_pair(row, kinematics, mass)
    )
    return Last(pair, zero, zero, one, Turn(one, zero, one, zero))


def reach_of(
    kind: Kind, row: Row, kinematics: Kinematics, masses: OfNodes, sizes: OfSplits
) -> Reach | None:
    """What cuts say about all nodes, with the beam along +z that the ladder starts from."""
    if not kind.cut:
        return None
    turned = jnp.asarray(row.from_second)
    low, high = (jnp.asarray(boost) for boost in kinematics.boosts)
    boosts = jnp.where(turned, -high, low), jnp.where(turned, -low, high)
    return Reach.of(row, masses, sizes, boosts)


def mirrored(
    momenta: Float[Array, "n_final 4 events"], row: Row
) -> Float[Array, "n_final 4 events"]:
    """Momenta with the beam that the ladder starts from along +z."""
    one = jnp.ones(())
    sign = jnp.where(jnp.asarray(row.from_second), -one, one)
    return momenta * jnp.stack([one, one, one, sign])[:, None]


def phase_space(
    ranges: Ranges, drawn: OfSplits, sizes: OfSplits, density: PerEvent
) -> Float[Array, " events"]:
    """log(dPhi/du), -inf where phase space is closed. density: of invariants and angles."""
    n = ranges.n
    for split in range(n - 1):
        density = density * sizes[split] / drawn[split]
    constant = -(n - 2) * math.log(TWO_PI) - (n - 1) * math.log(4.0 * math.pi)
    return log_where_open(density, ranges.is_open) + constant


def is_cut(row: Row, split: int) -> Bool[Array, ""]:
    """Whether any particle below a split has a bound."""
    return jnp.asarray(row.is_cut)[row.n_final + split]


def isotropic(ahead: PerEvent, u_azimuth: PerEvent) -> Turn:
    """The turn of (1 + cos theta)/2 and azimuth/(2 pi)."""
    sin = 2.0 * safe_sqrt(ahead * (1.0 - ahead))
    return Turn(2.0 * ahead - 1.0, sin, *circle(TWO_PI * u_azimuth))


def circle(angle: PerEvent) -> tuple[PerEvent, PerEvent]:
    """Cos and sin."""
    cos, sin = computed_once((jnp.cos(angle), jnp.sin(angle)), angle)
    return cos, sin
