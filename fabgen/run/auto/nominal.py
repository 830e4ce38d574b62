"""Nominal seconds of what a run does most: a point, a step of training (`costs`, `cost_table`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from fabgen.card import Card
from fabgen.run.auto import costs
from fabgen.run.session import Session
from fabgen.run.surrogate import annealed

if TYPE_CHECKING:
    from fabgen.integrand.base import Integrand


class Call(NamedTuple):
    """A function with arguments, or their shapes."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def seconds(self, session: Session) -> float:
        return session.compiler.figure(costs.seconds, self.function, *self.arguments)


def of_f(integrand: Integrand) -> Call:
    """f at a block of points, of all channels in turn if there are several."""
    from fabgen.surrogate.channels import channel_values

    def f(u: Any, channel: Any) -> Any:
        return channel_values(integrand.point(u, channel))

    return Call(f, (_shape("float64", integrand.dim), _shape("int32")))


def of_drawing(surrogate: Any, params: Any) -> Call:
    """A block of points u with log q."""
    import jax

    from fabgen.surrogate.channels import as_multichannel

    draw = as_multichannel(surrogate).sample_and_log_prob
    return Call(draw, (params, jax.random.key(0), _shape("int32")))


def of_weights(integrand: Integrand, surrogate: Any, params: Any) -> Call:
    """The extra work of several channels: a channel for each point of a block, and its weight."""
    import jax

    from fabgen.integrand.base import prior_width
    from fabgen.sampling.sampler import DEFAULT_BLOCK, draw_channels
    from fabgen.surrogate.channels import as_multichannel

    view, n = as_multichannel(surrogate), integrand.n_channels

    def weigh(params: Any, key: Any, shares: Any, log_prior: Any, features: Any) -> Any:
        channel, log_share = draw_channels(key, shares, DEFAULT_BLOCK)
        return view.log_alpha(params, log_prior, features, channel) - log_share

    shares = jax.ShapeDtypeStruct((n,), "float64")
    width = prior_width(integrand.component_of_channel)
    values = (width, DEFAULT_BLOCK), (integrand.n_features, DEFAULT_BLOCK)
    rest = (jax.ShapeDtypeStruct(shape, "float64") for shape in values)
    return Call(weigh, (params, jax.random.key(0), shares, *rest))


def of_step(integrand: Integrand, surrogate: Any, card: Card) -> Call:
    """A step of the training that the card spells out."""
    import jax

    from fabgen.training.loop import make_trainer

    trainer = make_trainer(integrand, surrogate, annealed(card, integrand).training)
    return Call(trainer.step, (jax.eval_shape(trainer.init, 0),))


def seconds_of_f(session: Session) -> float:
    """Of a point; counted once for a session, since f is the longest program to write out."""
    from fabgen.sampling.sampler import DEFAULT_BLOCK

    known, name = session.programs, "nominal seconds of f"
    if name not in known:
        with session.compiling():
            known[name] = of_f(session.integrand).seconds(session) / DEFAULT_BLOCK
    seconds: float = known[name]
    return seconds


def seconds_to_draw(session: Session, surrogate: Any, params: Any) -> float:
    """Of a point drawn, with its weight in the sum over channels if there are several."""
    from fabgen.sampling.sampler import DEFAULT_BLOCK

    known, name = session.programs, ("nominal seconds to draw", surrogate)
    if name not in known:
        with session.compiling():
            block = of_drawing(surrogate, params).seconds(session)
            if session.integrand.n_channels > 1:
                block += of_weights(session.integrand, surrogate, params).seconds(session)
            known[name] = block / DEFAULT_BLOCK
    seconds: float = known[name]
    return seconds


def seconds_per_point(session: Session, surrogate: Any, params: Any) -> float:
    """Of a point drawn and evaluated."""
    return seconds_of_f(session) + seconds_to_draw(session, surrogate, params)


def seconds_per_step(session: Session, surrogate: Any, card: Card) -> float:
    """Of the training that the card spells out; counted once for a session."""
    known, name = session.programs, ("nominal seconds of a step", surrogate)
    if name not in known:
        with session.compiling():
            known[name] = of_step(session.integrand, surrogate, card).seconds(session)
    seconds: float = known[name]
    return seconds


def _shape(dtype: str, *more: int) -> Any:
    """Of an array of a block."""
    import jax

    from fabgen.sampling.sampler import DEFAULT_BLOCK

    return jax.ShapeDtypeStruct((DEFAULT_BLOCK, *more), dtype)
