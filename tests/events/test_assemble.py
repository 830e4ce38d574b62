"""From accepted points to a file of events."""

from __future__ import annotations

import functools
import math

import jax
import numpy as np
import pylhe
import pytest

from fabgen.events.assemble import assemble, event_drawer
from fabgen.events.lhe import write_lhe
from fabgen.sampling.integrate import integrate
from fabgen.sampling.sampler import weighted_sampler
from fabgen.sampling.unweight import unweight, weighted
from fabgen.sampling.values import CompiledIntegrand


@functools.cache
def compiled(two_fermions, flat):
    """What draws the events, what samples points, and a survey of them: for all tests here."""
    values = CompiledIntegrand(two_fermions, 1000).values
    sampler = weighted_sampler(values, flat, (), block=1000)
    survey = integrate(sampler, 5000, jax.random.key(1))
    return event_drawer(CompiledIntegrand(two_fermions, 256)), sampler, survey


@pytest.fixture
def events(two_fermions, flat):
    drawer, sampler, survey = compiled(two_fermions, flat)
    key = jax.random.key(4)

    def batches(n, method=unweight):
        return list(assemble(drawer, method(sampler, survey, n, key), key))

    return batches


def test_batches_have_one_size(events) -> None:
    assert [len(b) for b in events(700)] == [256, 256, 188]
    assert events(0) == []


def test_first_events_of_a_longer_run_are_the_same(events) -> None:
    long, short = (events(n) for n in (700, 300))
    for name in ("momenta", "topology", "weight"):
        first, again = (np.concatenate([getattr(b, name) for b in bs]) for bs in (long, short))
        assert np.array_equal(first[:300], again)


@pytest.mark.parametrize("method", [unweight, weighted])
def test_file_has_the_cross_section_as_mean_weight(
    tmp_path, file_info, two_fermions, events, method
) -> None:
    """The whole way to the file; <cos^2> = 2/5 of 1 + cos^2, both from the written numbers."""
    n = 5000
    batches = events(n, method)
    write_lhe(tmp_path / "e.lhe.gz", file_info(), two_fermions.topologies, batches)
    weight, square, ids = [], [], set()
    for event in pylhe.LHEFile.fromfile(tmp_path / "e.lhe.gz").events:
        p = event.particles[-2]
        weight.append(event.eventinfo.weight)
        square.append((p.pz / p.e) ** 2)
        ids.add(p.id)
    assert len(weight) == n and ids == {-13, 2}
    assert np.mean(weight) == pytest.approx(3.0, abs=4 * 3 * 0.3 / math.sqrt(n))
    assert np.average(square, weights=weight) == pytest.approx(0.4, abs=4 * 0.3 / math.sqrt(n))


def test_resonances_of_the_drawn_sets_are_written(tmp_path, file_info, two_fermions, events):
    write_lhe(tmp_path / "e.lhe", file_info(), two_fermions.topologies, events(300))
    seen = set()
    for event in pylhe.LHEFile.fromfile(tmp_path / "e.lhe").events:
        particle = event.particles[-2]
        ids = [q.id for q in event.particles if q.status == 2]
        assert ids == ([23] if particle.pz > 0.0 else [])
        seen.add((particle.id, *ids))
    assert seen == {(-13,), (-13, 23), (2,), (2, 23)}
