"""Kinematics of the Dalitz plot."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.plot.dalitz import Plane, density, is_three_body_decay, plane_of, window
from fabgen.process.event_topology import EventTopology

from .conftest import make_samples, momenta_of_decay

MASSES = (2.0, 0.5, 0.3, 0.2)


def decay(*pdg, masses=MASSES):
    return EventTopology(pdg=pdg, n_initial=1, masses=masses)


def test_decays_with_a_dalitz_plot():
    assert is_three_body_decay([decay(15, 11, -12, 16)])
    assert not is_three_body_decay([decay(6, 24, 5, masses=(1.0, 0.0, 0.0))])
    scattering = EventTopology(pdg=(11, -11, 13, -13), n_initial=2, masses=(0.0,) * 4)
    assert not is_three_body_decay([scattering])


def test_events_fill_the_plane_within_its_boundary():
    plane = plane_of([decay(4122, 2212, -321, 211)])
    momenta = momenta_of_decay(np.random.default_rng(1), 20_000, MASSES)
    np.testing.assert_allclose(momenta[:, 1:].sum(axis=1), momenta[:, 0], atol=1e-12)
    x, y = plane.coordinates(momenta)
    low, high = plane.boundary(x)
    assert np.all(y >= low - 1e-9)
    assert np.all(y <= high + 1e-9)
    # cos(theta) is uniform, so the events come close to both.
    assert np.min((y - low) / (high - low)) < 1e-3
    assert np.max((y - low) / (high - low)) > 1.0 - 1e-3
    assert plane.x_range[0] <= np.min(x) < np.max(x) <= plane.x_range[1]


def test_the_boundary_of_massless_products_is_a_triangle():
    plane = Plane(3.0, 0.0, 0.0, 0.0)
    x = np.linspace(0.5, 9.0, 10)
    low, high = plane.boundary(x)
    np.testing.assert_allclose(low, 0.0, atol=1e-12)
    np.testing.assert_allclose(high, 9.0 - x)
    assert plane.x_range == plane.y_range == (0.0, 9.0)


def test_the_density_is_in_units_of_its_mean_where_there_are_points():
    plane = Plane(*MASSES)
    values, x_edges, y_edges = density(
        make_samples(), plane, (plane.x_range, plane.y_range), cells=10
    )
    assert np.nanmean(values) == pytest.approx(1.0)
    assert np.isnan(values[-1, -1])
    assert x_edges[0] == pytest.approx(0.25)
    assert y_edges[-1] == pytest.approx(1.8**2)


def test_the_axes_are_those_of_phase_space_unless_most_of_it_is_empty():
    samples, plane = make_samples(), Plane(*MASSES)
    assert window(samples, plane) == (plane.x_range, plane.y_range)
    # The same events within a larger phase space.
    larger = Plane(4.0, *MASSES[1:])
    (x_low, x_high), (_, y_high) = window(samples, larger)
    assert plane.x_range[0] <= x_low < x_high <= plane.x_range[1] * 1.001
    assert x_high - x_low > 0.9 * (plane.x_range[1] - plane.x_range[0])
    assert y_high < plane.y_range[1] * 1.001
