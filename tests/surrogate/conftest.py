"""Shared by the tests of the surrogates."""

from __future__ import annotations

import jax
import pytest

import fabgen  # noqa: F401  (64-bit numbers)


@pytest.fixture
def perturb():
    """A function that moves parameters away from the identity by normal noise."""

    def move(params, key=11, scale=0.3):
        leaves, tree = jax.tree.flatten(params)
        keys = jax.random.split(jax.random.key(key), len(leaves))
        moved = [
            leaf + scale * jax.random.normal(k, leaf.shape, leaf.dtype)
            for leaf, k in zip(leaves, keys, strict=True)
        ]
        return jax.tree.unflatten(tree, moved)

    return move
