"""A run directory at work: a card in; a trained surrogate, events, a report and pictures out."""

from fabgen.run.pipeline import (
    How,
    adopt_seed,
    append_events,
    generate,
    integrate,
    plot,
    train,
)

__all__ = ["How", "adopt_seed", "append_events", "generate", "integrate", "plot", "train"]
