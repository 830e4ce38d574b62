"""Settings of the whole test session."""

from __future__ import annotations

import os
from pathlib import Path

# Tests compile much and compute little: without LLVM's optimizations and with XLA's older, plainer
# code for fusions they take less than half of the time. Set before anything imports JAX.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
)
# Nobody reads where in the source an operation of a compiled program was written.
os.environ.setdefault("JAX_INCLUDE_FULL_TRACEBACKS_IN_LOCATIONS", "0")

import gc

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

#: Packages whose functions check the arrays that they take and return against their signatures.
#: Not in other processes that tests start. JAXTYPING_DISABLE=1 switches it off.
CHECKED = ["fabgen.beams", "fabgen.integrand", "fabgen.phasespace", "fabgen.surrogate"]
install_import_hook(CHECKED, "beartype.beartype")

import fabgen  # noqa: E402, F401  (switches JAX to 64-bit numbers)

# No deadlines: the first call of a compiled function takes seconds. The same examples in every run.
settings.register_profile("fabgen", deadline=None, max_examples=20, derandomize=True)
settings.load_profile("fabgen")

# Tracing makes many small objects that stay: looking for garbage among them takes a tenth of all.
gc.set_threshold(100_000, 50, 100)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compiled programs of the command line go to a folder of the session, not of the user."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def cards(root: Path) -> Path:
    """The folder of the documented cards."""
    return root / "cards"


@pytest.fixture
def write_card(tmp_path: Path):
    """Writes a card into a temporary folder: write_card(text, name="card.toml") -> path."""

    def write(text: str, name: str = "card.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def how(tmp_path_factory):
    """How to run: what was compiled once for a module of tests is not compiled again."""
    import jax

    from fabgen.run import RunOptions

    yield RunOptions(compilation_cache=tmp_path_factory.mktemp("jax"))
    jax.config.update("jax_compilation_cache_dir", None)
