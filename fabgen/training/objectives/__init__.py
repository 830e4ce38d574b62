"""What a training minimizes: one file a loss, by the names of `training.method`."""
