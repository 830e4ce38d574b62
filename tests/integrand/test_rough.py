"""Rough densities of a process, at parameters other than those of its card."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from fabgen.build import build_integrand
from fabgen.card import card_from_table

EVENTS = 64
TABLE = {
    "process": "e+ e- > mu+ mu- a",
    "cuts": {"mmll": 10.0, "pta": 10.0, "etaa": 2.5, "dral": 0.4},
    "beams": {"energy": [250.0, 250.0]},
    "channels": {"use": "all", "prior": "invariants"},
}


def integrand(**parameters):
    return build_integrand(card_from_table({**TABLE, "parameters": parameters}))


def test_widths_may_be_others_and_traced():
    """The weights of channels are those of the process that was built with them."""
    f, wide = integrand(), integrand(WZ=20.0)
    assert f.n_channels > 1
    u = np.random.default_rng(1).random((EVENTS, f.dim))
    points = jax.jit(f.map)(u, jnp.zeros(EVENTS, jnp.int32))

    def prior(width):
        return f.evaluate(points, {"WZ": width}).log_prior

    expected = jax.jit(wide.evaluate)(points).log_prior
    np.testing.assert_allclose(jax.jit(prior)(20.0), expected, atol=1e-9)
    assert np.max(np.abs(jax.jit(f.evaluate)(points).log_prior - expected)) > 0.1
