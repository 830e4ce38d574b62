"""All streams of random numbers of a run.

Their keys are folded from a seed with numbers that nothing else uses. Small ones would not do:
jax.random.split(key, n)[i] is fold_in(key, i), and the training splits the key of a seed that is
most often the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jax

# Below generation.seed.
EVALUATION, UNTRAINED, GENERATION, EVENTS, GRID = range(0x46414200, 0x46414205)
PILOT, UNTRAINED_PILOT = range(0x46414211, 0x46414213)
PLOT, PLOT_REFERENCE, PLOT_UNTRAINED, PLOT_EVENTS = range(0x46414205, 0x46414209)
PLOT_PILOT, PLOT_CHANNELS = range(0x46414213, 0x46414215)
PLOT_UNTRAINED_PILOT, PLOT_UNTRAINED_WEIGHTS = range(0x46414215, 0x46414217)
WIDE, WIDE_POINTS = range(0x46414218, 0x4641421A)
EXACT, EXACT_ALONG = range(0x4641421A, 0x4641421C)
SEARCH, SEARCH_POINTS = range(0x4641421C, 0x4641421E)
ALONG = 0x46414210
PART_OF_EVENT = 0x4641421E
_PARTS = 0x50415200
_FURTHER = 0x46414217

# Below training.seed.
SURVEYS, SURVEY_EVENTS = range(0x46414220, 0x46414222)
MEASURED = 0x46414230
#: The channels of the events of a file.
FILE_CHANNELS = 0x46434800


def key(seed: int, stream: int) -> jax.Array:
    """The random key of one stream of numbers."""
    import jax

    return jax.random.fold_in(jax.random.key(seed), stream)


def key_of_part(key: jax.Array, part: int) -> jax.Array:
    """The same stream for one of several parts of a run, from 1 on."""
    import jax

    return key if part == 1 else jax.random.fold_in(key, _PARTS + part)


def key_of_events(seed: int, stream: int, number: int, part: int) -> jax.Array:
    """The random key of one stream for one piece (`part`) of the number-th event file, both from 1.

    Those of further files and pieces have a seed of their own instead of that of the generation.
    """
    import jax

    if number == part == 1:
        return key(seed, stream)
    further = key(seed, _FURTHER)
    for fold in (number, part, stream):
        further = jax.random.fold_in(further, fold)
    return further
