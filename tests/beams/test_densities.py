"""Beams of partons: two variables, densities that are given functions of x and the scale, unequal
beams, scales and alpha_s of each event, subprocesses of different masses and both orders of beams.

Everything that protons need, with functions in their place, through map, f, inverse, drawing,
training, unweighting and event files; against quadrature of the closed form of q q~ > Q Q~.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen import run
from fabgen.beams import Beams, Collision, Scales
from fabgen.beams.collision import along_z
from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.units import PB_GEV2

ENERGIES = 800.0, 500.0
CUTS = {"ptb": 60.0, "etab": 1.5, "ptheavy": 40.0}
UP, ANTI = 2, -2
#: Of the first and the second beam; the second one has a valence of the other kind.
DENSITIES = {
    UP: (lambda x, q: 2.0 * (1.0 - x) ** 3, lambda x, q: 0.3 * (1.0 - x) ** 5 * (q / 100.0) ** 0.2),
    ANTI: (lambda x, q: 0.5 * (1.0 - x) ** 5, lambda x, q: 1.5 * (1.0 - x) ** 2),
}


class Partons(Beams):
    dim, energies, particles, flavours = 2, ENERGIES, (2212, -2212), (UP, ANTI)

    def collide(self, u, masses, limits):
        least = limits.sqrt_s**2 / (4.0 * ENERGIES[0] * ENERGIES[1])
        tau = least ** (1.0 - u[0])
        y = (u[1] - 0.5) * jnp.log(1.0 / tau)
        log_jacobian = jnp.log(tau) + jnp.log(jnp.log(1.0 / least) * jnp.log(1.0 / tau))
        return self._made(jnp.sqrt(tau) * jnp.exp(y), jnp.sqrt(tau) * jnp.exp(-y)), log_jacobian

    def separate(self, collision, limits):
        least = limits.sqrt_s**2 / (4.0 * ENERGIES[0] * ENERGIES[1])
        x1, x2 = collision.x
        tau, y = x1 * x2, 0.5 * jnp.log(x1 / x2)
        u = jnp.stack([1.0 - jnp.log(tau) / jnp.log(least), 0.5 + y / jnp.log(1.0 / tau)])
        return u, jnp.log(tau) + jnp.log(jnp.log(1.0 / least) * jnp.log(1.0 / tau))

    def of_total(self, total, masses):
        plus, minus = total[0] + total[3], total[0] - total[3]
        return self._made(plus / (2.0 * ENERGIES[0]), minus / (2.0 * ENERGIES[1]))

    def densities(self, collision, scale):
        x1, x2 = collision.x
        of_both = (DENSITIES[a] for a in self.flavours)
        return jnp.stack([jnp.stack([f(x1, scale), g(x2, scale)]) for f, g in of_both])

    def _made(self, x1, x2):
        e1, e2 = x1 * ENERGIES[0], x2 * ENERGIES[1]
        sqrt_s = 2.0 * jnp.sqrt(e1 * e2)
        return Collision(
            along_z(*[0.5 * sqrt_s] * 4), along_z(e1, e1, e2, e2), sqrt_s, 0.5 * jnp.log(e1 / e2),
            PB_GEV2 / (2.0 * sqrt_s**2), jnp.stack([x1, x2])
        )  # fmt: skip


class OfTheEvent(Scales):
    """mu_R = pT of the first final particle + 50 GeV, mu_F = half the energy in the rest frame."""

    def __call__(self, momenta, n_initial):
        total = momenta[n_initial:].sum(axis=0)
        pt = jnp.hypot(momenta[n_initial, 1], momenta[n_initial, 2])
        return jnp.stack([pt + 50.0, 0.5 * jnp.sqrt(total[0] ** 2 - total[3] ** 2)])


def alpha_s(scale):
    return 0.118 / (1.0 + 0.144 * jnp.log(scale / 91.188))


def card(*settings, **tables):
    table = {
        "process": ["q q~ > t t~", "q q~ > b b~"],
        "multiparticles": {"q": ["u", "u~"], "q~": ["u", "u~"]},
        "beams": {"energy": list(ENERGIES)},
        "cuts": CUTS,
        "channels": {"use": "all"},
        "surrogate": {"layers": 2, "bins": 6, "hidden": [16, 16]},
        "evaluation": {"samples": 30_000},
    }
    return card_from_table(table | tables)


def partonic(card, note=None):
    """In the place of build_integrands."""
    fixed = build_integrand(card)
    made = dataclasses.replace(fixed, beams=Partons(), scales=OfTheEvent(), alpha_s=alpha_s)
    return (made,)


@pytest.fixture(scope="module")
def integrand():
    return partonic(card())[0]


N = 160


@functools.cache
def by_quadrature(mass, is_heavy):
    """d sigma in pb of each order of the beams on a grid (tau, y, cos theta), with its rapidity of
    the quark in the lab; Gauss-Legendre, |M|^2 = 4/9 g^4 ((t-m^2)^2 + (u-m^2)^2 + 2 m^2 s)/s^2."""
    nodes, weights = np.polynomial.legendre.leggauss(N)
    unit, w = 0.5 * (nodes + 1.0), 0.5 * weights
    least_pt = CUTS["ptheavy"] if is_heavy else CUTS["ptb"]
    s_max = 4.0 * ENERGIES[0] * ENERGIES[1]
    least = 4.0 * (mass**2 + least_pt**2) / s_max
    tau = least ** (1.0 - unit)[:, None, None]
    s = tau * s_max
    length = np.log(1.0 / tau)
    cos_max = np.sqrt(1.0 - least_pt**2 / (s / 4.0 - mass**2))
    z = cos_max * (2.0 * unit[None, None, :] - 1.0)
    energy = 0.5 * np.sqrt(s)
    k = np.sqrt(energy**2 - mass**2)
    own = 0.5 * np.log((energy + k * z) / (energy - k * z))  # of the quark; of the other -own
    boost = 0.5 * np.log(ENERGIES[0] / ENERGIES[1])
    low, high = -0.5 * length - 0 * z, 0.5 * length + 0 * z
    if not is_heavy:  # |y + boost +- own| < etab
        low = np.maximum(low, -CUTS["etab"] - boost + np.abs(own))
        high = np.minimum(high, CUTS["etab"] - boost - np.abs(own))
    span = np.maximum(high - low, 0.0)
    y = low[:, None, :, :] + span[:, None, :, :] * unit[None, :, None, None]
    return tau, y, span, z, s, k, own, w, cos_max, length, least


def sigma(mass, is_heavy, order, rapidity_above=-np.inf):
    """pb of one order of the beams (UP, ANTI) or (ANTI, UP), with the quark's rapidity above."""
    tau, y, span, z, s, k, own, w, cos_max, _, least = by_quadrature(mass, is_heavy)
    y = y[:, :, 0, :]
    x1, x2 = np.sqrt(tau) * np.exp(y), np.sqrt(tau) * np.exp(-y)
    pt = k * np.sqrt(1.0 - z**2)
    g4 = (4.0 * np.pi * alpha_s(pt + 50.0)) ** 2
    t, u = (-0.5 * s * (1.0 - sign * 2.0 * k / np.sqrt(s) * z) for sign in (1, -1))
    squared = 4.0 / 9.0 * g4 * (t**2 + u**2 + 2.0 * mass**2 * s) / s**2
    a, b = order
    q = 0.5 * np.sqrt(s)
    f = DENSITIES[a][0](x1, q) * DENSITIES[b][1](x2, q)
    # The quark goes along the up quark: with exchanged beams its rapidity is y - own.
    boost = 0.5 * np.log(ENERGIES[0] / ENERGIES[1])
    kept = y + boost + (own if a == UP else -own) > rapidity_above
    phase_space = 2.0 * k / np.sqrt(s) / (16.0 * np.pi)
    value = f * kept * squared * phase_space * 2.0 * cos_max * span * tau * np.log(1.0 / least)
    value = value * PB_GEV2 / (2.0 * s)
    return float(np.einsum("ijk,i,j,k->", value, w, w, w))


