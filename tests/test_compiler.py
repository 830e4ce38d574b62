"""Programs that a later run finds without tracing them."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from fabgen.beams import Collision
from fabgen.compiler import Compiler
from fabgen.integrand.point import PhaseSpacePoints
from fabgen.numerics import safe_log
from fabgen.surrogate.uniform import Uniform

X = np.linspace(-1.0, 2.0, 5)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "programs"


@pytest.fixture
def no_tracing(monkeypatch):
    """From now on whoever exports a program fails."""

    def start():
        def fail(*arguments, **options):
            raise AssertionError("a program is traced")

        monkeypatch.setattr(export, "export", fail)

    return start


def test_without_a_folder():
    np.testing.assert_array_equal(Compiler().compile(safe_log, X)(X), safe_log(X))


def test_found_again_without_tracing(folder, no_tracing):
    Compiler(folder).compile(safe_log, X)
    no_tracing()
    again = Compiler(folder).compile(safe_log, jax.ShapeDtypeStruct(X.shape, X.dtype))
    np.testing.assert_array_equal(again(X), jax.jit(safe_log)(X))
    with pytest.raises(AssertionError, match="traced"):
        Compiler(folder).compile(safe_log, X[:3])


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: b"", lambda content: b"x" + content]
)
def test_damaged_files_are_made_anew(folder, damage):
    Compiler(folder).compile(safe_log, X)
    (path,) = folder.iterdir()
    content = path.read_bytes()
    path.write_bytes(damage(content))
    np.testing.assert_array_equal(Compiler(folder).compile(safe_log, X)(X), jax.jit(safe_log)(X))
    assert path.read_bytes().partition(b"\n")[0] == content.partition(b"\n")[0]


def test_the_file_of_another_program_is_not_used(folder):
    """Nor is one whose content is whole but whose arguments are others."""
    Compiler(folder).compile(safe_log, X[:3])
    (wrong,) = folder.iterdir()
    Compiler(folder).compile(safe_log, X)
    (path,) = set(folder.iterdir()) - {wrong}
    path.write_bytes(wrong.read_bytes())
    np.testing.assert_array_equal(Compiler(folder).compile(safe_log, X)(X), jax.jit(safe_log)(X))


def test_trees_of_arguments_and_results(folder, no_tracing):
    """Named tuples, None among them, keys and unused arguments."""
    collision = Collision(*(jnp.ones(2) for _ in Collision._fields))
    points = PhaseSpacePoints(jnp.ones((2, 4, 2)), collision, jnp.zeros(2, "int32"), jnp.ones(2))
    alone = points._replace(collision=None)
    function = functools.partial(jax.tree.map, jnp.negative)
    found = [Compiler(folder).compile(function, each) for each in (points, alone)]
    no_tracing()
    for each, first in zip((points, alone), found, strict=True):
        again = Compiler(folder).compile(function, each)(each)
        assert jax.tree.structure(again) == jax.tree.structure(each)
        assert type(again) is PhaseSpacePoints
        jax.tree.map(np.testing.assert_array_equal, again, first(each))


def test_keys(folder, no_tracing):
    surrogate, key = Uniform(2), jax.random.key(3)
    draw = functools.partial(surrogate.sample_and_log_prob, n=4)
    first = Compiler(folder).compile(draw, (), key)((), key)
    no_tracing()
    again = Compiler(folder).compile(draw, (), key)((), key)
    jax.tree.map(np.testing.assert_array_equal, again, first)


def test_compiled_quickly_it_computes_the_same(folder):
    found = Compiler(folder).compile(safe_log, X, quickly=True)(X)
    np.testing.assert_allclose(found, jax.jit(safe_log)(X), rtol=1e-14)


def test_shapes_of_results(folder):
    for compiler in Compiler(), Compiler(folder), Compiler(folder):
        out = compiler.trace(safe_log, X).out_info
        assert (out.shape, out.dtype) == ((5,), np.float64)


def test_donated_memory(folder):
    """Of one argument among several."""
    function = functools.partial(jax.tree.map, jnp.add)
    for compiler in Compiler(), Compiler(folder), Compiler(folder):
        first, second = (jnp.ones(3), jnp.ones(2)), (jnp.ones(3), jnp.ones(2))
        added = compiler.compile(function, first, second, donate=(1,))(first, second)
        jax.tree.map(lambda x: np.testing.assert_array_equal(x, 2.0), added)
        assert [x.is_deleted() for x in (*first, *second)] == [False, False, True, True]


def test_functions_of_others_are_traced(folder):
    """Their code may have changed."""
    compiled = Compiler(folder).compile(lambda x: x + 1.0, X)
    np.testing.assert_array_equal(compiled(X), X + 1.0)
    assert not folder.exists()


def test_results_of_others_are_traced(folder, monkeypatch):
    """Their classes may be made in another way next time."""

    class Pair(NamedTuple):
        x: jax.Array

    monkeypatch.setattr(Pair, "__module__", "fabgen.numerics")  # where nobody finds it
    function = functools.partial(jax.tree.map, jnp.negative)
    compiled = Compiler(folder).compile(function, Pair(X))
    np.testing.assert_array_equal(compiled(Pair(X)).x, -X)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    compiled = Compiler(tmp_path / "file" / "programs").compile(safe_log, X)
    np.testing.assert_array_equal(compiled(X), jax.jit(safe_log)(X))


def test_figures(folder):
    calls = []

    def measure(function, x):
        calls.append(x.shape)
        return 0.1 + len(calls)

    assert Compiler().figure(measure, safe_log, X) == 1.1
    # a function of a test is nothing that is kept
    assert Compiler(folder).figure(measure, safe_log, X) == 2.1
    assert not folder.exists()


def test_figures_are_kept(folder, monkeypatch):
    from fabgen.run.auto import costs

    first = Compiler(folder).figure(costs.operations, safe_log, X)
    assert first == costs.operations(safe_log, X)
    monkeypatch.setattr(costs, "elements", None)  # what counts them
    assert Compiler(folder).figure(costs.operations, safe_log, X) == first
    (path,) = folder.iterdir()
    monkeypatch.undo()
    for damaged in "nonsense", (1.5).hex():  # the second is a number, of nobody
        path.write_text(damaged)
        assert Compiler(folder).figure(costs.operations, safe_log, X) == first
    assert Compiler(folder).figure(costs.operations, safe_log, X[:3]) != first


def test_old_files_go(folder, monkeypatch):
    from fabgen import compiler

    monkeypatch.setattr(compiler, "MOST", 2)
    for n in (3, 4, 5):
        Compiler(folder).compile(safe_log, X[:n])
    assert len(list(folder.iterdir())) == 2
