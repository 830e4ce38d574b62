"""Integrands in closed form that several channels can be tried on: `process = "toy:NAME"`."""

from fabgen.toys.build import TOYS, build_toy
from fabgen.toys.integrand import ToyIntegrand

__all__ = ["TOYS", "ToyIntegrand", "build_toy"]
