"""The ladder: one rung a folder. A module imports from its own rung and from those below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "fabgen"

#: From the ground up; the modules in the root of the package, which know no physics, are below.
LADDER = (
    *("card", "model", "process", "amplitude", "phasespace", "beams", "integrand", "build"),
    *("surrogate", "sampling", "training", "events", "plot", "run", "show", "cli"),
)
ROOT = {
    *(
        "arrays",
        "blocks",
        "compiler",
        "dispatch",
        "errors",
        "files",
        "fingerprint",
        "inputs",
        "interrupts",
        "json_files",
        "metrics",
    ),
    *("numerics", "plain_text", "units"),
}
RUNG = {name: rung for rung, name in enumerate(LADDER)} | dict.fromkeys(ROOT, -1)

#: Modules allowed to be longer than this, each with its reason.
MAX_LINES = 400
LONG_MODULES: dict[str, str] = {}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def dotted(path: Path) -> str:
    """The name that a file is imported by."""
    return ".".join(["fabgen", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )


NAMES = {dotted(path): path for path in MODULES}


def imports(path: Path) -> set[str]:
    """The modules of fabgen that a file imports, at its top, anywhere in it, or for its types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            folders = ["fabgen", *path.relative_to(PACKAGE).parts]
            parent = folders[: len(folders) - node.level] if node.level else []
            module = ".".join([*parent, *([node.module] if node.module else [])])
            below = {f"{module}.{alias.name}" for alias in node.names}
            found |= below & NAMES.keys() or {module}
    return {name for name in found if name.startswith("fabgen.") and name in NAMES}


GRAPH = {name: imports(path) for name, path in NAMES.items()}


def rung_of(name: str) -> int:
    return RUNG[name.split(".")[1]]


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules that import each other, whatever the way (Tarjan)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            place = stack.index(name)
            if len(stack) - place > 1:
                found.append(set(stack[place:]))
            del stack[place:]

    for name in graph:
        if name not in number:
            visit(name)
    return found


def test_every_folder_has_a_rung():
    entries = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert entries == ROOT
    assert folders == set(LADDER)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("fabgen", "fabgen.__main__")])
def test_no_import_runs_upwards(name):
    upward = {other for other in GRAPH[name] if rung_of(other) > rung_of(name)}
    assert not upward, f"{name} imports {upward} from above its rung"


def test_no_modules_import_each_other():
    assert circles(GRAPH) == []


def test_a_circle_is_seen():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}
    assert circles(graph) == [{"a", "b", "c"}]


def test_long_modules_are_decisions():
    long = {
        name_of(path)
        for path in MODULES
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    }
    assert long == set(LONG_MODULES), f"split these, or say why not: {long - set(LONG_MODULES)}"


def test_only_the_command_line_prints():
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert not (isinstance(called, ast.Name) and called.id == "print"), name_of(path)
