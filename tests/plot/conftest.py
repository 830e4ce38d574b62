"""Samples of a density on the unit square that cost nothing."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.sample import Sample, Samples


def momenta_of_decay(rng, n, masses):
    """n decays at rest into three particles, momenta (n, 4, 4) in GeV, not uniformly distributed.

    masses: of the decaying particle and of the three.
    """
    parent, *final = masses
    low, high = final[1] + final[2], parent - final[0]
    pair = low + (high - low) * rng.uniform(size=n)

    def momentum(total, a, b):
        return np.sqrt((total**2 - (a + b) ** 2) * (total**2 - (a - b) ** 2)) / (2.0 * total)

    def direction():
        z, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
        s = np.sqrt(1 - z**2)
        return np.stack([s * np.cos(phi), s * np.sin(phi), z], axis=-1)

    k, p = momentum(parent, pair, final[0]), momentum(pair, final[1], final[2])
    axis, inner = direction(), direction()
    one = np.column_stack([np.hypot(k, final[0]), -k[:, None] * axis])
    gamma, boost = np.hypot(k, pair) / pair, k / pair
    legs = []
    for sign, mass in ((1.0, final[1]), (-1.0, final[2])):
        energy, along = np.hypot(p, mass), sign * p * np.sum(inner * axis, axis=-1)
        space = sign * p[:, None] * inner
        energy_lab = gamma * energy + boost * along
        shift = (gamma - 1.0) * along + boost * energy
        legs.append(np.column_stack([energy_lab, space + shift[:, None] * axis]))
    rest = np.broadcast_to([parent, 0.0, 0.0, 0.0], (n, 4))
    return np.stack([rest, one, *legs], axis=1)


def make_samples(n=4000, seed=0, masses=(2.0, 0.5, 0.3, 0.2), reference=True):
    """f = 3 x on the unit square, but 0 at every 50th point; surrogate q = 3/2 sqrt(x)."""
    rng = np.random.default_rng(seed)

    def sample(of_surrogate):
        u = rng.uniform(size=(n, 2))
        if of_surrogate:
            u[:, 0] **= 2.0 / 3.0
        log_q = np.log(1.5 * np.sqrt(u[:, 0]))
        log_f = np.log(3.0 * u[:, 0])
        log_f[::50] = -np.inf
        log_drawn = log_q if of_surrogate else np.zeros(n)
        momenta = momenta_of_decay(rng, n, masses)
        return Sample(u, log_f, log_drawn, log_q, momenta, np.zeros(n, int))

    return Samples(sample(True), (sample(True), sample(False)) if reference else None)


@pytest.fixture(scope="module")
def samples():
    return make_samples()
