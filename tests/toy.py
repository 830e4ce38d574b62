"""A stand-in for the integrand of a process: two dimensions, muon pairs, no matrix element."""

from __future__ import annotations

from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np

from fabgen.events.record import EventTopology


class ToyIntegrand:
    """f(u) = 2 u1^2 (1 + u2) pb on the unit square: its integral is 1 pb."""

    dim = 2
    n_channels = 1
    unit = "pb"
    beam_particles = (-11, 11)
    beam_energies = (500.0, 500.0)
    parameters = MappingProxyType({"aEWM1": 132.507})
    masses = MappingProxyType({})
    widths = MappingProxyType({})
    topologies = (EventTopology(pdg=(-11, 11, -13, 13), n_initial=2, masses=(0.0,) * 4),)

    def log_density(self, u, parameters=None):
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        f = 2.0 * u[..., 0] ** 2 * (1.0 + u[..., 1])
        return jnp.where(inside, jnp.log(jnp.where(inside, f, 1.0)), -jnp.inf)

    def draw_events(self, u, key):
        n = u.shape[0]
        cosine, phi = 2.0 * u[:, 0] - 1.0, 2.0 * np.pi * u[:, 1]
        sine = jnp.sqrt(1.0 - cosine**2)
        direction = jnp.stack([sine * jnp.cos(phi), sine * jnp.sin(phi), cosine], axis=-1)
        beam = jnp.broadcast_to(jnp.asarray([0.0, 0.0, 1.0]), (n, 3))
        energy = jnp.full((n, 1), 500.0)
        legs = [
            jnp.concatenate([energy, 500.0 * p], axis=-1)
            for p in (beam, -beam, direction, -direction)
        ]
        return {
            "momenta": jnp.stack(legs, axis=1),
            "topology": jnp.zeros(n, jnp.int32),
            "flow": jax.random.randint(key, (n,), 0, 1),
            "scale": jnp.full(n, 91.188),
            "aqed": jnp.full(n, 1.0 / 132.507),
            "aqcd": jnp.full(n, 0.118),
        }
