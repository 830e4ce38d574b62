"""Grids of VEGAS+ as densities that are sampled and evaluated like any other."""
