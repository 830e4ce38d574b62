"""What an integrand says about points of phase space: all that training and sampling see of it."""

from __future__ import annotations

from typing import NamedTuple

from jax import Array


class Point(NamedTuple):
    """A batch of phase-space points; events are the last axis.

    log_f: log of d sigma / dPhi, in pb (GeV for decays) per GeV^(2 n - 4); no Jacobian, no channel
    weight. log_jacobian: log(dPhi/du) of the channel that the point was drawn with. log_prior
    (n_channels, events): log of the channel weights before training. features (n_features, events):
    what trained channel weights may look at. momenta (n_external, 4, events): lab frame, GeV.
    subprocess (n_subprocesses, events): log of the share of each subprocess in f, -inf where f is
    0. scales (2, events): renormalization and factorization scale in GeV.
    """

    log_f: Array
    log_jacobian: Array
    log_prior: Array
    features: Array
    momenta: Array
    subprocess: Array
    scales: Array


class Placed(NamedTuple):
    """Points of several channels in phase space; what follows no longer depends on their maps.

    final (n_final, 4, events): momenta in the rest frame of the beams, GeV. log_jacobian (events,):
    log(dPhi/du); -inf where a point is outside of the cube or its map closed.
    """

    final: Array
    log_jacobian: Array
