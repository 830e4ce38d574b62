"""The samples that the pictures of a run are made of.

Points of the surrogate and, independent of them, a reference: more points of the surrogate, and
flat ones. Their streams follow from the seed of the generation and nothing else uses them;
report.json does not count these evaluations.

Several channels: a point is a channel i and u in its cube, and i is drawn with the same
probabilities a_i for all samples. Where the target is alpha_i f_i, the densities of the samples are
a_i q_i and a_i; all are stored divided by a_i, so that they are those of one channel: f, q and 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fabgen.errors import FabgenError
from fabgen.run.evaluate import balanced_sampler
from fabgen.run.samplers import compiled_sampler
from fabgen.run.session import Session, Trained
from fabgen.run.streams import (
    PLOT,
    PLOT_CHANNELS,
    PLOT_EVENTS,
    PLOT_PILOT,
    PLOT_REFERENCE,
    PLOT_UNTRAINED,
    PLOT_UNTRAINED_PILOT,
    PLOT_UNTRAINED_WEIGHTS,
    UNTRAINED,
)

if TYPE_CHECKING:
    import jax

    from fabgen.integrand.point import PhaseSpacePoints
    from fabgen.plot.sample import Floats, Sample, Samples


def draw_samples(session: Session, trained: Trained, n: int) -> Samples:
    """n points each of the surrogate, of the surrogate again, and of flat sampling.

    FabgenError if f vanishes at all points of the surrogate.
    """
    import numpy as np

    from fabgen.plot.sample import Samples
    from fabgen.surrogate import untrained_surrogate
    from fabgen.surrogate.channels import as_multichannel

    integrand, channels = session.integrand, as_multichannel(trained.surrogate)
    untrained = untrained_surrogate(integrand.dim, session.layout)
    flat = Trained(untrained, untrained.init(session.key(UNTRAINED)))
    draw = _drawer(session, trained)
    surrogate = draw("surrogate", trained, n, PLOT)
    if not np.any(surrogate.weights > 0.0):
        raise FabgenError(f"the integrand vanishes at all {n} points of the surrogate")
    before = None
    if integrand.n_channels > 1 and not (channels.is_flat and channels.weights is None):
        before = _untrained_log_weights(session, flat, n)
    if channels.is_flat:
        return Samples(surrogate, None, before)
    again = draw("reference", trained, n, PLOT_REFERENCE)
    reference = again, draw("flat", flat, n, PLOT_UNTRAINED)
    return Samples(surrogate, reference, before)


def _drawer(session: Session, trained: Trained) -> Callable[[str, Trained, int, int], Sample]:
    """draw(name, density, n, stream) -> Sample; f is compiled once for all of them.

    f has the channel weights of `trained`, and channels are drawn with its shares.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from fabgen.plot.sample import Sample
    from fabgen.sampling.sampler import draw_channels
    from fabgen.surrogate.channels import ChannelValues, as_multichannel

    block, surrogate = session.block, as_multichannel(trained.surrogate)
    several = session.integrand.n_channels > 1
    sampler = balanced_sampler(session, trained, PLOT_PILOT)[0] if several else None
    shares = jnp.asarray(sampler.shares if sampler else (1.0,))
    f = session.values
    momenta_of, log_prob = _momenta(session), jax.jit(surrogate.log_prob)

    @jax.jit
    def log_target(params: Any, values: ChannelValues, channel: jax.Array) -> jax.Array:
        given = values.log_prior, values.features, channel
        return values.log_f + surrogate.log_alpha(params, *given)

    def draw(name: str, density: Trained, n: int, stream: int) -> Sample:
        sample = compiled_sampler(session, density.surrogate, density.params)
        key = session.key(stream)
        key_events, key_channels = (
            jax.random.fold_in(session.key(other), stream) for other in (PLOT_EVENTS, PLOT_CHANNELS)
        )
        blocks = []
        with session.watch("evaluate"), session.reporter.stage(name, n, "points") as show:
            for i in range(-(-n // block)):
                own_key = jax.random.fold_in(key_channels, i)
                channel, log_share = draw_channels(own_key, shares, block)
                u, log_q = sample(density.params, jax.random.fold_in(key, i), channel)
                log_f = log_target(trained.params, f(u, channel), channel) - log_share
                own_density = density.surrogate is trained.surrogate
                log_surrogate = log_q if own_density else log_prob(trained.params, u, channel)
                momenta = momenta_of(u, jax.random.fold_in(key_events, i), channel)
                parts = (u, log_f, log_q, log_surrogate, momenta, channel)
                blocks.append([np.asarray(part) for part in parts])
                show(min((i + 1) * block, n))
        return Sample(*(np.concatenate(part)[:n] for part in zip(*blocks, strict=True)))

    return draw


def _untrained_log_weights(session: Session, flat: Trained, n: int) -> Floats | None:
    """log w (n,) of several flat channels with the weights and the shares they have untrained.

    None if f vanishes at all points that say how the channels share the sample.
    """
    import numpy as np

    try:
        sampler, _ = balanced_sampler(session, flat, PLOT_UNTRAINED_PILOT)
    except FabgenError:
        return None
    key, blocks = session.key(PLOT_UNTRAINED_WEIGHTS), []
    with session.watch("evaluate"), session.reporter.stage("untrained", n, "points") as show:
        for i in range(-(-n // sampler.block)):
            blocks.append(np.asarray(sampler(key, i).log_w))
            show(min((i + 1) * sampler.block, n))
    return np.concatenate(blocks)[:n]


def _momenta(session: Session) -> Callable[[jax.Array, jax.Array, jax.Array], jax.Array]:
    """Momenta (n, n_external, 4) at u (n, dim) of channels (n,).

    The key draws the order of the beams, if subprocesses have both.
    """
    import jax
    import jax.numpy as jnp

    integrand = session.integrand
    if not integrand.topologies:
        return lambda u, key, channel: jnp.zeros((u.shape[0], 0, 4))
    place = session.compiled.map

    @jax.jit
    def lab(points: PhaseSpacePoints, key: jax.Array) -> jax.Array:
        return jnp.moveaxis(integrand.draw(points, key).momenta, -1, 0)

    return lambda u, key, channel: lab(place(u, channel), key)
