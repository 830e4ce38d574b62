"""The steps at which a training comes up for air."""

from __future__ import annotations


def next_stop(
    step: int, steps: int, intervals: tuple[int, ...], extra: tuple[int, ...] = ()
) -> int:
    """The first of 0, the multiples of the intervals, the extra stops and the end after `step`."""
    if step < 0:
        return min(0, *((step // every + 1) * every for every in intervals))
    later = (stop for stop in extra if stop > step)
    return min(steps, *((step // every + 1) * every for every in intervals), *later)


def log_spaced(n: int, steps: int) -> tuple[int, ...]:
    """At most n steps from 1 to `steps`, evenly spaced in their logarithm; the last for n = 1."""
    if n < 1:
        return ()
    spaced = (steps ** (i / (n - 1)) for i in range(n - 1))
    return tuple(sorted({*(min(round(s), steps) for s in spaced), steps}))
