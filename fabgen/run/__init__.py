"""A run directory at work: a card in; a trained surrogate, events, a report and pictures out."""

from fabgen.run.pipeline import (
    RunOptions,
    adopt_seed,
    append_events,
    generate,
    integrate,
    plot,
    train,
)

__all__ = ["RunOptions", "adopt_seed", "append_events", "generate", "integrate", "plot", "train"]
