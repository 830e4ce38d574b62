"""Orbax checkpoints with a manifest of hashes: of a whole training state, or a surrogate alone.

    DIR/manifest.json      what the checkpoint is, and the SHA-256 of every file below
    DIR/slot-0, slot-1     Orbax data; the manifest names the one in use

A new checkpoint goes into the slot not in use, is flushed to the disk, and becomes the checkpoint
in the one instant that the new manifest replaces the old: a kill at any moment leaves one of the
two whole. On reading, the manifest is checked first, then every hash, then Orbax is let in.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from fabgen import interrupts
from fabgen.errors import InputError
from fabgen.files import kind, sha256, sync, write_atomic, writing
from fabgen.json_files import check_keys, damaged, read_json
from fabgen.training.orbax_files import open_folder, orbax_restore, orbax_save

FORMAT = "fabgen checkpoint 1"
MANIFEST = "manifest.json"
SLOTS = ("slot-0", "slot-1")


@dataclass(frozen=True)
class _Leaf:
    """Shape and type of one stored array."""

    shape: tuple[int, ...]
    dtype: str


#: What every manifest has; a training and a sample have notes of their own beside it.
_KEYS = {
    "description": dict[str, Any],
    "slot": str,
    "leaves": dict[str, _Leaf],
    "files": dict[str, str],
}
_TRAINING_KEYS = {"step": int, "finished": bool, "seconds": float}


@dataclass(frozen=True)
class Restored:
    """A checkpoint read back: the tree with numpy arrays for leaves, and its notes."""

    tree: Any
    step: int
    finished: bool
    seconds: float


@dataclass(frozen=True)
class Checkpointer:
    """Checkpoints of one training run in one directory.

    `description` (JSON) names what is trained: a checkpoint with another one is refused as foreign.
    """

    directory: str | os.PathLike[str]
    description: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return Path(self.directory)

    @property
    def resume_step(self) -> int | None:
        """The step that training would go on from; None without a checkpoint."""
        manifest = self._manifest()
        return None if manifest is None else manifest["step"]

    @property
    def finished(self) -> bool:
        """Whether there is a checkpoint of a training that reached its end."""
        manifest = self._manifest()
        return manifest is not None and manifest["finished"]

    def save(self, tree: Any, *, step: int, finished: bool = False, seconds: float = 0.0) -> None:
        """Makes the tree of arrays the checkpoint; the one before is valid until then."""
        write(
            self.path,
            tree,
            {
                "description": dict(self.description),
                "step": int(step),
                "finished": bool(finished),
                "seconds": float(seconds),
            },
        )

    def restore(self, template: Any) -> Restored | None:
        """The checkpoint as a tree like `template` (arrays or ShapeDtypeStructs), None without one.

        Raises InputError if it is damaged, or not one of this description, structure and shapes.
        """
        manifest = self._manifest()
        if manifest is None:
            return None
        tree = read(self.path, manifest, template)
        return Restored(tree, manifest["step"], manifest["finished"], manifest["seconds"])

    def _manifest(self) -> dict[str, Any] | None:
        manifest = read_manifest(self.path)
        if manifest is None:
            return None
        _check(self.path, manifest, _TRAINING_KEYS)
        if manifest["description"] != _plain(dict(self.description)):
            _refuse(self.path, "the checkpoint belongs to another training")
        return manifest


def save_surrogate(
    directory: str | os.PathLike[str], params: Any, description: Mapping[str, Any] | None = None
) -> None:
    """Stores the parameters of a surrogate (any pytree of arrays: a flow, a VEGAS grid)."""
    notes = {"description": dict(description or {}), "step": 0, "finished": True, "seconds": 0.0}
    write(Path(directory), {"params": params}, notes)


def load_surrogate(
    directory: str | os.PathLike[str],
    template: Any,
    description: Mapping[str, Any] | None = None,
    *,
    match_shapes: bool = True,
) -> Any:
    """The parameters in a checkpoint of a surrogate or of a whole training state.

    `template` gives the structure (such as `jax.eval_shape(surrogate.init, key)`), with
    match_shapes also the shapes. Raises InputError for a missing, damaged or foreign checkpoint.
    """
    path = Path(directory)
    manifest = read_manifest(path)
    if manifest is None:
        raise InputError("there is no surrogate here", file=path)
    if description is not None and manifest["description"] != _plain(dict(description)):
        _refuse(path, "the surrogate belongs to another card")
    tree = read(path, manifest, {"params": template}, subtree=True, match_shapes=match_shapes)
    return tree["params"]


# --- Writing ---


def write(directory: Path, tree: Any, notes: Mapping[str, Any]) -> None:
    """Writes a checkpoint with `notes` in its manifest; only its last two folders are made.

    An unwritable place raises FabgenError. A signal that asks for the end waits.
    """
    with interrupts.held():
        _write(directory, tree, notes)
    interrupts.check()


def _write(directory: Path, tree: Any, notes: Mapping[str, Any]) -> None:
    leaves = {name: np.asarray(leaf) for name, leaf in _named_leaves(jax.device_get(tree)).items()}
    with writing(directory):
        if directory.parent.parent.is_dir():
            directory.parent.mkdir(exist_ok=True)
        directory.mkdir(exist_ok=True)
        _remove_unfinished(directory)
        slot = _free_slot(directory)
        if kind(directory / slot) is not None:
            shutil.rmtree(directory / slot)  # an error for a link, which it does not follow
        with open_folder(directory) as folder:
            try:
                orbax_save(folder / slot, leaves)
            except Exception:
                _remove_failed(directory)  # on a full disk it takes the room of what is needed
                raise
        files = {}
        for file in sorted(p for p in (directory / slot).rglob("*") if p.is_file()):
            files[file.relative_to(directory).as_posix()] = sha256(file)
            sync(file)
        for folder in [directory / slot, *(p for p in (directory / slot).rglob("*") if p.is_dir())]:
            sync(folder)
        manifest = {
            "format": FORMAT,
            **notes,
            "slot": slot,
            "leaves": {
                name: {"shape": list(leaf.shape), "dtype": leaf.dtype.name}
                for name, leaf in leaves.items()
            },
            "files": files,
        }
        _replace_manifest(directory, manifest)
    for other in set(SLOTS) - {slot}:
        shutil.rmtree(directory / other, ignore_errors=True)


def _remove_unfinished(directory: Path) -> bool:
    """Removes what a killed or failed save has left: Orbax would warn of it. Was there any?"""
    left = [p for slot in SLOTS for p in directory.glob(f"{slot}.orbax-checkpoint-tmp*")]
    for folder in left:
        shutil.rmtree(folder)
    return bool(left)


def _remove_failed(directory: Path) -> None:
    """Removes what the save that just failed has left, without an error of its own.

    Other arrays of it are still being written for a moment, and bring files and folders back: it is
    gone when two looks in a row find nothing. The next save removes what is left even so.
    """
    nothing = 0
    for _ in range(_LOOKS):
        try:
            nothing = 0 if _remove_unfinished(directory) else nothing + 1
        except OSError:
            nothing = 0
        if nothing == 2:
            return
        time.sleep(_BETWEEN_LOOKS)


#: How often the remains of a failed save are looked for, and seconds between.
_LOOKS, _BETWEEN_LOOKS = 20, 0.05


def _named_leaves(tree: Any) -> dict[str, Any]:
    """Leaves by their path in the tree, such as `params.layers.0.w`."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in flat}


