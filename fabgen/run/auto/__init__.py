"""training.method = "auto": the run finds out what is fastest, from efficiencies and costs."""

from fabgen.run.auto.choice import automatic_surrogate, goals_of, has_chosen, read_choice
from fabgen.run.auto.goal import Goal

__all__ = ["Goal", "automatic_surrogate", "goals_of", "has_chosen", "read_choice"]
