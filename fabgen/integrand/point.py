"""Points of phase space, f there, and their events: data between the steps of an integrand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jax import Array
from jaxtyping import Float, Int

from fabgen.beams import Collision

#: The number of the channel of each event, or of all of them.
Channels = Int[Array, " events"] | Int[Array, ""] | int

#: The Les Houches accord (hep-ph/0109068) writes a spin that nobody knows as 9.
UNKNOWN_HELICITY = 9


class PhaseSpacePoints(NamedTuple):
    """Points in phase space; events are the last axis. What follows does not depend on their maps.

    final (n_final, 4, events): momenta in the rest frame of what collides, GeV; what stands in
    their place where there are none: the point x (dim, events) of a toy, the invariants (3, events)
    of an amplitude model. collision: what comes in; None for these. channel (events,): that they
    were drawn with. log_jacobian (events,): log(dPhi/du) of that channel, variables of the beams
    included; -inf where a point is outside of the cube or its map closed.
    """

    final: Float[Array, "*point events"]
    collision: Collision | None
    channel: Int[Array, " events"]
    log_jacobian: Float[Array, " events"]


class Point(NamedTuple):
    """A batch of phase-space points; events are the last axis.

    log_f: log of |d sigma / dPhi|, in pb (GeV for decays) per GeV^(2 n - 4); no Jacobian, no
    channel weight. sign: of d sigma / dPhi, 1 or -1. log_jacobian: of PhaseSpacePoints, 0 where
    that is -inf. log_prior (channels of the widest component, events): log of the channel weights
    before training, of the channels of the point's component in their order; -inf beyond.
    features (n_features, events): what trained channel weights may look at. momenta (n_external, 4,
    events): lab frame, GeV. subprocess (events,): the first one of those that the point may be an
    event of, in whose order the momenta are. scales (2, events): renormalization and factorization
    scale in GeV, -1 where there is none. alpha_s (events,): at the renormalization scale.
    """

    log_f: Float[Array, " events"]
    sign: Int[Array, " events"]
    log_jacobian: Float[Array, " events"]
    log_prior: Float[Array, "width events"]
    features: Float[Array, "n_features events"]
    momenta: Float[Array, "n_external 4 events"]
    subprocess: Int[Array, " events"]
    scales: Float[Array, "2 events"]
    alpha_s: Float[Array, " events"]


class EventFields(NamedTuple):
    """Points as an event file has them; events are the last axis.

    momenta (n_external, 4, events): lab frame, GeV, in the order of the subprocess. subprocess,
    flow, resonances (events,): numbers of the subprocess, of its colour flow and of its set of
    resonances (`EventTopology`). helicity (n_external, events):
    of the external particles, in the rest frame of what collides, in the convention of SPINUP
    (hep-ph/0109068); 9 where nobody knows. scale (events,): of factorization in GeV; alpha_qed,
    alpha_s (events,); -1 where there is none.
    """

    momenta: Float[Array, "n_external 4 events"]
    subprocess: Int[Array, " events"]
    flow: Int[Array, " events"]
    resonances: Int[Array, " events"]
    helicity: Int[Array, "n_external events"]
    scale: Float[Array, " events"]
    alpha_qed: Float[Array, " events"]
    alpha_s: Float[Array, " events"]


class MapPrograms(NamedTuple):
    """The maps of an integrand as functions that others share: what is its own is `arguments`.

    place(u (events, dim), channels (events,), arguments) gives the points. densities(points,
    arguments) the logarithms of the densities of the channels of the component of each point,
    (channels or more, events), in GeV^(4 - 2 n_final), -inf beyond; None where there are none.
    """

    place: Callable[[Array, Array, Any], PhaseSpacePoints]
    densities: Callable[[PhaseSpacePoints, Any], Array] | None
    arguments: Any
