"""SLHA text."""

from __future__ import annotations

from fabgen.events.slha import slha_text

EXPECTED = """\
BLOCK SMINPUTS
          1  1.32507000000000e+02 # aEWM1
          3  1.18000000000000e-01 # aS
BLOCK MASS # GeV
          5  4.70000000000000e+00
          6  1.73000000000000e+02
BLOCK YUKAWA # GeV
          6  1.73000000000000e+02 # ymt
BLOCK FABGEN
          1  2.50000000000000e-01 # cHW
DECAY         6  1.49150000000000e+00 # GeV
"""


def test_blocks_masses_and_widths() -> None:
    text = slha_text(
        {"aS": 0.118, "aEWM1": 132.507, "ymt": 173.0, "MT": 173.0, "WT": 1.4915, "cHW": 0.25},
        masses={6: 173.0, 5: 4.7},
        widths={6: 1.4915},
    )
    lines = text.splitlines()
    # Entries of a block stand in the order of the parameters.
    assert sorted(lines) == sorted(EXPECTED.splitlines())
    blocks = [line.split()[1] for line in lines if line.startswith(("BLOCK", "DECAY"))]
    assert blocks == ["SMINPUTS", "MASS", "YUKAWA", "FABGEN", "6"]
