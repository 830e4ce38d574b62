"""Names for the types of arrays that many signatures share: kind of number and axes (jaxtyping).

The same axis name means the same length within one call. The tests check the folders listed in
tests/conftest.py at every call; runs check nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

#: One number per event, or one for all of them.
PerEvent = Float[Array, " #events"] | Float[Array, ""]
#: The same, where constants of a compiled program come in, too.
Number = PerEvent | float
#: Masses of all final particles, GeV; constants, too.
Masses = Float[Array | np.ndarray, " n_final"]
#: Whether something holds, per event or for all of them.
Mask = Bool[Array, " #events"] | Bool[Array, ""]
#: For functions that treat numbers one by one, whatever their axes mean.
Elementwise = Float[Array, "*#shape"]
#: Numbers of channels, per event or one for all of them.
ChannelNumbers = Int[Array | np.ndarray, " #n"] | Int[Array, ""] | int
#: Columns of tables: NumPy's until they are arguments of a program.
Table = Array | np.ndarray


def array_module(values: Sequence[Any]) -> Any:
    """JAX's if any of the values is an array of JAX, else NumPy."""
    return jnp if any(isinstance(value, Array) for value in values) else np
