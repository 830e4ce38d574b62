"""Pictures of a run. Each module computes the numbers of one picture and draws them."""
