"""A fake integrand with events of two subprocesses, and a decay chain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fabgen
from fabgen.events.lhe import FileInfo
from fabgen.events.record import EventBatch, EventTopology, Resonance
from fabgen.integrand.density import DensityIntegrand
from fabgen.integrand.point import UNKNOWN_HELICITY, EventFields

assert fabgen.__version__  # sets 64-bit numbers

ENERGY = 500.0  # GeV per beam

MUONS = EventTopology((-11, 11, -13, 13), 2, (0.0, 0.0, 0.0, 0.0))
QUARKS = EventTopology(
    (-11, 11, 2, -2), 2, (0.0, 0.0, 0.0, 0.0), flows=(((0, 0), (0, 0), (1, 0), (0, 1)),)
)
#: e+ e- > t t~, t > w+ b, t~ > w- b~, w+ > e+ ve: nested resonances
TOPS = EventTopology(
    pdg=(-11, 11, -11, 12, 5, -24, -5),
    n_initial=2,
    masses=(0.0, 0.0, 0.0, 0.0, 4.7, 80.419, 4.7),
    resonances=(Resonance(24, (2, 3)), Resonance(6, (2, 3, 4)), Resonance(-6, (5, 6))),
    flows=(((0, 0), (0, 0), (0, 0), (0, 0), (1, 0), (0, 0), (0, 1)),),
)
#: u u~ > g g with two colour flows
GLUONS = EventTopology(
    pdg=(2, -2, 21, 21),
    n_initial=2,
    masses=(0.0, 0.0, 0.0, 0.0),
    flows=(((1, 0), (0, 2), (1, 3), (3, 2)), ((1, 0), (0, 2), (3, 2), (1, 3))),
)


@dataclass(frozen=True)
class TwoFermions(DensityIntegrand):
    """u (n, 2) -> cos(theta), phi of e+ e- > mu+ mu- or u u~; f = scale x 3/8 (1 + cos^2) x 2.

    Events have a Z where cos(theta) > 0.
    """

    scale: float = 3.0
    dim: int = 2
    topologies: tuple[EventTopology, ...] = tuple(
        replace(topology, resonance_sets=((), (Resonance(23, (2, 3)),)))
        for topology in (MUONS, QUARKS)
    )

    def log_density(self, u):
        cosine = 2 * u[..., 0] - 1
        return jnp.log(self.scale * 0.75 * (1 + cosine**2))

    def draw(self, points, key, parameters=None):
        u, n = points.final, points.final.shape[1]
        cosine, phi = 2 * u[0] - 1, 2 * jnp.pi * u[1]
        sine = jnp.sqrt(1 - cosine**2)
        unit = jnp.stack([sine * jnp.cos(phi), sine * jnp.sin(phi), cosine])
        momenta = jnp.zeros((4, 4, n)).at[:, 0].set(ENERGY)
        momenta = momenta.at[0, 3].set(ENERGY).at[1, 3].set(-ENERGY)
        momenta = momenta.at[2, 1:].set(ENERGY * unit).at[3, 1:].set(-ENERGY * unit)
        return EventFields(
            momenta=momenta,
            subprocess=jax.random.randint(key, (n,), 0, 2),
            flow=jnp.zeros(n, dtype=int),
            resonances=jnp.where(cosine > 0.0, 1, 0),
            helicity=jnp.full((4, n), UNKNOWN_HELICITY, jnp.int8),
            scale=jnp.full(n, 91.188),
            alpha_qed=jnp.full(n, 1 / 132.507),
            alpha_s=jnp.full(n, 0.118),
        )


@dataclass(frozen=True)
class Flat:
    dim: int = 2

    def sample_and_log_prob(self, params, key, n):
        return jax.random.uniform(key, (n, 2)), jnp.zeros(n)


def decay(rng, p, m1, m2):
    """Isotropic two-body decay of p (n, 4) with sqrt(p^2) > m1 + m2: momenta (n, 4) twice."""
    n = len(p)
    m = np.sqrt(p[:, 0] ** 2 - np.sum(p[:, 1:] ** 2, axis=1))
    e1 = (m**2 + m1**2 - m2**2) / (2 * m)
    k = np.sqrt(e1**2 - m1**2)
    cosine, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    rest = k[:, None] * np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
    along = np.sum(p[:, 1:] * rest, axis=1)
    e = (p[:, 0] * e1 + along) / m
    q = rest + p[:, 1:] * ((along / (p[:, 0] + m) + e1) / m)[:, None]
    first = np.concatenate([np.sqrt(m1**2 + np.sum(q**2, axis=1))[:, None], q], axis=1)
    assert np.allclose(first[:, 0], e)
    return first, p - first


def top_batch(n: int, seed: int = 0) -> EventBatch:
    """n events of TOPS with off-shell tops and W."""
    rng = np.random.default_rng(seed)
    total = np.zeros((n, 4))
    total[:, 0] = 2 * ENERGY
    top, antitop = decay(rng, total, rng.uniform(165, 180, n), rng.uniform(165, 180, n))
    bottom, boson = decay(rng, top, np.full(n, 4.7), rng.uniform(70, 90, n))
    positron, neutrino = decay(rng, boson, np.zeros(n), np.zeros(n))
    minus, antibottom = decay(rng, antitop, np.full(n, 80.419), np.full(n, 4.7))
    beams = np.zeros((2, n, 4))
    beams[:, :, 0] = ENERGY
    beams[0, :, 3], beams[1, :, 3] = ENERGY, -ENERGY
    legs = [beams[0], beams[1], positron, neutrino, bottom, minus, antibottom]
    return EventBatch(
        momenta=np.stack(legs, axis=1),
        topology=np.zeros(n, dtype=int),
        flow=np.zeros(n, dtype=int),
        weight=rng.uniform(0.1, 0.2, n),
        scale=np.full(n, 91.188),
        aqed=np.full(n, 1 / 132.507),
        aqcd=np.full(n, 0.118),
    )


def file_info(**changes) -> FileInfo:
    values = {
        "beams": (-11, 11),
        "energies": (ENERGY, ENERGY),
        "cross_section": 0.15989,
        "error": 0.0003,
        "unit": "pb",
        "process": "e+ e- > t t~, t > w+ b, t~ > w- b~",
        "card": 'process = "e+ e- > t t~"\n# <&> ]]> "\u00e9"\n',
        "slha": "BLOCK SMINPUTS\n          1  1.32507000000000e+02 # aEWM1\n",
        "version": "0.1.0",
        **changes,
    }
    return FileInfo(**values)


@pytest.fixture(name="tops")
def tops_fixture() -> EventTopology:
    return TOPS


@pytest.fixture(name="gluons")
def gluons_fixture() -> EventTopology:
    return GLUONS


@pytest.fixture(name="top_batch")
def top_batch_fixture():
    return top_batch


@pytest.fixture(name="file_info")
def file_info_fixture():
    return file_info


@pytest.fixture(name="two_fermions")
def two_fermions_fixture() -> TwoFermions:
    return TwoFermions()


@pytest.fixture(name="flat")
def flat_fixture() -> Flat:
    return Flat()
