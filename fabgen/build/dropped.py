"""`channels.drop`: particles whose channels are left out, so that what maps miss can be tried."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from fabgen.build.checks import name_of
from fabgen.card import toml
from fabgen.errors import InputError
from fabgen.model import Model
from fabgen.process.other_names import meant
from fabgen.process.resonances import Diagram
from fabgen.process.subprocesses import Diagrams
from fabgen.process.syntax import DecayTree

KEY = "channels.drop"


def dropped_particles(
    names: Sequence[str], model: Model, diagrams: Iterable[Diagrams]
) -> frozenset[str]:
    """The particles of the card with their antiparticles.

    Raises InputError for a name that is no particle, or one that no diagram has as a propagator.
    """
    if not names:
        return frozenset()
    inside = {
        name
        for entry in diagrams
        for current in entry.graph.currents
        if current.propagator
        for name in (current.particle, model.particle(current.particle).antiname)
    }
    ordered = [name for name in model.known_names if name in inside]
    allowed = f"particles of the channels: {' '.join(ordered)}"
    found = set[str]()
    for typed in names:
        particle = model.resolve(typed)
        if particle is None:
            raise InputError(
                f"{typed!r} is not a particle of the model {model.name}",
                key=KEY,
                found=toml.value(names),
                allowed=allowed,
                hint=_hint(typed, model),
            )
        if particle not in inside:
            raise InputError(
                f"no channel has a propagator of {particle}",
                key=KEY,
                found=toml.value(names),
                allowed=allowed,
            )
        found |= {particle, model.particle(particle).antiname}
    return frozenset(found)


def without(
    diagrams: Sequence[Diagram], dropped: frozenset[str], tree: DecayTree
) -> tuple[Diagram, ...]:
    """The diagrams without a propagator of these particles, time-like, space-like, or of all.

    tree: what they are of, for the message. Raises InputError where none is left.
    """
    kept = tuple(diagram for diagram in diagrams if dropped.isdisjoint(diagram.particles))
    if not kept:
        raise InputError(
            f"no channel of {name_of(tree)} is left",
            key=KEY,
            found=" ".join(sorted(dropped)),
            allowed="particles that some diagram does without",
        )
    return kept


def _hint(typed: str, model: Model) -> str | None:
    close = [model.resolve(meant(typed) or "")]
    if close == [None]:
        lower = [name.lower() for name in model.known_names]
        close = [*difflib.get_close_matches(typed.lower(), lower, n=1)]
    return f"did you mean {close[0]}?" if close else None
