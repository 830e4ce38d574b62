"""A surrogate that has collapsed to one of several far peaks is found out, a good one is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fabgen.build.toys
import fabgen.run.evaluate
from fabgen.card import card_of_process
from fabgen.integrand.toys.maps import Box
from fabgen.run import RunOptions, integrate
from fabgen.run.session import Trained
from fabgen.surrogate import Gridded, Uniform

TOY = "toy:camel-back"
WIDTH = 0.03


@dataclass(frozen=True)
class Peaks:
    """Gaussians of equal parts at centres (count, dim) in the cube, integral 1."""

    dim: ClassVar[int]
    centres: ClassVar[np.ndarray]
    default_maps: ClassVar[str] = "flat"
    lengths: ClassVar[tuple[str, ...]] = ()
    whole: ClassVar[dict] = {}
    ranges: ClassVar[dict] = {}

    def refuse_empty(self):
        pass

    def log_density(self, x):
        distance = jnp.sum((x.T[:, None] - self.centres) ** 2, axis=-1)
        log_norm = 0.5 * self.dim * math.log(2.0 * math.pi * WIDTH**2)
        total = jax.nn.logsumexp(-distance / (2.0 * WIDTH**2), axis=1)
        return total - log_norm - math.log(len(self.centres))

    def maps(self):
        return {"flat": Box(self.dim, 0.0, 1.0)}

    def features(self, x):
        return x


@pytest.fixture
def peaks(monkeypatch):
    """peaks(dim, count): the toy is such a density; (count, dim) centres."""

    def put(dim, count):
        centres = np.random.default_rng(3).uniform(0.2, 0.8, (count, dim))
        toy = type("SomePeaks", (Peaks,), {"dim": dim, "centres": centres})
        monkeypatch.setitem(fabgen.build.toys.TOYS, "camel-back", toy)
        return centres

    return put


def grid_of(session, points):
    """A Trained of a map of the axes with as many points (n, dim) in each bin, half a per cent of
    them everywhere."""
    dim, bins = points.shape[1], 200
    params = (grid := Gridded(dim, Uniform(dim), bins)).init(jax.random.key(0))
    borders = np.quantile(points, np.linspace(0.0, 1.0, bins + 1), axis=0).T
    borders[:, 0], borders[:, -1] = 0.0, 1.0
    return Trained(grid, params._replace(grid=jnp.asarray(borders)))


@pytest.fixture
def collapsed(monkeypatch):
    """collapsed(centre): VEGAS gives a grid that has adapted to one peak alone."""

    def put(centre):
        points = centre + 1.1 * WIDTH * np.random.default_rng(1).normal(size=(20_000, len(centre)))
        monkeypatch.setattr(
            "fabgen.run.training.trained_grids", lambda session, *, store: grid_of(session, points)
        )

    return put


def run(path, *settings):
    card = card_of_process(TOY, ("surrogate.kind=vegas", *settings), 1)
    return integrate(card, path, RunOptions(), vegas=True)


@pytest.mark.parametrize(("dim", "count"), [(4, 2), (8, 8)])
def test_a_collapsed_surrogate_is_found_out(dim, count, peaks, collapsed, tmp_path, monkeypatch):
    centres = peaks(dim, count)
    collapsed(centres[0])
    report = run(tmp_path / "run")
    assert report["sampling_efficiency"] > 0.5
    assert report["integral"] == pytest.approx(1.0 / count, rel=0.02)
    missed = 100.0 * (1.0 - 1.0 / count)
    told = [text for text in report["warnings"] if "peaks found by a search" in text]
    assert abs(float(told[0].split(" %")[0]) - missed) < 3.0
    assert any(text.startswith("a search for peaks found") for text in report["warnings"])
    assert report["integral_error"] > 1.0 - report["integral"]
    # Nothing else covers what is missed.
    monkeypatch.setattr(fabgen.run.evaluate, "searched_peaks", lambda *args: (None, 0))
    report = run(tmp_path / "without")
    assert report["integral_error"] < 1.0 - report["integral"]


def test_a_surrogate_with_all_peaks_is_left_alone(peaks, tmp_path):
    """A grid of VEGAS+ on two peaks in two dimensions."""
    peaks(2, 2)
    report = run(tmp_path)
    assert report["warnings"] == []
    assert abs(report["integral"] - 1.0) < 4.0 * report["integral_error"]


def test_a_good_untrained_map_costs_no_search(tmp_path, monkeypatch):
    searched = []
    monkeypatch.setattr(
        fabgen.run.evaluate, "searched_peaks", lambda *args: searched.append(1) or (None, 0)
    )
    card = card_of_process("toy:crossed-ring", ('channels.maps="flat"', "surrogate.kind=vegas"))
    integrate(card, tmp_path, RunOptions(), vegas=True)
    assert searched == []


def test_without_a_start_there_is_no_search():
    found = fabgen.run.evaluate.searched_peaks(None, None, None, None, None)
    assert found == (None, 0)