MT, MB = 173.0, 4.7
ORDERS = ((UP, ANTI), (ANTI, UP))
EXACT = {
    (heavy, order): sigma(mass, heavy, order)
    for mass, heavy in ((MT, True), (MB, False))
    for order in ORDERS
}
TOTAL = sum(EXACT.values())


def points(integrand, n, seed=0):
    u = jax.random.uniform(jax.random.key(seed), (n, integrand.dim))
    return u, jnp.arange(n) % integrand.n_channels


def test_cross_section_is_that_of_quadrature(tmp_path, monkeypatch, how):
    monkeypatch.setattr("fabgen.build.build_integrands", partonic)
    vegas = {"kind": "vegas", "vegas": {"iterations": 8, "evaluations": 20_000}}
    made = card(surrogate=vegas, evaluation={"samples": 300_000})
    report = run.integrate(made, tmp_path / "run", how, vegas=True)
    error = report["cross_section_error_pb"]
    assert error < 0.002 * TOTAL
    assert abs(report["cross_section_pb"] - TOTAL) < 4.0 * error


def test_the_inverse_gives_back_the_variables_of_the_beams_and_of_phase_space(integrand):
    u, channel = points(integrand, 2000)
    placed = jax.jit(integrand.map)(u, channel)
    events = jax.jit(integrand.draw)(placed, jax.random.key(1))
    kept = np.isfinite(np.asarray(jax.jit(integrand.evaluate)(placed).log_f))
    momenta = np.moveaxis(np.asarray(events.momenta), -1, 0)
    for subprocess in range(len(integrand.topologies)):
        own = kept & (np.asarray(events.subprocess) == subprocess)
        assert np.any(own)
        found = integrand.unit_cube(momenta[own], channel[own], subprocess)
        np.testing.assert_allclose(found, u[own], atol=1e-9)


