"""The ladder of DESIGN section 3: a module imports only from its own layer and those above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "fabgen"

#: From the top down. A line is a layer: a folder, or modules that belong together.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        *("units", "plain_text", "errors", "inputs", "json_files"),
        *("files", "interrupts", "metrics", "numerics", "grouping"),
    ),
    ("card",),
    ("model",),
    ("process",),
    ("amplitude",),
    ("phasespace",),
    ("beams",),
    (
        *("point", "frames", "channel_prior", "components", "drawing", "in_channels", "integrand"),
        *("interface", "dalitz", "toys"),
        *(
            "divergences",
            "unstable_beams",
            "initial_states",
            "build",
            "build_checks",
            "build_dalitz",
            "build_windows",
        ),
        *("invariant_ranges", "poles", "small_widths", "narrow_widths"),
    ),
    ("surrogate",),
    ("training",),
    ("sampling",),
    ("events",),
    ("plot",),
    (
        *(
            "run",
            "pictures",
            "picture_samples",
            "session",
            "stages",
            "along_training",
            "training_sample",
            "event_sample",
            "own_events",
        ),
        *("rundir", "run_files", "commit", "generation", "append", "untrained", "samplers"),
        *(
            "reporting",
            "conditions",
            "describe",
            "describe_dalitz",
            "draw",
            "evaluation",
            "exact_events",
        ),
        *("surrogates", "channel_grids", "trained_grids", "toy_pictures", "auto"),
    ),
    ("arguments", "targets", "cli", "streams", "terminal", "figures", "__main__"),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

#: Modules allowed to be longer than this, each with its reason.
MAX_LINES = 400
LONG_MODULES: dict[str, str] = {}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def layer_of(path: Path) -> str:
    """The folder, or module, below fabgen/ that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """The folders and modules of fabgen that a file imports, at its top or anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            folders = ["fabgen", *path.relative_to(PACKAGE).parts]
            parent = folders[: len(folders) - node.level] if node.level else []
            module = ".".join([*parent, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {n.split(".")[1] for n in names if n.startswith("fabgen.")}
    return found - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_upward_import(path):
    if path == PACKAGE / "__init__.py":
        return  # the public names, loaded when they are first used
    own = layer_of(path)
    assert own in RANK, f"{own} has no place in LAYERS"
    upward = {name for name in imports(path) if RANK[name] > RANK[own]}
    assert not upward, f"{name_of(path)} imports {upward} from below its layer {own}"


def test_long_modules_are_decisions():
    long = {
        name_of(path)
        for path in MODULES
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    }
    assert long == set(LONG_MODULES), f"split these, or say why not: {long - set(LONG_MODULES)}"


def test_only_the_command_line_prints():
    for path in MODULES:
        if layer_of(path) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert not (isinstance(called, ast.Name) and called.id == "print"), name_of(path)
