"""From a card with `process = "toy:NAME"` to its integrand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

from fabgen.card import Card
from fabgen.card.toys import TOY_NAMES, toy_name
from fabgen.errors import InputError
from fabgen.integrand.toys.densities import CamelBack, CrossedRing, ToyDensity
from fabgen.integrand.toys.integrand import ToyChannel, ToyIntegrand
from fabgen.integrand.toys.modes import Modes
from fabgen.integrand.toys.ridge import Ridge

TOYS: Mapping[str, Callable[..., ToyDensity]] = {
    "camel-back": CamelBack,
    "cut-camel-back": lambda **changes: CamelBack(**{"cut": 2.5, **changes}),
    "crossed-ring": CrossedRing,
    "modes": Modes,
    "ridge": Ridge,
}
assert tuple(TOYS) == TOY_NAMES


def build_toy(card: Card) -> ToyIntegrand:
    """The toy of a card. Raises InputError for channels and parameters that it does not have."""
    name = toy_name(card.process)
    density = _density(TOYS[name], card.parameters)
    channels = _channels(density, card.channels.maps or density.default_maps)
    return ToyIntegrand(name, density, channels, card.channels.prior)


def _density(make: Callable[..., ToyDensity], parameters: Mapping[str, float]) -> ToyDensity:
    standard = make()
    default = dataclasses.asdict(standard)  # type: ignore[call-overload]
    for name, value in parameters.items():
        if name not in default:
            raise InputError(
                "the toy has no such parameter",
                key=f"parameters.{name}",
                found=value,
                allowed=", ".join(default),
            )
        if not math.isfinite(value):
            raise InputError("a parameter is not finite", key=f"parameters.{name}", found=value)
    _refuse_out_of_range(standard, {**default, **parameters})
    whole = {name: int(parameters[name]) for name in standard.whole if name in parameters}
    density = make(**{**parameters, **whole})
    for name in density.lengths:
        if not getattr(density, name) > 0.0:
            raise InputError(
                "a width or a length is out of range",
                key=f"parameters.{name}",
                found=getattr(density, name),
                allowed="> 0",
            )
    density.refuse_empty()
    return density


def _refuse_out_of_range(density: ToyDensity, parameters: Mapping[str, float]) -> None:
    for name, (least, most) in density.whole.items():
        value = parameters[name]
        if value != int(value) or not least <= value <= most:
            raise InputError(
                "a number of dimensions is not whole, or out of range",
                key=f"parameters.{name}",
                found=value,
                allowed=f"a whole number from {least} to {most}",
            )
    for name, (low, high) in density.ranges.items():
        if not low <= parameters[name] <= high:
            raise InputError(
                "a parameter is out of range",
                key=f"parameters.{name}",
                found=f"{parameters[name]:g}",
                allowed=f">= {low:g} and <= {high:g}",
            )


def _channels(density: ToyDensity, text: str) -> tuple[ToyChannel, ...]:
    """The channels of `channels.maps`: names of maps, or map@prior."""
    known = density.maps()
    channels = []
    for word in text.split():
        own, at, prior = word.partition("@")
        for name in (own, prior if at else own):
            if name not in known:
                raise InputError(
                    "the toy has no such map",
                    key="channels.maps",
                    found=word,
                    allowed=f"{', '.join(known)}; or map@map, the second for the prior",
                )
        channels.append(ToyChannel(own, prior or own))
    return tuple(channels)
