"""The parts of an amplitude model, as text: `fabgen show`."""

from __future__ import annotations

from collections.abc import Iterator

from fabgen.amplitude.dalitz.lineshapes import LINE_SHAPES
from fabgen.amplitude.dalitz.model import Resonance
from fabgen.build.dalitz import build_dalitz
from fabgen.card import Card
from fabgen.card.messages import with_source
from fabgen.errors import InputError
from fabgen.integrand.dalitz import DalitzIntegrand


def describe_dalitz(card: Card) -> str:
    """Resonances with their fit fractions, the map and the dimension. Raises InputError."""
    try:
        return "\n".join(_lines(card, build_dalitz(card)))
    except InputError as error:
        raise with_source(error, card) from None


def _lines(card: Card, integrand: DalitzIntegrand) -> Iterator[str]:
    model = integrand.model
    n_couplings = sum(len(resonance.production) for resonance in model.resonances)
    yield f"{'process':<14}{card.process[0]}"
    yield f"{'model':<14}{card.model}"
    yield f"{'dimension':<14}{integrand.dim}"
    yield f"{'resonances':<14}{len(model.resonances)}, {n_couplings} couplings"
    fractions = integrand.fit_fractions()
    for spectator in dict.fromkeys(resonance.spectator for resonance in model.resonances):
        first, second = model.pair(spectator)
        yield ""
        header = f"{first.name} {second.name}"
        yield f"  {header:<12}J^P     mass    width [GeV]  fraction  line shape"
        for resonance in model.resonances:
            if resonance.spectator == spectator:
                yield _row(integrand, resonance, fractions[resonance.name])
    yield ""
    yield f"{'channel':<14}{_map(integrand)}"


def _row(integrand: DalitzIntegrand, resonance: Resonance, fraction: float) -> str:
    shape = LINE_SHAPES[resonance.line_shape]
    mass, width = (integrand.external[resonance.parameters[key]] for key in shape.pole_and_width)
    spin = f"{resonance.spin}/2" if resonance.spin % 2 else f"{resonance.spin // 2}"
    parity = "+" if resonance.parity > 0 else "-"
    return (
        f"  {resonance.name:<12}{spin + parity:<6}{mass:>7.4f}  {width:>7.4f}"
        f"{100.0 * fraction:>14.1f} %  {resonance.line_shape}"
    )


def _map(integrand: DalitzIntegrand) -> str:
    particles, mapping = integrand.model.particles, integrand.mapping
    first, second = (particles[number].name for number in mapping.pair)
    angle = f"angle of {first} and {particles[mapping.spectator].name} in the pair's rest frame"
    if integrand.resonance:
        return f"({first} {second})[breit-wigner-tail {' '.join(integrand.resonance)}], {angle}"
    return f"square Dalitz plot: mass of {first} {second}, {angle}"
