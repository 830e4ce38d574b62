from __future__ import annotations

import subprocess
import sys

import jax
import numpy as np

from fabgen.card.schema import SurrogateOptions, VegasOptions
from fabgen.surrogate import Flow, Uniform, VegasGrid, build_surrogate


def test_flow_of_the_default_card():
    assert build_surrogate(8, SurrogateOptions(kind="flow")) == Flow(8)


def test_every_field_reaches_the_flow():
    options = SurrogateOptions(
        kind="flow",
        layers=3,
        bins=5,
        hidden=(8,),
        permutation="exchange",
        precision="float64",
        boundary=1e-5,
    )
    assert build_surrogate(4, options) == Flow(4, 3, 5, (8,), "exchange", "float64", 1e-5)


def test_uniform():
    assert build_surrogate(4, SurrogateOptions(kind="uniform")) == Uniform(4)


def test_vegas_is_uniform_before_training():
    grid = build_surrogate(3, SurrogateOptions(kind="vegas", vegas=VegasOptions(evaluations=500)))
    assert isinstance(grid, VegasGrid)
    start = grid.init(jax.random.key(0))
    _, log_q = jax.jit(grid.sample_and_log_prob, static_argnums=2)(start, jax.random.key(1), 50)
    assert np.abs(log_q).max() < 1e-12


def test_no_heavy_package_is_imported():
    code = """
import sys
from fabgen.surrogate import Flow, VegasGrid
assert not {"distrax", "tensorflow_probability", "vegas", "gvar"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
