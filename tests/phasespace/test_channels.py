"""Channels from diagrams: which there are, mirrors, and that together they cover phase space."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from fabgen.build import build_channels
from fabgen.card.parser import card_from_table
from fabgen.phasespace.channels import Mirror, find_channels
from fabgen.phasespace.cuts import Cuts
from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.topology import MapContext

E = 1000.0
CUTS = {"ptj": 30.0, "etaj": 2.5, "drjj": 0.4}
#: Of each channel, in NETS nets of Sobol'; four channels make a piece of conftest.py.
EVENTS, NETS = 512, 8

#: Channels, and how many of them are mirrors.
EXPECTED = {
    "e+ e- > mu+ mu-": (1, 0),
    "u u~ > g g g": (16, 11),
    "e+ e- > w+ w- z": (11, 0),
    "e+ e- > w+ b w- b~": (34, 0),
    "u d~ > w+ w+ w-": (9, 4),
    "e+ e- > t t~, t > w+ b, t~ > w- b~": (1, 0),
    "u d > u d g": (5, 0),
}


@functools.cache
def built(process):
    """The integrand, and the channels and diagrams of its only component."""
    jets = any(name in process.split() for name in "gud")
    table = {"process": [process], "cuts": CUTS if jets else {}}
    [[integrand, (found,)]] = build_channels(card_from_table(table))
    return integrand, *found


def point(process):
    """Kinematics for all channels of a process."""
    integrand, (channel, *_), _ = built(process)
    values = integrand.derived
    point = kinematics(
        E,
        integrand.topologies[0].masses[2:],
        [values[mass] for mass, _ in channel.resonances],
        [values[width] for _, width in channel.resonances],
        [values[mass] for mass in channel.exchanged],
    )
    return jax.tree.map(np.asarray, point)


@pytest.mark.parametrize("process", EXPECTED)
def test_every_diagram_belongs_to_one_channel(process):
    _, channels, diagrams = built(process)
    assert sorted(n for c in channels for n in c.diagrams) == list(range(len(diagrams)))
    assert len({c.mapping for c in channels}) == len(channels)
    assert (len(channels), sum(c.mirror is not None for c in channels)) == EXPECTED[process]
    for channel in channels:
        if channel.mirror is not None:
            original = channels[channel.mirror.original]
            assert original.mirror is None
            assert channel.mapping == original.mapping.renamed(channel.mirror.permutation)


def test_products_of_a_decay_do_not_mirror_other_particles():
    """ptl holds for the second pair of leptons only: a map of one does not do for the other."""
    process = "e+ e- > z e+ e- / a, z > e+ e-"
    table = {"process": [process], "cuts": {"ptl": 10.0}, "phase_space": {"bw_cutoff": math.inf}}
    [[_, (found,)]] = build_channels(card_from_table(table))
    cut = {(0.0, 0.0, 10.0, 10.0)}
    assert len(found.channels) > 1
    assert {
        tuple(leaf.minimum_pt for leaf in sorted(c.mapping.tree.leaves, key=lambda leaf: leaf.leg))
        for c in found.channels
    } == cut


def test_upper_cuts_on_masses_limit_the_maps():
    """mmllmax below the Z: what a photon or a Z made ends there."""
    cuts = {"mmll": 10.0, "mmllmax": 60.0, "pta": 10.0, "dral": 0.4}
    table = {"process": ["e+ e- > mu+ mu- a"], "cuts": cuts}
    [[integrand, (found,)]] = build_channels(card_from_table(table))
    masses = integrand.masses
    pairs = [
        (channel.mapping, branch.propagator)
        for channel in found.channels
        for branch in channel.mapping.tree.branches()
        if set(branch.legs) == {0, 1}
    ]
    assert pairs
    # Of a photon; of a Z, whose pole is beyond.
    assert {(p.kind, p.minimum, p.maximum) for _, p in pairs} == {
        ("power", 10.0, 60.0),
        ("flat", 10.0, 60.0),
    }
    u = np.random.default_rng(3).uniform(size=(5, EVENTS))
    values = kinematics(E, [masses.get(13, 0.0)] * 2 + [0.0])
    momenta, log_jacobian = pairs[0][0].forward(jnp.asarray(u), values)
    total = np.asarray(momenta[0] + momenta[1])
    mass = np.sqrt(total[0] ** 2 - np.sum(total[1:] ** 2, axis=0))
    assert np.all(np.isfinite(log_jacobian))
    assert 59.0 < mass.max() < 60.0 + 1e-9
    back, again = pairs[0][0].inverse(momenta, values)
    np.testing.assert_allclose(back, u, atol=1e-9)
    np.testing.assert_allclose(again, log_jacobian, atol=1e-9)


def test_photon_and_z_differ_where_z_can_be_on_shell():
    _, channels, diagrams = built("e+ e- > w+ b w- b~")
    by_kind = {}
    for channel in channels:
        for number in channel.diagrams:
            for p in diagrams[number].propagators:
                if p.legs == (3, 5) and not diagrams[number].spacelike:
                    by_kind.setdefault(p.particle, set()).add(channel.mapping)
    assert not by_kind["a"] & by_kind["z"]
    assert not by_kind["h"] & by_kind["z"]


def test_bounds_from_cuts():
    """pT and rapidity of every jet; the mass of what is left from the cuts on pairs."""
    _, channels, _ = built("u u~ > g g g")
    ladders = [c.mapping for c in channels if c.mirror is None and c.mapping.ladder]
    assert len(ladders) == 3
    for mapping in ladders:
        bounds = {(leaf.minimum_pt, leaf.maximum_rapidity) for leaf in mapping.tree.leaves}
        assert bounds == {(30.0, 2.5)}
        (inner,) = mapping.drawn
        assert inner.propagator.minimum == pytest.approx(2 * 30 * math.sin(0.2))


def test_permutations_are_those_of_legs():
    """Leg i of a mirrored channel plays the part of leg permutation[i] of the original."""
    _, channels, diagrams = built("u u~ > g g g")
    for channel in channels:
        if channel.mirror is not None:
            original = diagrams[channels[channel.mirror.original].diagrams[0]]
            mirrored = diagrams[channel.diagrams[0]]
            for first, second in zip(
                original.propagators + original.spacelike,
                mirrored.propagators + mirrored.spacelike,
                strict=True,
            ):
                renamed = {channel.mirror.permutation[leg - 2] + 2 for leg in second.legs}
                assert renamed == set(first.legs)


def test_permuted(evaluated):
    _, channels, _ = built("u d~ > w+ w+ w-")
    channel = next(c for c in channels if c.mirror)
    assert channel.mirror == Mirror(1, (1, 0, 2))
    u = np.random.default_rng(0).uniform(size=(channel.mapping.dim, EVENTS))
    kin = point("u d~ > w+ w+ w-")
    momenta, log_jacobian = evaluated(channel.mapping.forward, u, kin)
    original, same = evaluated(channels[1].mapping.forward, u, kin)
    np.testing.assert_array_equal(momenta[0], original[1])
    np.testing.assert_array_equal(log_jacobian, same)
    again, log_inverse = evaluated(channel.mapping.inverse, momenta, kin)
    np.testing.assert_allclose(again, u, atol=1e-12)
    np.testing.assert_allclose(log_inverse, log_jacobian, atol=1e-12)


@pytest.fixture
def mixture(evaluated):
    """mixture(process) -> momenta, values."""
    return functools.partial(_mixture, evaluated)


def _mixture(evaluated, process):
    """Points of all channels, equally many of each, and 1/(sum of the densities), (events,).

    With alpha_i = g_i/sum_j g_j all channels together give the integral of one: alpha_i/g_i.
    """
    _, channels, _ = built(process)
    kin = point(process)
    dim, size = channels[0].mapping.dim, EVENTS // NETS
    nets = [qmc.Sobol(dim, rng=k).random(size) for k in range(NETS * len(channels))]
    cubes = np.reshape(nets, (len(channels), EVENTS, dim)).transpose(0, 2, 1)
    drawn = [evaluated(c.mapping.forward, u, kin) for c, u in zip(channels, cubes, strict=True)]
    momenta = np.concatenate([p for p, _ in drawn], axis=-1)
    density = 0.0
    for i, channel in enumerate(channels):
        u, log_jacobian = evaluated(channel.mapping.inverse, momenta, kin)
        assert not np.any(np.isnan(log_jacobian)) and not np.any(np.isneginf(log_jacobian))
        density = density + np.exp(-log_jacobian)
        own = slice(i * EVENTS, (i + 1) * EVENTS)
        np.testing.assert_allclose(log_jacobian[own], drawn[i][1], atol=1e-8)
        np.testing.assert_allclose(u[:, own], cubes[i], atol=1e-8)
    return momenta, 1.0 / density


def total(values, n_channels):
    """Integral and its error from the mixture; each channel is a sample of its own."""
    parts = values.reshape(n_channels, NETS, -1).mean(axis=2)
    return np.sum(parts) / NETS, math.sqrt(np.sum(np.var(parts, axis=1, ddof=1)) / NETS)


@pytest.mark.parametrize("process", ["u d~ > w+ w+ w-"])
def test_channels_together_give_the_volume(process, mixture, massive_volume):
    integrand, channels, _ = built(process)
    _, values = mixture(process)
    value, error = total(values, len(channels))
    expected = massive_volume(E, integrand.topologies[0].masses[2:])
    assert error < 0.01 * expected
    assert abs(value - expected) <= 4 * error


def test_channels_together_give_the_volume_within_cuts(
    mixture, passing, evaluated, samples, integral
):
    """Channels do not reach all that the others do: their density is zero there."""
    process = "u u~ > g g g"
    integrand, channels, _ = built(process)
    cuts: Cuts = integrand.components[0].cuts
    momenta, values = mixture(process)
    value, error = total(values * passing(cuts, momenta, np.zeros(3)), len(channels))
    momenta, log_jacobian = evaluated(Rambo(3).forward, samples(5), point(process))
    expected, uncertain = integral(np.exp(log_jacobian) * passing(cuts, momenta, np.zeros(3)))
    assert error < 0.02 * expected
    assert abs(value - expected) <= 4 * math.hypot(error, uncertain)


def test_densities_have_finite_gradients():
    """Of channels, where they do not reach, too."""
    process = "u u~ > g g g"
    _, channels, _ = built(process)
    ladders = [c.mapping for c in channels if c.mirror is None and c.mapping.ladder]
    u = jnp.asarray(np.random.default_rng(3).uniform(size=(5, 4 * EVENTS)))
    kin = point(process)

    def log_densities(u):
        momenta, _ = Rambo(3).forward(u, kin)
        logs = [m.inverse(momenta, kin)[1] for m in ladders[-1:]]
        return sum(jnp.sum(jnp.where(jnp.isinf(x), 0.0, x)) for x in logs), logs

    gradient, logs = jax.grad(log_densities, has_aux=True)(u)
    assert any(np.any(np.isposinf(x)) for x in logs)
    assert np.all(np.isfinite(gradient))


def test_labels_of_identical_particles():
    """Without a common label no channel is a mirror."""
    _, channels, diagrams = built("u d~ > w+ w+ w-")
    integrand = built("u d~ > w+ w+ w-")[0]
    setting = MapContext(
        integrand.model,
        {"ZERO": 0.0, **{k: v for k, v in integrand.derived.items() if isinstance(v, float)}},
        E,
        2,
        ("a", "b", "c"),
        lambda legs: 80.0 * len(legs),
    )
    assert all(c.mirror is None for c in find_channels(setting, diagrams))
    assert len(find_channels(setting, diagrams)) == len(channels)
