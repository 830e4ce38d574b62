"""From accepted points to a file of events."""

from __future__ import annotations

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


@pytest.fixture(name="sampler")
def sampler_fixture(two_fermions, flat):
    return weighted_sampler(two_fermions, flat, (), block=1000)


def events(two_fermions, sampler, n, method=unweight, block=256):
    key = jax.random.key(4)
    survey = integrate(sampler, 5000, jax.random.key(1))
    drawer = event_drawer(two_fermions, block=block)
    return list(assemble(drawer, method(sampler, survey, n, key), key))


def test_batches_have_one_size(two_fermions, sampler) -> None:
    assert [len(b) for b in events(two_fermions, sampler, 700)] == [256, 256, 188]
    assert events(two_fermions, sampler, 0) == []


def test_first_events_of_a_longer_run_are_the_same(two_fermions, sampler) -> None:
    long, short = (events(two_fermions, sampler, n) for n in (700, 300))
    for name in ("momenta", "topology", "weight"):
        first, again = (np.concatenate([getattr(b, name) for b in bs]) for bs in (long, short))
        assert np.array_equal(first[:300], again)


@pytest.mark.parametrize("method", [unweight, weighted])
def test_file_has_the_cross_section_as_mean_weight(
    tmp_path, file_info, two_fermions, sampler, method
) -> None:
    """The whole way to the file; <cos^2> = 2/5 of 1 + cos^2, both from the written numbers."""
    n = 5000
    batches = events(two_fermions, sampler, n, method)
    write_lhe(tmp_path / "e.lhe.gz", file_info(), two_fermions.topologies, batches)
    weight, square, ids = [], [], set()
    for event in pylhe.LHEFile.fromfile(tmp_path / "e.lhe.gz").events:
        p = event.particles[2]
        weight.append(event.eventinfo.weight)
        square.append((p.pz / p.e) ** 2)
        ids.add(p.id)
    assert len(weight) == n and ids == {-13, 2}
    assert np.mean(weight) == pytest.approx(3.0, abs=4 * 3 * 0.3 / math.sqrt(n))
    assert np.average(square, weights=weight) == pytest.approx(0.4, abs=4 * 0.3 / math.sqrt(n))
