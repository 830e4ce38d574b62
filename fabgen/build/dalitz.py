"""From the card of an amplitude model to its integrand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from fabgen.amplitude.dalitz import AmplitudeModel, load_amplitude_model
from fabgen.amplitude.dalitz.angles import pair_of
from fabgen.amplitude.dalitz.chains import orbitals
from fabgen.amplitude.dalitz.lineshapes import LINE_SHAPES
from fabgen.amplitude.dalitz.model import Resonance
from fabgen.card import Card
from fabgen.errors import InputError
from fabgen.integrand.dalitz import DalitzIntegrand
from fabgen.phasespace.dalitz import DalitzMap
from fabgen.phasespace.invariants import BreitWignerTail

#: Along one resonance the others fill the plot. Tails that long leave a peak on a broad density:
#: sampling efficiency 0.65 of LHCb's Lambda_c+ -> p K- pi+ (with the default tails 0.15; the square
#: Dalitz plot 0.68).
_BLOCK = BreitWignerTail(above=50.0, below=50.0)


def build_dalitz(card: Card) -> DalitzIntegrand:
    """The integrand of a card whose model is an amplitude model. Raises InputError."""
    model = load_amplitude_model(card.model)
    order = _order(card, model)
    external = model.parameters(card.parameters)
    return dalitz_integrand(model, external, card.phase_space.mapping, order)


def dalitz_integrand(
    model: AmplitudeModel,
    external: Mapping[str, float],
    mapping: str = "dalitz",
    order: tuple[int, int, int] = (1, 2, 3),
) -> DalitzIntegrand:
    """The integrand of a model with these parameters, on the square Dalitz plot ("dalitz") or along
    its strongest resonance ("channels"). Raises InputError for parameters without a meaning."""
    _check(model, external)
    square = DalitzMap((model.square_dalitz[0], model.square_dalitz[1]))
    integrand = DalitzIntegrand(model, external, square, (), order)
    if mapping == "dalitz":
        return integrand
    strongest = _strongest(integrand)
    pair = pair_of(strongest.spectator)
    names = LINE_SHAPES[strongest.line_shape].pole_and_width
    return dataclasses.replace(
        integrand,
        mapping=DalitzMap(pair, _BLOCK),
        resonance=tuple(strongest.parameters[name] for name in names),
    )


def _strongest(integrand: DalitzIntegrand) -> Resonance:
    """The resonance with the largest fit fraction whose pole lies inside the Dalitz plot."""
    model, external = integrand.model, integrand.external
    fractions = integrand.fit_fractions()

    def rank(resonance: Resonance) -> tuple[bool, float]:
        name = resonance.parameters[LINE_SHAPES[resonance.line_shape].pole_and_width[0]]
        low, high = _range(model, resonance, external)
        return low < external[name] < high, fractions[resonance.name]

    return max(model.resonances, key=rank)


def _range(
    model: AmplitudeModel, resonance: Resonance, external: Mapping[str, float]
) -> tuple[float, float]:
    """Masses in GeV between which both steps of a chain are open."""
    pair = sum(external[particle.mass] for particle in model.pair(resonance.spectator))
    spectator = model.particles[resonance.spectator]
    return pair, external[model.particles[0].mass] - external[spectator.mass]


def _order(card: Card, model: AmplitudeModel) -> tuple[int, int, int]:
    """Numbers of the model's particles in the order of the card's process."""
    names = [particle.name for particle in model.particles]
    initial, _, final = " ".join(card.process).partition(">")
    found = [name.lower() for name in final.split()]
    known = {name.lower(): number for number, name in enumerate(names) if number}
    if initial.split() != names[:1] or sorted(found) != sorted(known):
        raise InputError(
            f"the model {model.name} does not have this process",
            key="process",
            found="; ".join(card.process),
            allowed=f"{model.process} (products in any order)",
        )
    first, second, third = (known[name] for name in found)
    return first, second, third


def _check(model: AmplitudeModel, external: Mapping[str, float]) -> None:
    """Refuses parameters for which the amplitude has no meaning."""
    for name, value in external.items():
        if not math.isfinite(value):
            raise InputError(f"{name} is not finite", key=f"parameters.{name}", found=value)
    for resonance in model.resonances:
        for key, name in resonance.parameters.items():
            if external[name] <= 0.0 and key != "gamma":
                raise _not_positive(name, external[name])
    for particle in model.particles:
        if external[particle.mass] < 0.0:
            raise _not_positive(particle.mass, external[particle.mass])
    masses = [external[particle.mass] for particle in model.particles]
    if masses[0] <= sum(masses[1:]):
        raise InputError(
            "the decay is closed: the products are heavier than the particle",
            key=f"parameters.{model.particles[0].mass}",
            found=f"{masses[0]:g} GeV",
            allowed=f"more than {sum(masses[1:]):g} GeV",
        )
    for resonance in model.resonances:
        _check_barriers(model, resonance, external)


def _check_barriers(
    model: AmplitudeModel, resonance: Resonance, external: Mapping[str, float]
) -> None:
    """Barrier factors are relative to those at the pole, where the step must be open."""
    shape = LINE_SHAPES[resonance.line_shape]
    low, high = _range(model, resonance, external)
    name = resonance.parameters["mass"]
    # Without an angular momentum there is no barrier, but the width of a decay needs its momentum.
    if not (shape.production_barrier and any(orbitals(resonance))):
        high = math.inf
    if not shape.decay_barrier:
        low = 0.0
    if not low < external[name] < high:
        raise InputError(
            f"{resonance.name} is where {resonance.line_shape} has no meaning: the pair or the"
            " spectator have no momentum at its pole",
            key=f"parameters.{name}",
            found=f"{external[name]:g} GeV",
            allowed=f"between {low:g} and {high:g} GeV",
        )


def _not_positive(name: str, value: float) -> InputError:
    return InputError(
        f"{name} is not positive", key=f"parameters.{name}", found=f"{value:g}", allowed="> 0 GeV"
    )
