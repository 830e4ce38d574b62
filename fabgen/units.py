"""Natural units: energies in GeV, cross sections in pb."""

from __future__ import annotations

#: (hbar c)^2 in pb GeV^2 (PDG Review 2024, Physical constants: 0.389 379 372 1 GeV^2 mbarn).
PB_GEV2 = 0.3893793721e9
