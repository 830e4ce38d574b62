"""The scales of a card, and what MadGraph's default, "ckkw", is where it has a closed form."""

from __future__ import annotations

from collections.abc import Sequence

from fabgen.beams import EventScales, FixedScales, Scales
from fabgen.build.checks import name_of
from fabgen.card.schema import DYNAMIC_SCALES
from fabgen.card.schema import Scales as ScaleOptions
from fabgen.errors import InputError
from fabgen.model import Model
from fabgen.process.syntax import DecayTree

CKKW = "ckkw"
_ELECTRON, _ELECTRON_NEUTRINO, _W, _Z, _HIGGS = 11, 12, 24, 23, 25
_CHARGED_LEPTONS = (11, 13, 15)
_CASES = (
    "p p > l+ l-",
    "two equal particles, or one and its antiparticle, from strong interactions",
    "e+ e- through an s channel",
    "e+ e- > w+ w-",
)


def scales_of(options: ScaleOptions, model: Model, trees: Sequence[DecayTree]) -> Scales:
    """The scales of the events of some processes. Raises InputError for "ckkw" where these have no
    closed form in common."""
    chosen = [
        _resolved(value, f"scales.{name}", model, trees)
        for name, value in (
            ("renormalization", options.renormalization),
            ("factorization", options.factorization),
        )
    ]
    first, second = chosen
    if isinstance(first, str) or isinstance(second, str):
        return EventScales(first, second, options.factor)
    return FixedScales(first, second)


def _resolved(
    value: float | str, key: str, model: Model, trees: Sequence[DecayTree]
) -> float | str:
    if value != CKKW:
        return value if isinstance(value, str) else float(value)
    forms = {ckkw_form(model, tree): tree for tree in trees}
    if None in forms or len(forms) > 1:
        found = (
            name_of(forms[None]) if None in forms else " and ".join(map(name_of, forms.values()))
        )
        raise InputError(
            "MadGraph's clustering (ckkw) gives no scale in closed form for this process"
            if None in forms
            else "MadGraph's clustering (ckkw) gives these processes scales of several kinds",
            key=key,
            found=found,
            allowed="a number in GeV, or one of: "
            + ", ".join(name for name in DYNAMIC_SCALES if name != CKKW),
            hint="ckkw is there for " + "; ".join(_CASES),
        )
    (form,) = forms
    assert form is not None
    return form


def ckkw_form(model: Model, tree: DecayTree) -> str | None:
    """The scale that kT clustering along diagrams ends with, by its name in `beams.scales`; None
    where there is no closed form.

    m(ll) for p p > l+ l-; sqrt(m_T m_T) for two equal particles from strong interactions; sqrt(s)
    for e+ e- through an s channel; sqrt(s)/2 for e+ e- > w+ w-. Not with decays, whose products are
    further final legs.
    """
    if len(tree.initial) != 2 or len(tree.final) != 2 or any(tree.decays):
        return None
    initial = [model.particle(name) for name in tree.initial]
    final = [model.particle(name) for name in tree.final]
    ids = [particle.pdg for particle in final]
    if all(abs(particle.colour) > 1 for particle in initial):
        if sum(ids) == 0 and abs(ids[0]) in _CHARGED_LEPTONS:
            return "partonic_energy"
        coloured = all(abs(particle.colour) > 1 for particle in final)
        return "mean_transverse_mass" if coloured and abs(ids[0]) == abs(ids[1]) else None
    if sorted(particle.pdg for particle in initial) != [-_ELECTRON, _ELECTRON]:
        return None
    if sorted(ids) == [-_W, _W]:
        return "half_partonic_energy"
    others = abs(ids[0]) not in (_ELECTRON, _ELECTRON_NEUTRINO)
    pair = sum(ids) == 0 and final[0].is_fermion and others
    return "partonic_energy" if pair or sorted(ids) == [_Z, _HIGGS] else None
