"""Fingerprints of functions: the same for the same code and numbers, in any process.

A program is made from a function, from what that closes over, and from the packages in use. All of
it goes into the fingerprint, so that two functions that differ in anything do not share it.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import importlib.metadata
import inspect
import platform
import sys
import types
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import numpy as np

_SOURCES = Path(__file__).parent
#: fabgen, and packages whose functions a version tells apart.
PACKAGES = ("fabgen", "jax", "jaxlib", "numpy", "optax", "distrax", "blackjax")
#: Options of JAX that change what a function is traced to.
_OPTIONS = (
    *("jax_enable_x64", "jax_default_prng_impl", "jax_threefry_partitionable"),
    *("jax_default_matmul_precision", "jax_numpy_dtype_promotion", "jax_default_device"),
)


class UnknownParts(Exception):
    """A part of a function that no fingerprint can be taken of."""


def fingerprint(*parts: Any) -> str:
    """SHA-256, hexadecimal, of functions, arrays and descriptions, and of the versions in use.

    Raises UnknownParts for parts that it does not know how to read: those are no part of a
    description, or functions of other packages, whose code a version does not tell.
    """
    reader = _Reader()
    reader.read([_versions(), [getattr(jax.config, name) for name in _OPTIONS], list(parts)])
    return reader.hash.hexdigest()


@functools.cache
def _versions() -> str:
    """The packages in use and all of fabgen's own code."""
    sources = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.py")):
        sources.update(path.relative_to(_SOURCES).as_posix().encode() + b"\0")
        sources.update(path.read_bytes() + b"\0")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES[1:]]
    return "; ".join([platform.python_version(), *versions, sources.hexdigest()])


class _Reader:
    """Feeds a hash with parts. What comes again is named by its number: parts may be in circles."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.known: dict[int, int] = {}
        self.classes: set[type] = set()
        self.held: list[Any] = []  # the identity of what is gone may be given again

    def read(self, part: Any) -> None:
        if part is None or isinstance(part, (bool, str, bytes)) or type(part) in _NUMBERS:
            self._add(type(part).__name__, repr(part))
            return
        if id(part) in self.known:
            self._add("known", str(self.known[id(part)]))
            return
        self.known[id(part)] = len(self.held)
        self.held.append(part)
        self._class(type(part))
        if isinstance(part, enum.Enum):
            self._add("named", part.name)
        elif isinstance(part, (jax.Array, np.ndarray, np.generic)):
            self._array(part)
        elif isinstance(part, (tuple, list)):
            self._all(part)
        elif isinstance(part, Mapping):
            self._all(part.items())
        elif isinstance(part, (set, frozenset)):
            self._all(sorted(fingerprint(member) for member in part))
        elif isinstance(part, (type, types.ModuleType, types.BuiltinFunctionType, np.ufunc)):
            self._add("named", _name(part))
        elif isinstance(part, types.FunctionType):
            self._function(part)
        elif isinstance(part, types.MethodType):
            self._all((part.__func__, part.__self__))
        elif isinstance(part, functools.partial):
            self._all((part.func, part.args, part.keywords))
        elif isinstance(part, (np.dtype, Fraction, Path, jax.tree_util.PyTreeDef)):
            self._add("written", str(part))
        elif isinstance(part, jax.ShapeDtypeStruct):
            self._all((part.shape, str(part.dtype)))
        elif hasattr(part, "__wrapped__"):
            self.read(part.__wrapped__)
        elif dataclasses.is_dataclass(part):
            self._all((field.name, getattr(part, field.name)) for field in dataclasses.fields(part))
        elif _root(type(part)) in PACKAGES:
            self._all(_attributes(part).items())
        else:
            raise UnknownParts(_name(type(part)))

    def _class(self, kind: type) -> None:
        """The name of a class; its code must be that of a package, none put in from elsewhere."""
        self._add("of", _name(kind))
        if kind in self.classes:
            return
        self.classes.add(kind)
        for each in kind.__mro__:
            functions = (value for value in vars(each).values() if inspect.isfunction(value))
            for known in (each, *functions):
                if _root(known) not in (*PACKAGES, "jaxtyping", *sys.stdlib_module_names):
                    raise UnknownParts(_name(known))

    def _add(self, kind: str, text: str) -> None:
        self.hash.update(f"{kind} {len(text)} {text}\n".encode())

    def _all(self, parts: Iterable[Any]) -> None:
        several = list(parts)
        self._add("parts", str(len(several)))
        for part in several:
            self.read(part)

    def _array(self, array: Any) -> None:
        if isinstance(array, jax.core.Tracer):
            raise UnknownParts("a traced array")
        self._add("type", str(array.dtype))
        if isinstance(array, jax.Array) and jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key):
            array = jax.random.key_data(array)
        values = np.asarray(array)
        if values.dtype.hasobject:
            raise UnknownParts("an array of objects")
        self._add("shape", str(values.shape))
        self.hash.update(values.tobytes())

    def _function(self, function: types.FunctionType) -> None:
        if function.__globals__["__name__"].startswith("jaxtyping"):
            self.read(inspect.unwrap(function))  # checked for its shapes, it computes the same
            return
        code = function.__code__
        if _root(function) not in PACKAGES:
            raise UnknownParts(_name(function))
        self._add("line", f"{_name(function)} {code.co_firstlineno}")
        self.hash.update(code.co_code)
        self._all((code.co_names, code.co_freevars, [_constant(x) for x in code.co_consts]))
        cells = function.__closure__ or ()
        try:
            self._all(cell.cell_contents for cell in cells)
        except ValueError as error:  # a name that has no value yet
            raise UnknownParts(_name(function)) from error
        self._all((function.__defaults__, function.__kwdefaults__))


_NUMBERS = (int, float, complex)


def _constant(value: Any) -> Any:
    """Of code; that of functions within is told by its name and bytes."""
    if isinstance(value, types.CodeType):
        return value.co_qualname, value.co_code, [_constant(x) for x in value.co_consts]
    return value


def _attributes(part: Any) -> dict[str, Any]:
    """All but what is worked out when asked for."""
    kept = {
        name
        for each in type(part).__mro__
        for name, value in vars(each).items()
        if isinstance(value, functools.cached_property)
    }
    return {name: value for name, value in vars(part).items() if name not in kept}


def _root(part: Any) -> str:
    return str(getattr(part, "__module__", "")).partition(".")[0]


def _name(part: Any) -> str:
    module = getattr(part, "__module__", "")
    return f"{module}:{getattr(part, '__qualname__', getattr(part, '__name__', ''))}"
