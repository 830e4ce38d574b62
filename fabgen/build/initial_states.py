"""Several initial states: those that are refused, and notes for reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fabgen.card import Card
from fabgen.errors import InputError
from fabgen.model import Model
from fabgen.process.event_topology import EventTopology
from fabgen.process.parser import parse_process

#: Initial states that a message or a note names.
_MOST = 6


def refuse_protons(card: Card, model: Model) -> None:
    """Raises InputError where what collides is `p`, `j` or made of them, without protons.

    They mean a proton, whose flavours come with densities: a sum that counts them alike is no cross
    section. The names keep that meaning where a card redefines them.
    """
    if card.beams.kind == "proton":
        return
    hadrons = {
        name
        for name, members in model.multiparticles.items()
        if sum(model.particle(member).colour != 1 for member in members) > 1
    }
    own = {name.lower(): members for name, members in card.multiparticles.items()}
    for line in card.process:
        try:
            core = parse_process(line).core
        except InputError as error:
            raise error.with_place(key="process") from None
        if len(core.initial) != 2:
            continue
        for name in core.initial:
            if not hadrons.isdisjoint(_names_in(name, own)):
                raise InputError(
                    f"{name} stands for all partons of a proton, and the beams are fixed",
                    key="beams.kind",
                    found=f"{card.beams.kind}, with the process {line!r}",
                    allowed="proton; fixed has beams of one particle each, as in u u~ > t t~",
                    hint="partons that you list under another name are added up, each with weight"
                    ' one: [multiparticles] q = ["u", "d"], "q~" = ["u~", "d~"]; q q~ > t t~',
                )


def _names_in(name: str, own: Mapping[str, Sequence[str]]) -> set[str]:
    """The name and all that its definition in the card leads to."""
    found: set[str] = set()
    waiting = [name.lower()]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [word.lower() for entry in own.get(name, ()) for word in entry.split()]
    return found


def initial_states(topologies: Iterable[EventTopology]) -> tuple[tuple[int, ...], ...]:
    """PDG ids of what comes in, each pair once; u u~ and u~ u are two."""
    return tuple(dict.fromkeys(t.pdg[: t.n_initial] for t in topologies))


def notes(model: Model, topologies: Sequence[EventTopology], are_protons: bool) -> tuple[str, ...]:
    """Notes for a report on a sum over initial states; none for one, nor for partons of protons."""
    states = initial_states(topologies)
    if len(states) == 1 or are_protons:
        return ()
    names = {p.pdg: p.name for p in model.particles.values()}
    return (
        f"the sum of {len(topologies)} subprocesses of {len(states)} initial states"
        f" ({_listed(' '.join(names[pdg] for pdg in state) for state in states)}), each with weight"
        " one: no densities, no average",
    )


def refuse_several_beams(
    card: Card, topologies: Sequence[EventTopology], beams: tuple[int, ...]
) -> None:
    """Raises InputError where events would have different beams, of which a file has one pair.

    beams: PDG ids; what comes in may differ where it is a part of them.
    """
    states = initial_states(topologies)
    if len(states) == 1 or beams not in states:
        return
    found = _listed(" ".join(map(str, state)) for state in states)
    raise InputError(
        "an event file names one pair of beams, and the events of this card have several",
        file=card.file,
        key="process",
        found=f"{'; '.join(card.process)}: PDG ids {found}",
        allowed="one initial state",
        hint="fabgen integrate adds them up; for events make a card of each",
    )


def _listed(texts: Iterable[str]) -> str:
    texts = list(texts)
    more = [f"{len(texts) - _MOST} more"] if len(texts) > _MOST else []
    return ", ".join(texts[:_MOST] + more)
