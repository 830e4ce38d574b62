"""The sample of fkld: stored in the run, from an event file, or from the surrogate of a survey."""
