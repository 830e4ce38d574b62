"""What keeps XLA from computing numbers again changes neither them nor their derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.phasespace.fusion import computed_once, gradient_once, rows

X = jnp.linspace(0.5, 2.0, 7)


def through(x):
    first, second = computed_once((x * x, jnp.sin(x)), x)
    return gradient_once(jnp.sqrt(first)) * second


def plain(x):
    return x * jnp.sin(x)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_values_and_derivatives_stay(wrap):
    np.testing.assert_allclose(wrap(through)(X), plain(X), rtol=1e-15)
    for derivative in (jax.grad, jax.jacfwd):
        made = jax.vmap(derivative(wrap(through)))(X)
        np.testing.assert_allclose(made, jnp.sin(X) + X * jnp.cos(X), rtol=1e-14)


def test_a_number_is_divided_by_one_only_where_it_is_one():
    """Infinite values pass; a value that is not a number stays what it is."""
    (made,) = computed_once((jnp.array([jnp.inf, jnp.nan, 3.0]),), jnp.array([jnp.inf, 1.0, -2.0]))
    np.testing.assert_array_equal(made, [jnp.inf, jnp.nan, 3.0])


def test_xla_does_not_see_through():
    """The division is still there after optimization: it is all that there is to it."""
    compiled = jax.jit(lambda x: computed_once((x + 1.0,), x)[0]).lower(X).compile()
    assert "divide(" in compiled.as_text()


def test_rows_and_their_gradients():
    array = jnp.arange(12.0).reshape(3, 4)
    for row, expected in zip(rows(array), array, strict=True):
        np.testing.assert_array_equal(row, expected)

    def total(a):
        return sum(jnp.sum((k + 1.0) * row**2) for k, row in enumerate(rows(a)))

    weights = jnp.arange(1.0, 4.0)[:, None]
    np.testing.assert_allclose(jax.grad(total)(array), 2.0 * weights * array)
