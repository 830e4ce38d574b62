"""Operations of primitives, as fitted by benchmarks/auto_costs.py: data, the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Of an operation, on one core of a server's CPU: an addition of two float64 among others that XLA
#: puts into one loop of vectors.
NANOSECONDS = 0.07
#: Factor for numbers of less than 8 bytes, and for complex ones where the group has none of its
#: own.
NARROW, COMPLEX = 0.5, 2.0


@dataclass(frozen=True)
class Group:
    """Primitives of like cost: operations per element, and per complex one."""

    weight: float
    names: str
    complex: float | None = None


#: Elements are those of the output; of dot_general multiplications, of sort comparisons, of
#: reductions those of the input, of scatters and dynamic_update_slice the updates.
GROUPS: Mapping[str, Group] = {
    "nothing": Group(0.0, "stop_gradient optimization_barrier random_wrap random_unwrap real imag"),
    "arithmetic": Group(
        1.0,
        "add sub neg max min abs sign select_n clamp eq ne lt le gt ge and or not xor floor ceil "
        "round is_finite convert_element_type bitcast_convert_type shift_left "
        "shift_right_logical shift_right_arithmetic conj complex iota add_any square lt_to le_to",
    ),
    "products": Group(1.5, "mul integer_pow", 3.5),
    "moves": Group(
        0.5,
        "broadcast_in_dim reshape squeeze expand_dims transpose slice split rev copy copy_p "
        "stack concatenate pad tile",
    ),
    "gathers": Group(4.0, "gather dynamic_slice dynamic_update_slice", 4.0),
    "scatters": Group(4.0, "scatter scatter-add scatter_add scatter-mul scatter_mul"),
    "reductions": Group(
        30.0,
        "reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or argmax argmin top_k",
    ),
    "sums": Group(26.0, "cumsum cumprod cummax cummin cumlogsumexp"),
    "divisions": Group(3.0, "div rem", 8.0),
    "roots": Group(9.0, "sqrt rsqrt"),
    "exponentials": Group(32.0, "exp exp2 expm1 tanh logistic sinh cosh"),
    "functions": Group(115.0, "log log1p sin cos tan erf erfc asinh acosh atanh"),
    "slow functions": Group(190.0, "pow atan2 atan asin acos cbrt erf_inv lgamma digamma"),
    "matrices": Group(0.8, "dot_general", 12.0),
    "sorts": Group(220.0, "sort"),
    "random": Group(110.0, "random_bits random_seed random_split random_fold_in threefry2x32"),
}
#: Of a primitive that is in no group.
OTHER = 10.0

_GROUP_OF = {name: group for group, row in GROUPS.items() for name in row.names.split()}


def group_of(primitive: str) -> str:
    """The group of a primitive; "" for none."""
    return _GROUP_OF.get(primitive, "")


def weight(primitive: str, kind: str = "") -> float:
    """Operations per element; kind of numbers: "", "narrow" or "complex" (`costs.elements`)."""
    group = GROUPS.get(group_of(primitive), Group(OTHER, ""))
    if kind == "complex":
        return COMPLEX * group.weight if group.complex is None else group.complex
    return NARROW * group.weight if kind == "narrow" else group.weight
