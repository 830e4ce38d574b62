"""Normalizing flows on the unit hypercube: spline couplings, permutations, trained rotations."""
