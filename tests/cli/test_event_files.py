"""From the command line to an event file that others read."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pylhe
import pytest
from typer.testing import CliRunner

from fabgen.cli.commands import app

CARD = """
process = "u g > u g"

[beams]
energy = [60.0, 40.0]

[cuts]
ptj = 20.0

[scales]
renormalization = 50.0
factorization = 70.0

[surrogate]
kind = "uniform"

[evaluation]
samples = 20000

[generation]
events = 400
format = "lhe"
"""


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """What pylhe reads of a file of scattered quarks and gluons."""
    folder = tmp_path_factory.mktemp("run")
    card, out = folder / "card.toml", folder / "out"
    card.write_text(CARD)
    result = CliRunner().invoke(app, ["generate", str(card), "--run", str(out)])
    assert result.exit_code == 0, result.output
    return pylhe.LHEFile.fromfile(out / "events.lhe", generator=False)


def test_head(events):
    init = events.init.initInfo
    assert (init.beamA, init.beamB, init.energyA, init.energyB) == (2, 21, 60.0, 40.0)
    assert len(events.events) == 400


def test_scales_and_couplings(events):
    """SCALUP is the factorization scale; AQCDUP is alpha_s, not the scale it is taken at."""
    for event in events.events:
        assert event.eventinfo.scale == pytest.approx(70.0, rel=1e-9)
        assert event.eventinfo.aqcd == pytest.approx(0.118, rel=1e-9)
        assert event.eventinfo.aqed == pytest.approx(1 / 132.507, rel=1e-6)


def test_momenta_are_conserved(events):
    for event in events.events:
        assert [p.id for p in event.particles] == [2, 21, 2, 21]
        assert [p.status for p in event.particles] == [-1, -1, 1, 1]
        p = np.array([[x.e, x.px, x.py, x.pz] for x in event.particles])
        np.testing.assert_allclose(p[:2].sum(axis=0), [100.0, 0.0, 0.0, 20.0], atol=1e-7)
        np.testing.assert_allclose(p[2:].sum(axis=0), p[:2].sum(axis=0), atol=1e-7)
        assert np.all(np.hypot(p[2:, 1], p[2:, 2]) > 20.0)


def test_colour_lines(events):
    """Each begins and ends once, on quarks and gluons as they have to; both flows occur."""
    seen = Counter()
    for event in events.events:
        begin, end = Counter(), Counter()
        for p in event.particles:
            colour, anticolour = int(p.color1), int(p.color2)
            assert colour > 0 and (anticolour > 0) == (p.id == 21)
            incoming = p.status == -1
            begin[colour if incoming else anticolour] += 1
            end[anticolour if incoming else colour] += 1
        del begin[0], end[0]
        assert begin == end and set(begin.values()) == {1} and len(begin) == 3
        _, gluon, quark, _ = event.particles
        seen[quark.color1 == gluon.color1] += 1
    assert min(seen.values()) > 20 and len(seen) == 2
    assert seen[True] > seen[False]  # s^2 against u^2


def test_helicities(events):
    """Those of the quark do not change, up to the mass that it does not have."""
    spins = [[p.spin for p in event.particles] for event in events.events]
    assert {abs(spin) for event in spins for spin in event} == {1.0}
    for quark, gluon, other_quark, other_gluon in spins:
        assert quark == other_quark and gluon == other_gluon
    assert abs(np.mean([event[0] for event in spins])) < 4 / np.sqrt(400)
