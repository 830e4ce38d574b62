"""f(u) on the unit hypercube: all that training and sampling see of a process."""
