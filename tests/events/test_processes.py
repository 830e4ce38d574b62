"""Cross sections by process: `<init>` of files whose card has several lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pylhe
import pytest

from fabgen.events.lhe import write_lhe
from fabgen.events.processes import ProcessSums
from fabgen.events.record import EventBatch, EventTopology

MUONS = EventTopology((-11, 11, -13, 13), 2, (0.0,) * 4)
QUARKS = EventTopology(
    (-11, 11, 2, -2), 2, (0.0,) * 4, flows=(((0, 0), (0, 0), (1, 0), (0, 1)),), process=7
)
TAUS = EventTopology((-11, 11, -15, 15), 2, (0.0,) * 4, process=0)


def batch(topology, weight) -> EventBatch:
    """Events along x, with the topologies and weights (n,)."""
    n, one = len(weight), np.ones(len(weight))
    legs = [[500, 0, 0, 500], [500, 0, 0, -500], [500, 500, 0, 0], [500, -500, 0, 0]]
    return EventBatch(
        momenta=np.tile(np.array(legs, dtype=float), (n, 1, 1)),
        topology=np.asarray(topology),
        flow=np.zeros(n, dtype=int),
        weight=np.asarray(weight, dtype=float),
        scale=91.188 * one,
        aqed=one / 128,
        aqcd=0.118 * one,
    )


def test_lines_of_a_file(tmp_path, file_info):
    """Two subprocesses of one line, and two other lines, one without events."""
    topologies = (MUONS, QUARKS, replace(MUONS, pdg=(-11, 11, -11, 11)), TAUS)
    path = tmp_path / "events.lhe"
    info = file_info(cross_section=2.0, error=0.01)
    batches = [batch([0, 1, 2], [2.0, 2.0, 2.5]), batch([1, 0], [2.0, 1.5])]
    write_lhe(path, info, topologies, batches)
    content = pylhe.LHEFile.fromfile(path, generator=False)
    assert content.init.initInfo.numProcesses == 3
    lines = [(p.procId, p.xSection, p.unitWeight) for p in content.init.procInfo]
    assert lines == [
        (1, pytest.approx(1.2), 2.5),
        (7, pytest.approx(0.8), 2.0),
        (0, 0.0, 2.5),
    ]
    assert sum(p.xSection for p in content.init.procInfo) == pytest.approx(2.0, rel=1e-14)
    assert [event.eventinfo.pid for event in content.events] == [1, 7, 1, 7, 1]
    errors = [p.error for p in content.init.procInfo]
    # of the share: sqrt(sum w^2 (1 - p)^2 over its events + sum w^2 p^2 over the others) / sum w
    spread = np.sqrt((4 + 6.25 + 2.25) * 0.4**2 + 8 * 0.6**2) / 10
    assert errors[:2] == pytest.approx(
        [np.hypot(0.6 * 0.01, 2 * spread), np.hypot(0.4 * 0.01, 2 * spread)]
    )
    assert errors[2] == pytest.approx(2.0 * 20.5 / 100)  # that of one event
    assert "LPRUP" in path.read_text("utf-8")


def test_lines_of_weights_of_both_signs(tmp_path, file_info):
    """A process may take away: its cross section is negative, its largest weight is not."""
    path = tmp_path / "events.lhe.gz"
    batches = [batch([0, 0, 1], [3.0, -1.0, 0.5]), batch([0, 1, 1], [3.0, -2.5, 0.5])]
    written = write_lhe(path, file_info(cross_section=7.0, error=0.1), (MUONS, QUARKS), batches)
    assert (written.max_weight, written.mean_weight) == pytest.approx((3.0, 3.5 / 6))
    content = pylhe.LHEFile.fromfile(path, generator=False)
    lines = [(p.procId, p.xSection, p.unitWeight) for p in content.init.procInfo]
    assert lines == [(1, pytest.approx(10.0), 3.0), (7, pytest.approx(-3.0), 2.5)]
    assert all(p.error > 0.0 for p in content.init.procInfo)
    weights = [event.eventinfo.weight for event in content.events]
    assert weights == [3.0, -1.0, 0.5, 3.0, -2.5, 0.5]


def test_one_line_has_the_whole(tmp_path, file_info):
    """And no error but that of the evaluation."""
    sums = ProcessSums((MUONS, replace(MUONS, pdg=(-11, 11, -11, 11))))
    sums.add(batch([0, 1, 1], [1.0, 2.0, 0.5]))
    assert sums.lines(0.3, 0.007) == ((0.3, 0.007, 2.0, 1),)
    assert ProcessSums((MUONS,)).lines(0.3, 0.007) == ((0.3, 0.007, 0.0, 1),)


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_many_files(weighted):
    """The spread of the cross sections of a process over samples of 400 events is what each says;
    the mean is right."""
    rng = np.random.default_rng(4)
    found = []
    for _ in range(400):
        topology = (rng.random(400) < 0.2).astype(int)
        weight = np.ones(400)
        if weighted:  # of different sizes, larger ones for the second process
            weight = rng.exponential(1.0 + topology)
        sums = ProcessSums((MUONS, QUARKS))
        sums.add(batch(topology, weight))
        found.append(sums.lines(1.0, 0.0)[1][:2])
    values, errors = np.array(found).T
    expected = 0.4 / 1.2 if weighted else 0.2
    assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / 20 + 1e-3)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.15)
