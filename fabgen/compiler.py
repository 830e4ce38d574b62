"""Functions compiled for arguments of given shapes, which a later run finds without tracing them.

JAX keeps what it has compiled (jax_compilation_cache_dir), but finds it by the program that a
function is traced and lowered to, which takes longer than anything else of a small run. So that
program is exported (jax.export) to a file whose name is the fingerprint of the function and of its
arguments.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax import export

from fabgen.blocks import loops_over_blocks
from fabgen.errors import FabgenError
from fabgen.files import write_atomic
from fabgen.fingerprint import PACKAGES, UnknownParts, fingerprint

#: Files of a folder; beyond, those that were not used for the longest time go.
MOST = 2000
#: What compiles in about half of the time for a CPU: older, plainer code for fusions, and fewer
#: optimizations. Maps are a tenth slower then, grids as fast, |M|^2 half as fast.
_QUICKLY = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}


class Program(NamedTuple):
    """A function traced for arguments like those of a call, ready to be compiled.

    out_info: shapes and types of its result.
    """

    lowered: Any
    out_info: Any
    flat: bool

    def compile(self, *, quickly: bool = False) -> Callable[..., Any]:
        """The compiled function; quickly: where compiling it takes longer than what it does."""
        options = _QUICKLY if quickly and jax.default_backend() == "cpu" else {}
        compiled: Callable[..., Any] = self.lowered.compile(compiler_options=options)
        if not self.flat:
            return compiled
        tree = jax.tree.structure(self.out_info)

        def call(*arguments: Any) -> Any:
            return jax.tree.unflatten(tree, compiled(*jax.tree.leaves(arguments)))

        return call


class Compiler:
    """Compiles functions; folder: where it finds what was traced before (None: nowhere)."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder

    def compile(
        self,
        function: Callable[..., Any],
        *like: Any,
        donate: tuple[int, ...] = (),
        quickly: bool = False,
    ) -> Callable[..., Any]:
        """The function, compiled for arguments of these shapes and types.

        donate: numbers of the arguments whose memory it may use. quickly: as of a Program.
        """
        return self.trace(function, *like, donate=donate).compile(quickly=quickly)

    def trace(
        self, function: Callable[..., Any], *like: Any, donate: tuple[int, ...] = ()
    ) -> Program:
        """The same before XLA compiles it."""
        like = jax.tree.map(_shape, like)
        leaves, tree = jax.tree.flatten(like)
        exported = self._exported(function, leaves, tree)
        if exported is None:
            lowered = jax.jit(function, donate_argnums=donate, keep_unused=True).lower(*like)
            return Program(lowered, lowered.out_info, flat=False)
        program, result = exported
        numbers = iter(range(len(leaves)))
        owners = [(i, next(numbers)) for i, part in enumerate(like) for _ in jax.tree.leaves(part)]
        donated = tuple(number for i, number in owners if i in donate)
        call = jax.jit(program.call, donate_argnums=donated, keep_unused=True)
        out = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in program.out_avals]
        return Program(call.lower(*leaves), jax.tree.unflatten(result, out), flat=True)

    def figure(self, make: Callable[..., float], function: Callable[..., Any], *like: Any) -> float:
        """make(function, *like), which a later run does not work out again: a number that depends
        on shapes and types of the arguments only."""
        path = self._path(make, function, *jax.tree.flatten(jax.tree.map(_shape, like)))
        content = None if path is None else _read(path)
        if content is not None:
            return float.fromhex(content.decode())
        found = make(function, *like)
        if path is not None:
            _write(path, float(found).hex().encode())
        return found

    def _path(self, *parts: Any) -> Path | None:
        """The file of what is made from these parts; None where there is none."""
        if self.folder is None:
            return None
        try:
            device = jax.devices()[0]
            kind = device.platform, device.device_kind, loops_over_blocks()
            return self.folder / fingerprint(*parts, *kind)
        except UnknownParts:
            return None

    def _exported(
        self, function: Callable[..., Any], leaves: list[Any], tree: Any
    ) -> tuple[export.Exported, Any] | None:
        """The program, as the folder has it from now on; None where nothing can be kept."""
        path = self._path(function, leaves, tree)
        if path is None:
            return None
        found = _read_program(path, leaves)
        if found is not None:
            return found
        result = None

        def flat(*leaves: Any) -> list[Any]:
            nonlocal result
            values, result = jax.tree.flatten(function(*jax.tree.unflatten(tree, leaves)))
            return values

        try:
            program = export.export(jax.jit(flat, keep_unused=True))(*leaves)
            header = json.dumps(_described(result)).encode()
            content = header + b"\n" + bytes(program.serialize())
        except UnknownParts:
            return None
        except ValueError:  # calls that JAX promises no stability of
            return None
        _write(path, content)
        return _read_program(path, leaves)  # what is compiled must be what a later run reads


