"""From a card to its integrand: subprocesses, matrix elements, channels, and what is refused."""

from fabgen.build.process import build_channels, build_integrand, build_integrands

__all__ = ["build_channels", "build_integrand", "build_integrands"]
