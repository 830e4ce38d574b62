"""The last stage of a run: write events.

Heavy packages are imported by the functions that need them; the time this takes is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fabgen import __version__
from fabgen.card import Card, dump_card
from fabgen.run.session import Session
from fabgen.run.sources import Place, Source

if TYPE_CHECKING:
    from fabgen.events.lhe import Earlier, FileInfo
    from fabgen.events.processes import Sums
    from fabgen.sampling.integrate import Survey
    from fabgen.sampling.unweight import Totals


def write_events(
    sources: Sequence[Source],
    path: Path,
    place: Place,
    weighted: bool,
    earlier: Earlier | None = None,
) -> tuple[Totals, tuple[Sums, ...]]:
    """Generates card.generation.events events of all parts and writes them to `path`, block by
    block.

    Those of an `earlier` file stand before them. Returns the sums over the new events, and
    those over all events of the file by process.
    """
    session = sources[0].session
    with session.watch("import"):
        from fabgen.events.lhe import write_lhe
        from fabgen.run.mixture import EventMixture
        from fabgen.sampling.integrate import joined
    watch, n = session.watch, session.card.generation.events
    with session.compiling():
        mixture = EventMixture(sources, place, weighted)
    batches = iter(mixture.batches(n))

    def timed() -> Iterator[Any]:
        while True:
            with watch("generate"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    with session.reporter.stage("events", n, "events") as show:
        before = watch.seconds().get("generate", 0.0)
        start = watch.clock()
        written = write_lhe(
            path,
            _file_info(session, joined([s.survey for s in sources]), place.card),
            tuple(t for source in sources for t in source.session.integrand.topologies),
            timed(),
            earlier=earlier,
            progress=show,
        )
        generating = watch.seconds().get("generate", 0.0) - before
        watch.add("write", watch.clock() - start - generating)
    return mixture.totals, written.sums


def _file_info(session: Session, survey: Survey, card: Card) -> FileInfo:
    from fabgen.events.lhe import FileInfo, decay_beams
    from fabgen.events.slha import slha_text

    integrand = session.integrand
    if len(integrand.beam_particles) == 1:
        mass = integrand.topologies[0].masses[0]
        beams, energies = decay_beams(integrand.beam_particles[0], mass)
    else:
        (a, b), (energy_a, energy_b) = integrand.beam_particles, integrand.beam_energies
        beams, energies = (a, b), (energy_a, energy_b)
    return FileInfo(
        beams=beams,
        energies=energies,
        cross_section=survey.metrics.integral,
        # A file has no place for "unknown".
        error=min(survey.metrics.integral_error, survey.metrics.absolute_integral),
        unit=integrand.unit,
        process="; ".join(_process_names(card.process)),
        card=dump_card(card),
        slha=slha_text(integrand.parameters, integrand.masses, integrand.widths),
        version=__version__,
        notes=integrand.notes,
        pdf_set=integrand.densities.get("id", 0),
    )


def _process_names(lines: Sequence[str]) -> list[str]:
    """The lines of a card, of several each with its number in the event file."""
    from fabgen.process.parser import parse_process
    from fabgen.process.syntax import process_numbers

    if len(lines) == 1:
        return list(lines)
    parsed = [parse_process(line) for line in lines]
    numbers = process_numbers(parsed)
    return [f"{line} (LPRUP {number})" for line, number in zip(lines, numbers, strict=True)]
