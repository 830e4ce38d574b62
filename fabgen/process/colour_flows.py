"""Colour structures as colour lines of an event record (hep-ph/0109068)."""

from __future__ import annotations

from fabgen.process.colour import Structure

#: (colour, anticolour) of every leg, 0 for none
Lines = tuple[tuple[int, int], ...]


def colour_lines(structure: Structure, n_external: int, n_initial: int) -> Lines:
    """The lines of a colour structure, numbered from 1.

    Along a string the line of a quark that goes out ends in the anticolour of the first gluon, the
    colour of that gluon in the anticolour of the next one, and so on. For a particle that comes in
    colour and anticolour are those of the particle itself: the other way round.
    """
    colour = [0] * n_external
    anticolour = [0] * n_external
    line = 0
    for kind, *labels in structure:
        following = labels[1:] + (labels[:1] if kind == "trace" else [])
        for leg, successor in zip(labels, following, strict=False):
            line += 1
            colour[leg] = line
            anticolour[successor] = line
    return tuple(
        (a, c) if leg < n_initial else (c, a)
        for leg, (c, a) in enumerate(zip(colour, anticolour, strict=True))
    )
