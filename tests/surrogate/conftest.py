"""Shared by the tests of the surrogates."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import fabgen  # noqa: F401  (64-bit numbers)


@pytest.fixture(scope="session")
def anywhere():
    """Parameters of a surrogate far from its start: normal numbers, for which nothing is compiled.

    A flow whose parameters are all zero is the identity.
    """

    def parameters(surrogate, seed=11, scale=0.3):
        rng = np.random.default_rng(seed)
        return jax.tree.map(
            lambda leaf: (scale * rng.normal(size=leaf.shape)).astype(leaf.dtype),
            jax.eval_shape(surrogate.init, jax.random.key(0)),
        )

    return parameters
