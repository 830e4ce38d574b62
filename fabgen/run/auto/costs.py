"""The cost of a program, counted from what it is written in: the same number on every machine.

Nothing is compiled and nothing runs. What no result depends on does not count, as a compiler would
leave it out, too.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fabgen.run.auto.cost_table import NANOSECONDS, weight

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

#: (primitive, kind of number) -> elements.
Elements = dict[tuple[str, str], float]
#: Turns of a loop whose number is not known before it runs.
TURNS = 10
#: Primitives that have programs among their parameters and are one operation all the same.
_ONE_OPERATION = ("scatter", "reduce")


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Nominal seconds of function(*arguments): its operations at the table's speed."""
    return 1e-9 * NANOSECONDS * operations(function, *arguments)


def operations(function: Callable[..., Any], *arguments: Any) -> float:
    """Operations of function(*arguments), in units of an addition of two float64.

    arguments: pytrees of arrays or of their shapes (jax.ShapeDtypeStruct).
    """
    counted = elements(function, *arguments)
    return sum(n * weight(primitive, kind) for (primitive, kind), n in counted.items())


def elements(function: Callable[..., Any], *arguments: Any) -> Elements:
    """How many elements each primitive makes or takes, or what else its weight is for.

    A loop of known length counts as often as it turns, another one TURNS times. Of branches the
    mean counts: a switch stands for channels that take turns, and the largest of their maps would
    be too much for all. Branches that do nothing are left out: they are pauses (a warm-up), and
    what is asked for is the cost of the work.
    """
    import jax

    from fabgen.blocks import traced_for

    with traced_for("cpu"):
        jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
    found: Elements = defaultdict(float)
    _count(jaxpr, [True] * len(jaxpr.outvars), 1.0, found)
    return found


def _count(jaxpr: Jaxpr, needed: Sequence[bool], times: float, found: Elements) -> list[bool]:
    """Adds the elements of `times` runs; needed: which outputs are. Tells which inputs are."""
    from jax.extend.core import Literal

    def variables(atoms: Sequence[Any]) -> set[Any]:
        return {atom for atom in atoms if not isinstance(atom, Literal)}

    live = variables([out for out, used in zip(jaxpr.outvars, needed, strict=True) if used])
    for equation in reversed(jaxpr.eqns):
        outputs = [out in live for out in equation.outvars]
        if any(outputs) or equation.effects:
            inputs = _count_one(equation, outputs, times, found)
            live |= variables(
                [atom for atom, used in zip(equation.invars, inputs, strict=True) if used]
            )
    return [variable in live for variable in jaxpr.invars]


def _count_one(equation: JaxprEqn, needed: list[bool], times: float, found: Elements) -> list[bool]:
    """`_count` of one equation."""
    name, inputs = equation.primitive.name, [True] * len(equation.invars)
    inner = [] if name.startswith(_ONE_OPERATION) else _programs(equation)
    if not inner:
        found[name, _kind(equation)] += times * _elements(equation)
    elif name == "cond":
        branches: list[Elements] = [defaultdict(float) for _ in inner]
        for program, branch in zip(inner, branches, strict=True):
            _count(program, needed, 1.0, branch)
        working = [branch for branch in branches if branch]
        for branch in working:
            for key, n in branch.items():
                found[key] += times * n / len(working)
    elif name == "scan":
        carried = equation.params["num_carry"]
        outputs = [True] * carried + needed[carried:]
        _count(inner[0], outputs, times * equation.params["length"], found)
    elif name == "while":
        for program in inner:
            _count(program, [True] * len(program.outvars), times * TURNS, found)
    elif len(inner) == 1 and len(inner[0].outvars) == len(needed):  # a call
        used = _count(inner[0], needed, times, found)
        return used if len(used) == len(inputs) else inputs
    else:
        for program in inner:
            _count(program, [True] * len(program.outvars), times, found)
    return inputs


def _programs(equation: JaxprEqn) -> list[Jaxpr]:
    """The programs among the parameters of an equation."""
    from jax.extend.core import ClosedJaxpr, Jaxpr

    found = []
    for value in equation.params.values():
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, ClosedJaxpr):
                found.append(item.jaxpr)
            elif isinstance(item, Jaxpr):
                found.append(item)
    return found


def _kind(equation: JaxprEqn) -> str:
    """Of the numbers that an equation works on: "" of 8 bytes, "narrow" of less, "complex"."""
    import jax.numpy as jnp

    dtypes = [getattr(atom.aval, "dtype", bool) for atom in (*equation.outvars, *equation.invars)]
    numbers: list[Any] = [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.number)]
    if not numbers:
        return ""
    if jnp.issubdtype(numbers[0], jnp.complexfloating):
        return "complex"
    return "narrow" if numbers[0].itemsize < 8 else ""


def _elements(equation: JaxprEqn) -> float:
    """Elements that the table's weight of a primitive is for."""
    name = equation.primitive.name
    inputs, outputs = equation.invars, equation.outvars
    shape: tuple[int, ...] = getattr(inputs[0].aval, "shape", ()) if inputs else ()
    if name == "dot_general":  # multiplications
        (contracted, _), _ = equation.params["dimension_numbers"]
        terms: int = math.prod(shape[axis] for axis in contracted)
        return _size(outputs[0]) * terms
    if name == "sort":  # comparisons, about
        length = shape[equation.params["dimension"]]
        return math.prod(shape) * max(math.log2(max(length, 1)), 1.0)
    if name.startswith("scatter"):  # updates; the rest stays where it is
        return _size(inputs[2])
    if name == "dynamic_update_slice":
        return _size(inputs[1])
    if name.startswith(("reduce_", "arg", "top_k")) and name != "reduce_precision":
        return _size(inputs[0])
    return float(sum(_size(out) for out in outputs))


def _size(atom: Any) -> float:
    return math.prod(getattr(atom.aval, "shape", ()))
