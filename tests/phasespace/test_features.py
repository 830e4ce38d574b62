"""What trained channel weights look at."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.beams import boost_z
from fabgen.phasespace.features import event_features, n_event_features


def momenta(n_final, n=50, seed=0):
    """Two beams along z and massless final momenta, not conserved: (n_external, 4, n)."""
    p = np.random.default_rng(seed).normal(0.0, 50.0, (n_final, 3, n))
    final = np.concatenate([np.linalg.norm(p, axis=1, keepdims=True), p], axis=1)
    beam = np.zeros((2, 4, n))
    beam[:, 0], beam[0, 3], beam[1, 3] = 250.0, 250.0, -250.0
    return jnp.asarray(np.concatenate([beam, final]))


@pytest.mark.parametrize("n_final", [2, 4])
def test_features_are_invariants_of_order_one(n_final):
    p = momenta(n_final)
    found = np.asarray(event_features(p, 2))
    assert found.shape == (n_event_features(2, n_final), 50)
    assert np.abs(found).max() < 4.0
    np.testing.assert_allclose(
        event_features(boost_z(p, np.zeros(n_final + 2), 0.4), 2), found, atol=1e-9
    )
    # With massless particles the last ones are rapidities, up to a factor.
    energy, z = p[2:, 0], p[2:, 3]
    rapidity = 0.5 * np.log((energy + z) / (energy - z))
    np.testing.assert_allclose(found[-n_final:] / rapidity, -0.5, atol=1e-9)