def _shape(argument: Any) -> Any:
    if isinstance(argument, jax.ShapeDtypeStruct):
        return argument
    return jax.ShapeDtypeStruct(jax.numpy.shape(argument), jax.dtypes.result_type(argument))


def _read_program(path: Path, leaves: list[Any]) -> tuple[export.Exported, Any] | None:
    """A program with the structure of its result; None if the file is absent or another's."""
    content = _read(path)
    if content is None:
        return None
    header, _, program = content.partition(b"\n")
    try:
        exported = export.deserialize(bytearray(program))
        structure = jax.tree.structure(_restored(json.loads(header)))
    except (ValueError, LookupError, AttributeError, ImportError):
        return None
    expected = [(aval.shape, aval.dtype) for aval in exported.in_avals]
    if expected != [(leaf.shape, leaf.dtype) for leaf in leaves]:
        return None
    return exported, structure


def _read(path: Path) -> bytes | None:
    """What `_write` has written; None if the file is absent or damaged."""
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
        os.utime(path)
    except OSError:
        return None
    return content if _checksum(content) == checksum else None


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _write(path: Path, content: bytes) -> None:
    """Writes a file, its checksum first, if that is possible: a later run does without it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, _checksum(content) + b"\n" + content)
        _remove_oldest(path.parent)
    except (OSError, FabgenError):
        return


def _remove_oldest(folder: Path) -> None:
    files = list(folder.iterdir())
    if len(files) > MOST:
        for path in sorted(files, key=lambda path: path.stat().st_mtime)[: MOST // 2]:
            path.unlink(missing_ok=True)


def _described(structure: Any) -> Any:
    """A structure of pytrees as JSON: 0 for a leaf, [name, keys or null, children] for a node."""
    if structure.node_data() is None:
        return 0
    kind, keys = structure.node_data()
    if kind is type(None):
        return None
    children = [_described(child) for child in structure.children()]
    if kind in (tuple, list):
        return [kind.__name__, None, children]
    if kind is dict and all(isinstance(key, str) for key in keys):
        return ["dict", list(keys), children]
    named = f"{kind.__module__}:{kind.__qualname__}"
    try:
        if issubclass(kind, tuple) and hasattr(kind, "_fields") and _known(named) is kind:
            return [named, None, children]
    except (LookupError, AttributeError):  # of another package, or made inside a function
        pass
    raise UnknownParts(named)


def _restored(description: Any) -> Any:
    """The tree of a description, with leaves of 0."""
    if not description:
        return description
    name, keys, children = description
    values = [_restored(child) for child in children]
    if name in ("tuple", "list"):
        return tuple(values) if name == "tuple" else values
    if name == "dict":
        return dict(zip(keys, values, strict=True))
    return _known(name)(*values)


def _known(name: str) -> Any:
    """A named tuple of fabgen or of a package that it is built on, by its name."""
    module, _, path = name.partition(":")
    if module.partition(".")[0] not in PACKAGES:
        raise LookupError(name)
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found
