"""Losses of a training: one file each, by the names of `training.method`."""
