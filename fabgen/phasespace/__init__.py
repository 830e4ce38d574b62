"""Invertible maps between the unit hypercube and phase space, and cuts."""
