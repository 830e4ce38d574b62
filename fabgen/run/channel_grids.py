"""What several channels start from: a VEGAS grid for each, and factors of their weights.

A surrogate by themselves, and the start of flows. T. Heimel et al., The MadNIS reloaded, SciPost
Phys. 17 (2024) 023: VEGAS is quick to learn what factorizes, and flows need to learn the rest only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fabgen.errors import FabgenError

if TYPE_CHECKING:
    from fabgen.run.session import Session
    from fabgen.surrogate.channels import ChannelValues
    from fabgen.surrogate.vegas.axes import Channels, Floats
    from fabgen.training.pretraining import Pretrained


def planned_evaluations(session: Session) -> int:
    """How many evaluations of f the grids of all channels take, at most."""
    from fabgen.surrogate.channels import numbered
    from fabgen.surrogate.vegas.axes import n_evaluations

    distinct, _ = numbered(session.integrand.mirrors)
    return n_evaluations(session.card.surrogate.vegas, len(distinct))


def figures_of(made: Pretrained, session: Session) -> dict[str, int]:
    """What a report tells of the grids of several channels."""
    return {
        "steps": session.card.surrogate.vegas.iterations,
        "zero_values": int(made.zero_values),
        "nonfinite_values": int(made.nonfinite_values),
    }


def channel_grids(session: Session) -> Pretrained:
    """Grids adapted to alpha_i f_i of every channel, and factors beta_i of the prior weights in
    alpha_i: each iteration improves both.

    Channels that mirror an earlier one have the factor and the grid of that. Raises FabgenError if
    f was zero or not finite everywhere.
    """
    import jax.numpy as jnp

    from fabgen.surrogate.channels import numbered
    from fabgen.surrogate.vegas.axes import adapt_axes, n_iterations
    from fabgen.training.pretraining import Pretrained

    integrand, options = session.integrand, session.card.surrogate.vegas
    distinct, number = numbered(integrand.mirrors)
    mixture = _Mixture(session)
    with session.reporter.stage("vegas", n_iterations(options), "iterations") as show:
        axes = adapt_axes(
            mixture,
            distinct,
            integrand.dim,
            options,
            session.card.training.seed,
            lambda iteration, evaluations: show(iteration, evaluations=evaluations),
        )
    if axes.evaluations == axes.zeros + axes.nonfinite:
        raise FabgenError(
            f"VEGAS found no point with a density above zero among {axes.evaluations}: "
            f"{axes.zeros} gave zero and {axes.nonfinite} a value that is not finite; "
            "are the cuts too tight?"
        )
    return Pretrained(
        jnp.asarray(axes.borders[list(number)]),
        jnp.asarray(mixture.factors),
        axes.evaluations,
        axes.zeros,
        axes.nonfinite,
    )


class _Mixture:
    """alpha_i f_i of all channels, whose factors every call improves for the next one."""

    def __init__(self, session: Session):
        import jax
        import jax.numpy as jnp
        import numpy as np

        from fabgen.surrogate.channel_weights import log_alpha
        from fabgen.surrogate.channels import own

        self.session = session
        n = session.integrand.n_channels
        self.factors: Floats = np.ones(n)

        def weigh(
            values: ChannelValues, channel: jax.Array, jacobian: jax.Array, factors: jax.Array
        ) -> tuple[jax.Array, jax.Array]:
            """f (points,), and moments as `channel_factors.improved` wants them."""
            log_weights = log_alpha(values.log_prior, factors)
            f = jnp.exp(values.log_f + own(log_weights, channel))
            squares = (jnp.where(jnp.isfinite(f), f, 0.0) * jacobian) ** 2
            return f, jax.ops.segment_sum((squares * jnp.exp(log_weights)).T, channel, n)

        self._weigh = jax.jit(weigh)

    def __call__(self, u: Floats, channel: Channels, jacobian: Floats) -> Floats:
        import jax.numpy as jnp
        import numpy as np

        from fabgen.sampling.blocks import in_blocks
        from fabgen.surrogate.channel_factors import improved

        n, values = self.session.integrand.n_channels, self.session.channel_values
        factors, parts, found = jnp.asarray(self.factors), [], []
        for part, filled in in_blocks(len(u)):
            size = part.stop - part.start
            once = np.where(np.arange(len(filled)) < size, jacobian[filled], 0.0)
            block = values(u[filled], channel[filled]), channel[filled]
            parts.append(part)
            found.append(self._weigh(*block, once, factors))
        f, moments = np.empty(len(u)), np.zeros((n, n))
        for part, (weighed, more) in zip(parts, found, strict=True):
            f[part] = np.asarray(weighed)[: part.stop - part.start]
            moments += np.asarray(more)
        points = np.bincount(channel, minlength=n).astype(float)
        self.factors = improved(self.factors, moments, points, self.session.integrand.mirrors)
        return f