def _free_slot(directory: Path) -> str:
    """The slot that the manifest, if there is a readable one, does not name."""
    try:
        used = read_json(directory / MANIFEST, dict[str, Any]).get("slot")
    except InputError:
        used = None
    return SLOTS[1] if used == SLOTS[0] else SLOTS[0]


def _replace_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    manifest["sha256"] = _digest(manifest)
    write_atomic(directory / MANIFEST, json.dumps(manifest, indent=1) + "\n")


# --- Reading ---


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """The checked manifest: its own hash and that of every file; None if there is no checkpoint."""
    if not (directory / MANIFEST).exists():
        return None
    manifest = read_json(directory / MANIFEST, dict[str, Any])
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        _refuse(directory, "the checkpoint was not written by this version of fabgen")
    if manifest.get("sha256") != _digest(manifest):
        _refuse(directory, "the checkpoint is damaged: its manifest was changed")
    _check(directory, manifest, _KEYS)
    if manifest["slot"] not in SLOTS:
        _refuse(directory, "the checkpoint is damaged: its manifest names no slot")
    for name, expected in manifest["files"].items():
        if not (directory / name).is_file():
            _refuse(directory, f"the checkpoint is damaged: {name} is missing")
        if sha256(directory / name) != expected:
            _refuse(directory, f"the checkpoint is damaged: {name} was changed")
    return manifest


def _check(directory: Path, manifest: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
    try:
        check_keys(manifest, keys)
    except ValueError as error:
        raise damaged(directory / MANIFEST, str(error)) from None


def read(
    directory: Path,
    manifest: Mapping[str, Any],
    template: Any,
    *,
    subtree: bool = False,
    match_shapes: bool = True,
) -> Any:
    """The tree of a checkpoint whose manifest was checked, in the structure of `template`."""
    wanted, found = _named_leaves(template), manifest["leaves"]
    if not set(wanted) <= set(found) or (not subtree and set(wanted) != set(found)):
        names = ", ".join(sorted(set(wanted) ^ set(found))[:3])
        _refuse(directory, f"the checkpoint belongs to another training: arrays differ ({names})")
    for name, leaf in wanted.items():
        shape, dtype = tuple(found[name]["shape"]), found[name]["dtype"]
        if np.dtype(leaf.dtype).name != dtype or (match_shapes and tuple(leaf.shape) != shape):
            _refuse(
                directory,
                f"the checkpoint belongs to another training: {name} is {dtype}{list(shape)}, "
                f"not {np.dtype(leaf.dtype).name}{list(leaf.shape)}",
            )
    with open_folder(directory) as folder:
        stored = orbax_restore(
            folder / manifest["slot"],
            [name for name, leaf in found.items() if 0 not in leaf["shape"]],
        )
    leaves = [
        stored[name]
        if name in stored
        else np.zeros(tuple(found[name]["shape"]), found[name]["dtype"])
        for name in wanted
    ]
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _refuse(directory: Path, problem: str) -> NoReturn:
    raise InputError(problem, file=directory, hint="--restart trains anew, --run DIR elsewhere")


def _plain(value: Any) -> Any:
    """The value as it comes back from JSON (tuples become lists)."""
    return json.loads(json.dumps(value))


def _digest(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