def test_scales_and_alpha_s_are_those_of_the_event(integrand):
    u, channel = points(integrand, 500)
    point = jax.jit(integrand.point)(u, channel)
    pt = np.hypot(point.momenta[2, 1], point.momenta[2, 2])
    np.testing.assert_allclose(point.scales[0], pt + 50.0, rtol=1e-12)
    np.testing.assert_allclose(point.alpha_s, alpha_s(pt + 50.0), rtol=1e-12)
    total = np.asarray(point.momenta[:2].sum(axis=0))
    np.testing.assert_allclose(
        point.scales[1], np.sqrt(total[0] ** 2 - total[3] ** 2) / 2, rtol=1e-9
    )


@pytest.mark.parametrize("method", ["rkld", "variance"])
def test_trainings(method, tmp_path, monkeypatch, how):
    monkeypatch.setattr("fabgen.build.build_integrands", partonic)
    training = {"method": method, "steps": 20, "batch_size": 256}
    training |= {"madnis": {"vegas_pretraining": False}}
    report = run.integrate(card(training=training), tmp_path / "run", how)
    assert report["cross_section_error_pb"] < 0.02 * TOTAL
    assert abs(report["cross_section_pb"] - TOTAL) < 4.0 * report["cross_section_error_pb"]


def test_training_by_fab_events_and_their_file(tmp_path, monkeypatch, how):
    monkeypatch.setattr("fabgen.build.build_integrands", partonic)
    training = {"method": "fab", "steps": 30, "batch_size": 256, "fab": {"buffer_minimum": 2}}
    made = card(training=training, generation={"events": 20_000})
    report = run.generate(made, tmp_path / "run", how)
    assert abs(report["cross_section_pb"] - TOTAL) < 4.0 * report["cross_section_error_pb"]
    with gzip.open(tmp_path / "run" / "events.lhe.gz", "rt") as file:
        events = re.findall(r"<event>\n(.*?)</event>", file.read(), re.S)
    n, counts, forward = len(events), dict.fromkeys(EXACT, 0), 0
    for event in events:
        head, first, second, quark = (line.split() for line in event.splitlines()[:4])
        heavy, order = int(quark[0]) == 6, (int(first[0]), int(second[0]))
        counts[heavy, order] += 1
        p = np.array(quark[6:10], float)
        if not heavy:
            forward += 0.5 * np.log((p[3] + p[2]) / (p[3] - p[2])) > 0.3
        x1, x2 = float(first[9]) / ENERGIES[0], float(second[9]) / ENERGIES[1]
        sqrt_s = 2.0 * np.sqrt(x1 * x2 * ENERGIES[0] * ENERGIES[1])
        np.testing.assert_allclose(float(head[3]), 0.5 * sqrt_s, rtol=1e-9)  # SCALUP is mu_F
        np.testing.assert_allclose(float(head[5]), alpha_s(np.hypot(p[0], p[1]) + 50.0), rtol=1e-7)
    shares = {key: exact / TOTAL for key, exact in EXACT.items()}
    for key, share in shares.items():
        assert abs(counts[key] - n * share) < 4.5 * np.sqrt(n * share * (1.0 - share))
    share = sum(sigma(MB, False, order, 0.3) for order in ORDERS) / TOTAL
    assert abs(forward - n * share) < 4.5 * np.sqrt(n * share * (1.0 - share))
