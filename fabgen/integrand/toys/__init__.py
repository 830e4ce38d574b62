"""Integrands in closed form that several channels can be tried on: `process = "toy:NAME"`."""

from fabgen.integrand.toys.integrand import ToyIntegrand

__all__ = ["ToyIntegrand"]
