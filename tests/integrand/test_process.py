"""f(u): its value, where it vanishes, its gradients, and the events drawn from it."""

from __future__ import annotations

import dataclasses
import functools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.beams import FixedBeams, Scales
from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.errors import InputError
from fabgen.integrand.component import ResonanceWindow
from fabgen.units import PB_GEV2

CHAIN = "e+ e- > t t~, t > w+ b, t~ > w- b~"


@functools.cache
def _built(processes: tuple[str, ...], settings: str):
    table = json.loads(settings)
    return build_integrand(card_from_table({"process": list(processes), **table}))


def integrand(*processes: str, **settings):
    """The integrand of a card, made once."""
    return _built(processes, json.dumps(settings, sort_keys=True))


@functools.cache
def compiled(target, method: str = "log_density", **options):
    """A method of an integrand, compiled once for all tests: operation by operation is slower.

    It gives arrays of NumPy, so that nothing more is compiled for what is checked with them.
    """
    return _to_numpy(jax.jit(functools.partial(getattr(target, method), **options)))


def _to_numpy(function):
    return lambda *arguments: jax.tree.map(np.asarray, function(*arguments))


@functools.cache
def with_gradient(target):
    """u -> log f and d log f / du."""
    return _to_numpy(jax.jit(jax.vmap(jax.value_and_grad(target.log_density))))


def drawn(target, u, key: int, channel: int = 0):
    """Events (EventFields of arrays of NumPy) at the points u of a channel."""
    return _drawing(target)(u, np.full(len(u), channel, np.int32), jax.random.key(key))


@functools.cache
def _drawing(target):
    def draw(u, channel, key):
        return target.draw(target.map(u, channel), key)

    return _to_numpy(jax.jit(draw))


def by_event(momenta) -> np.ndarray:
    """(n_external, 4, events) -> (events, n_external, 4)."""
    return np.moveaxis(momenta, -1, 0)


def points(dim: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.01, 0.99, (n, dim))


def invariants(momenta) -> np.ndarray:
    """All products p_i.p_j (events, n, n)."""
    metric = np.diag([1.0, -1.0, -1.0, -1.0])
    return np.einsum("eim,mn,ejn->eij", momenta, metric, momenta)


FAB_PAPER = {"mapping": "rambo", "bw_cutoff": float("inf")}


@functools.cache
def free_and_in_windows():
    """log f of the FAB paper at u, and what it is with the default windows: as one program."""
    targets = [integrand(CHAIN, phase_space=p) for p in (FAB_PAPER, {"mapping": "rambo"})]
    return _to_numpy(jax.jit(lambda u: [target.log_density(u) for target in targets]))


@pytest.fixture(scope="module")
def paper(pytestconfig) -> dict:
    path = pytestconfig.rootpath / "tests" / "data" / "ee_ttbar_wb_unitcube.json"
    return json.loads(path.read_text(encoding="utf-8"))


# -- the target of the FAB paper --------------------------------------------------------------


def test_unit_cube_of_the_fab_paper(paper):
    """f there has no flux 1/(2 s), no (2 pi)^-8 and no unit."""
    target = integrand(CHAIN, phase_space=FAB_PAPER)
    u = np.array(paper["u"])
    factor = PB_GEV2 / (2 * paper["sqrt_s"] ** 2 * (2 * np.pi) ** 8)
    free, _ = free_and_in_windows()(u)
    np.testing.assert_allclose(free, np.log(np.array(paper["f"]) * factor), atol=1e-9)
    momenta = np.array(paper["momenta"])
    np.testing.assert_allclose(compiled(target, "momenta")(u), momenta, atol=1e-9)
    np.testing.assert_allclose(compiled(target, "unit_cube")(momenta), u, atol=1e-9)


def test_outside_of_the_cube(paper):
    u = np.array(paper["u"])
    u[0, 0], u[1, 3], u[2, 7] = -1e-9, 1.0 + 1e-9, 2.0
    log_f, _ = free_and_in_windows()(u)
    assert np.all(log_f[:3] == -np.inf)
    assert np.all(np.isfinite(log_f[3:]))


def test_bw_cutoff_is_part_of_f_for_every_map(paper):
    """Outside of the window f vanishes; inside it is what it is without one."""
    inside = np.all(np.abs(top_masses(np.array(paper["momenta"])) - 173.0) < 15 * 1.4915, axis=1)
    assert 5 < inside.sum() < 20
    free, log_f = free_and_in_windows()(np.array(paper["u"]))
    np.testing.assert_array_equal(np.isfinite(log_f), inside)
    np.testing.assert_allclose(log_f[inside], free[inside], rtol=1e-12)


def top_masses(momenta) -> np.ndarray:
    pairs = momenta[:, 2::2] + momenta[:, 3::2]
    return np.sqrt(pairs[..., 0] ** 2 - (pairs[..., 1:] ** 2).sum(axis=-1))


# -- 2 -> 2 and decays: quick to compile ------------------------------------------------------

ENERGY = {"beams": {"energy": [180.0, 180.0]}}
MUONS = "e+ e- > mu+ mu-"


def test_what_it_says_about_itself():
    target = integrand("e+ e- > z h", beams={"energy": [250.0, 250.0]}, parameters={"MH": 120.0})
    assert (target.dim, target.n_channels, target.n_initial, target.unit) == (2, 1, 2, "pb")
    assert target.parameters["MH"] == 120.0
    assert target.masses[25] == 120.0
    assert target.masses[21] == 0.0
    assert target.masses[24] == pytest.approx(80.419002, rel=1e-7)
    assert target.widths[6] == 1.4915
    assert target.beam_particles == (-11, 11)
    assert target.beam_energies == (250.0, 250.0)
    decay = integrand("t > w+ b")
    assert (decay.dim, decay.n_initial, decay.unit) == (2, 1, "GeV")
    assert decay.beam_particles == (6,)


def test_value_in_pieces():
    """flux x |M|^2 x Jacobian from the parts of a Point."""
    target = integrand(MUONS, **ENERGY)
    u = points(2, 200)
    point = compiled(target, "point")(u)
    log_f = compiled(target)(u)
    np.testing.assert_allclose(point.log_f + point.log_jacobian, log_f, rtol=1e-12)
    momenta = by_event(point.momenta)
    np.testing.assert_allclose(momenta, compiled(target, "momenta")(u), rtol=1e-12)
    expected = PB_GEV2 / (2 * 360.0**2) * target.components[0].element(momenta)
    np.testing.assert_allclose(np.exp(point.log_f), expected, rtol=1e-10)
    np.testing.assert_allclose(np.exp(point.log_jacobian), 1 / (8 * np.pi), rtol=1e-12)
    assert point.log_prior.shape == (1, 200) and not np.any(point.log_prior)
    assert point.subprocess.shape == (200,) and not np.any(point.subprocess)
    np.testing.assert_array_equal(point.scales, np.full((2, 200), 91.188))


def test_shapes():
    target = integrand(MUONS, **ENERGY)
    u = points(2, 200)
    log_f = compiled(target)(u)
    folded = compiled(target)(u.reshape(2, 100, 2))
    np.testing.assert_allclose(folded, log_f.reshape(2, 100), rtol=1e-12)
    for shape in ((), (3,), (2, 3)):
        few = jax.ShapeDtypeStruct((*shape, 2), jnp.float64)
        assert jax.eval_shape(target.log_density, few).shape == shape
        assert jax.eval_shape(target.momenta, few).shape == (*shape, 4, 4)
        momenta = jax.ShapeDtypeStruct((*shape, 4, 4), jnp.float64)
        assert jax.eval_shape(target.unit_cube, momenta).shape == (*shape, 2)
    for wrong in (np.zeros(3), np.zeros((4, 1)), 0.5):
        with pytest.raises(InputError, match="u has the wrong shape"):
            target.log_density(wrong)


# -- beams, cuts and where f vanishes ---------------------------------------------------------


@pytest.fixture(scope="module")
def asymmetric():
    """Muons from beams that are as energetic as those of ENERGY in their rest frame."""
    cuts = {"etal": 2.0, "drllmax": 3.3}
    return integrand(MUONS, beams={"energy": [720.0, 45.0]}, cuts=cuts)


def test_asymmetric_beams(asymmetric):
    """Momenta are boosted along z, and f of u is the same within the cuts."""
    even = integrand(MUONS, **ENERGY)
    u = points(2, 200)
    lab = compiled(asymmetric, "momenta")(u)
    beams = [[720.0, 0, 0, 720.0], [45.0, 0, 0, -45.0]]
    np.testing.assert_allclose(lab[:, :2], [beams] * 200, atol=1e-9)
    np.testing.assert_allclose(lab[:, 2:].sum(axis=1), [[765.0, 0, 0, 675.0]] * 200, atol=1e-9)
    np.testing.assert_allclose(compiled(asymmetric, "unit_cube")(lab), u, atol=1e-10)
    # Rapidities are those of the lab.
    final = lab[:, 2:]
    rapidity = 0.5 * np.log((final[..., 0] + final[..., 3]) / (final[..., 0] - final[..., 3]))
    assert np.all(np.abs(rapidity) < 2.0)  # the map keeps to them
    assert np.max(np.abs(rapidity)) > 1.98
    passed = np.hypot(rapidity[:, 0] - rapidity[:, 1], np.pi) < 3.3
    assert 20 < passed.sum() < 180
    log_f, _ = with_gradient(asymmetric)(u)
    np.testing.assert_array_equal(np.isfinite(log_f), passed)
    # In the rest frame the rapidities of both are opposite.
    boost = math.atanh(675.0 / 765.0)
    rest = lab @ np.array(
        [
            [math.cosh(boost), 0, 0, -math.sinh(boost)],
            [0, 1, 0, 0],
            [0, 0, 1, 0],
            [-math.sinh(boost), 0, 0, math.cosh(boost)],
        ]
    )
    reached = math.tanh(2.0 - boost)
    log_even = compiled(even)(compiled(even, "unit_cube")(rest))
    np.testing.assert_allclose(log_f[passed], log_even[passed] + math.log(reached), rtol=1e-9)


def test_gradient_where_f_vanishes(asymmetric):
    """Never NaN: outside of the cuts and the cube, and on the faces."""
    inside = points(2, 200)[np.argmax(np.isfinite(with_gradient(asymmetric)(points(2, 200))[0]))]
    u = np.tile(inside, (200, 1))
    u[:6] = [[0.999, 0.3], [-0.1, 0.3], [0.5, 1.5], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    u[6:8, 1] = 0.0, 1.0  # the azimuth
    log_f, gradient = with_gradient(asymmetric)(u)
    assert not np.any(np.isfinite(log_f[:3]))
    assert np.all(np.isfinite(log_f[6:]))
    assert not np.any(np.isnan(log_f))
    assert np.all(np.isfinite(gradient))
    assert np.any(gradient[8:] != 0)


def test_massive_beams():
    """On shell in the lab."""
    target = integrand("ta+ ta- > z h", beams={"energy": [250.0, 150.0]})
    momenta = compiled(target, "momenta")(points(2, 3))
    np.testing.assert_allclose(momenta[:, :2, 0], [[250.0, 150.0]] * 3, rtol=1e-12)
    np.testing.assert_allclose(momenta[:, 0, 3], np.sqrt(250.0**2 - 1.777**2), rtol=1e-12)
    squares = np.diagonal(invariants(momenta), axis1=1, axis2=2)
    expected = [[1.777**2, 1.777**2, 91.188**2, 125.0**2]] * 3
    np.testing.assert_allclose(squares, expected, atol=1e-8)


# -- maps, windows, vetoes --------------------------------------------------------------------


def test_momenta_and_back():
    """The cascade of a chain, with beams of different energies."""
    target = integrand(CHAIN, beams={"energy": [400.0, 600.0]})
    u = points(8, 200)
    momenta = compiled(target, "momenta")(u)
    np.testing.assert_allclose(compiled(target, "unit_cube")(momenta), u, atol=1e-8)
    total = momenta[:, 2:].sum(axis=1)
    np.testing.assert_allclose(total, [[1000.0, 0.0, 0.0, -200.0]] * 200, atol=1e-8)
    squares = np.diagonal(invariants(momenta), axis1=1, axis2=2)
    w, b = 80.419002446**2, 4.7**2
    np.testing.assert_allclose(squares, [[0, 0, w, b, w, b]] * 200, atol=1e-5)
    assert np.all(np.abs(top_masses(momenta) - 173.0) <= 15 * 1.4915 * (1 + 1e-12))


@pytest.mark.parametrize("inside", [True, False])
def test_windows(inside):
    """Which pairs are near the mass shell, of all that `legs` names."""
    window = ResonanceWindow((2, 3), "MZ", "WZ", 10.0, inside)
    masses = np.array([60.0, 66.7, 66.8, 91.188, 115.5, 115.7, 500.0])
    momenta = np.zeros((4, 4, len(masses)))
    momenta[2, 0] = momenta[3, 0] = masses / 2
    momenta[2, 3], momenta[3, 3] = masses / 2, -masses / 2
    momenta[:2, 0] = 1000.0
    passed = jax.jit(window.passes)(momenta, {"MZ": 91.188, "WZ": 2.441404})
    near = np.abs(masses - 91.188) < 24.41404
    assert near.sum() == 3
    np.testing.assert_array_equal(passed, near if inside else ~near)


# -- parameters -------------------------------------------------------------------------------


def test_value_and_gradient_of_a_width():
    """Through momenta, Jacobian, flux and |M|^2; a two-body width is a constant."""
    target = integrand("t > w+ b")
    u = points(2, 2)
    names = ("MT", "aEWM1", "MZ", "MB", "Gf")
    values = {name: target.parameters[name] for name in names}

    def value_twice(p):
        log_f = target.log_density(u, p)
        return log_f, log_f

    with_gradient = _to_numpy(jax.jit(jax.jacfwd(value_twice, has_aux=True)))
    gradient, log_f = with_gradient(values)
    assert float(log_f[0]) == pytest.approx(np.log(WIDTH_OF_THE_TOP), rel=1e-6)
    np.testing.assert_allclose(log_f, log_f[0], rtol=1e-12)
    for name in names:
        step = 1e-5 * values[name]
        up, down = (with_gradient({**values, name: values[name] + s})[1] for s in (step, -step))
        expected = (up - down) / (2 * step)
        np.testing.assert_allclose(gradient[name], expected, rtol=1e-6, err_msg=name)


#: With the width of the closed form in tests/amplitude; also MadGraph's default for WT.
WIDTH_OF_THE_TOP = 1.4914721


def test_one_coupling_per_event():
    target = integrand("u u~ > t t~", beams={"energy": [200.0, 250.0]})
    u = np.tile(points(2, 1), (3, 1))
    couplings = np.array([0.1, 0.118, 0.13])
    log_f = np.asarray(jax.jit(lambda a: target.log_density(u, {"aS": a}))(couplings))
    np.testing.assert_allclose(log_f - log_f[1], 2 * np.log(couplings / 0.118), atol=1e-12)
    with pytest.raises(InputError, match="MW is not an external parameter"):
        target.log_density(u, {"MW": 80.0})


# -- several subprocesses ---------------------------------------------------------------------

SEVERAL = (MUONS, "e+ e- > c c~", "e+ e- > t t~", "e+ e- > u u~")


@pytest.fixture(scope="module")
def several():
    """Three components: muons, two equal quarks with their own cuts, and heavy quarks."""
    return integrand(*SEVERAL, cuts={"ptl": 20.0, "ptj": 100.0}, **ENERGY)


@pytest.fixture(scope="module")
def at_all_channels(several):
    """The same points u (200, 2) in every channel: a Point of arrays (..., 3, 200)."""
    channel = np.repeat(np.arange(3), 200)
    point = compiled(several, "point")(np.tile(points(2, 200), (3, 1)), channel)
    return jax.tree.map(lambda a: a.reshape(*a.shape[:-1], 3, 200), point)


def test_every_distinct_matrix_element_is_a_component(several):
    served = [[sub.number for sub in c.subprocesses] for c in several.components]
    assert served == [[0], [1, 3], [2]]
    assert several.component_of_channel == (0, 1, 2)
    assert several.n_channels == 3 and several.representative_channel == (0, 1, 2)
    with pytest.raises(InputError, match="3 channels"):
        several.log_density(points(2, 200))


def test_sum_of_processes(several, at_all_channels):
    """The channel of each component has the f of its process; equal ones are counted."""
    u, point = points(2, 200), at_all_channels
    f = np.exp(point.log_f + point.log_jacobian)
    np.testing.assert_array_equal(point.subprocess, np.repeat([[0], [1], [2]], 200, axis=1))
    assert point.log_prior.shape == (1, 3, 200) and not np.any(point.log_prior)
    assert np.all(point.sign == 1)
    pt = np.hypot(point.momenta[2, 1], point.momenta[2, 2])
    assert np.all(pt[0] > 20.0) and np.all(pt[1] > 100.0)  # cuts of maps of their own
    assert 0 < np.sum(pt[0] > 100.0) < 200
    muons = np.exp(compiled(integrand(MUONS, cuts={"ptl": 20.0}, **ENERGY))(u))
    np.testing.assert_allclose(f[0], muons, rtol=1e-11)
    quarks = np.exp(compiled(integrand("e+ e- > u u~", cuts={"ptj": 100.0}, **ENERGY))(u))
    np.testing.assert_allclose(f[1], 2 * quarks, rtol=1e-11)
    # Heavy quarks: their own phase space.
    tops = by_event(point.momenta[:, :, 2])
    velocity = np.sqrt(1 - (173.0 / 180.0) ** 2)
    squared = several.components[2].element(tops)
    expected = PB_GEV2 / (2 * 360.0**2) * squared * velocity / (8 * np.pi)
    np.testing.assert_allclose(f[2], expected, rtol=1e-10)


def test_maps_of_several_processes(several):
    u = points(2, 200)
    for number, channel, mass in ((0, 0, 0.0), (1, 1, 0.0), (2, 2, 173.0), (3, 1, 0.0)):
        momenta = compiled(several, "momenta", channel=channel)(u)
        squares = np.diagonal(invariants(momenta), axis1=1, axis2=2)
        np.testing.assert_allclose(squares[:, 2:], mass**2, atol=1e-8)
        back = compiled(several, "unit_cube", channel=channel, subprocess=number)(momenta)
        np.testing.assert_allclose(back, u, atol=1e-10)
    with pytest.raises(InputError, match="no such channel"):
        several.momenta(u, channel=3)
    with pytest.raises(InputError, match="no such subprocess"):
        several.unit_cube(momenta, subprocess=4)


def test_log_prior_of_momenta(several):
    """Channels of other components have no weight."""
    momenta = compiled(several, "momenta", channel=1)(points(2, 200))
    for number, channel in enumerate((0, 1, 2, 1)):
        found = compiled(several, "log_prior", subprocess=number)(momenta)
        expected = np.full((3, 200), -np.inf)
        expected[channel] = 0.0
        np.testing.assert_array_equal(found, expected)


def test_a_cut_on_one_process_is_none_on_the_others():
    settings = {"beams": {"energy": [250.0, 250.0]}, "cuts": {"mmll": 120.0}}
    both = integrand("e+ e- > mu+ mu- h", "e+ e- > u u~ h", **settings)
    quarks = integrand("e+ e- > u u~ h", **settings)
    momenta = compiled(quarks, "momenta")(points(5, 20))
    pair = momenta[:, 2:4].sum(axis=1)
    square = pair[:, 0] ** 2 - (pair[:, 1:] ** 2).sum(axis=-1)
    assert np.sum(square < 119.0**2) > 10
    u = compiled(both, "unit_cube", channel=1, subprocess=1)(momenta)
    assert np.all((u >= 0.0) & (u <= 1.0))
    np.testing.assert_allclose(compiled(both, "momenta", channel=1)(u), momenta, atol=1e-7)
    muons = compiled(both, "momenta", channel=0)(points(5, 20))[:, 2:4].sum(axis=1)
    assert np.all(muons[:, 0] ** 2 - (muons[:, 1:] ** 2).sum(axis=-1) > 120.0**2)


# -- beams in both orders ---------------------------------------------------------------------


def turned(momenta) -> np.ndarray:
    """Momenta (..., n_external, 4) turned by pi about the x axis."""
    return momenta * np.array([1.0, 1.0, -1.0, -1.0])


def in_order(momenta) -> np.ndarray:
    """The same with the incoming particles exchanged, so that the first one runs along +z."""
    return turned(momenta)[:, [1, 0, *range(2, momenta.shape[1])]]


def test_swapped_beams():
    """u~ u > mu+ mu- is evaluated with the matrix element of u u~, at its own momenta."""
    both = integrand("u u~ > mu+ mu-", "u~ u > mu+ mu-")
    (component,) = both.components
    assert [(s.number, s.exchanged) for s in component.subprocesses] == [(0, False), (1, True)]
    one = integrand("u u~ > mu+ mu-")
    u = points(2, 200)
    np.testing.assert_allclose(np.exp(compiled(both)(u)), 2 * np.exp(compiled(one)(u)), rtol=1e-12)
    momenta = compiled(both, "momenta")(u)
    np.testing.assert_allclose(compiled(one, "momenta")(u), momenta, rtol=1e-12)
    events = drawn(both, np.repeat(u, 20, axis=0), key=5)
    found, expected = by_event(events.momenta), np.repeat(momenta, 20, axis=0)
    straight = events.subprocess == 0
    assert abs(np.mean(straight) - 0.5) < 4 * np.sqrt(0.25 / 4000)
    np.testing.assert_allclose(found[straight], expected[straight], atol=1e-9)
    np.testing.assert_allclose(found[~straight], in_order(expected)[~straight], atol=1e-9)
    # With the matrix element of the other order at the momenta of the events f is the same.
    other = integrand("u~ u > mu+ mu-").components[0].element
    values = component.element(found), other(found)
    np.testing.assert_allclose(np.where(straight, *values), component.element(expected), rtol=1e-10)
    assert not np.allclose(*values, rtol=1e-2)
    for number, own in enumerate((straight, ~straight)):
        back = compiled(both, "unit_cube", subprocess=number)(found)
        np.testing.assert_allclose(back[own], np.repeat(u, 20, axis=0)[own], atol=1e-9)


TAUS, QUARK_AND_Z = ("u u~ > ta+ ta-", "u~ u > ta+ ta-"), ("u g > u z", "g u > u z")


@pytest.mark.parametrize(
    ("processes", "energy", "pseudorapidity"),
    [
        (TAUS, 190.0, 0.0),
        (TAUS, 0.0, 0.9),
        (TAUS, 0.0, 0.0),
        (QUARK_AND_Z, 190.0, 2.5),
        (QUARK_AND_Z, 0.0, 0.8),
    ],
)
def test_swapped_beams_of_different_energies(processes, energy, pseudorapidity):
    """Cuts are cuts in the lab for both orders; f is the sum of those of both processes."""
    letter, legs = ("l", [2, 3]) if processes is TAUS else ("j", [2])
    given = {f"e{letter}": energy, f"eta{letter}": pseudorapidity}
    cuts = {name: value for name, value in given.items() if value}
    settings = {"beams": {"energy": [400.0, 100.0]}, "cuts": cuts}
    both = integrand(*processes, **settings)
    assert both.n_channels == 1

    def in_cuts(lab):
        seen = lab[:, legs]
        passed = np.all(seen[..., 0] > energy, axis=1)
        size = np.linalg.norm(seen[..., 1:], axis=-1)
        central = np.abs(np.arctanh(seen[..., 3] / size)) < (pseudorapidity or np.inf)
        return passed & np.all(central, axis=1)

    u = points(2, 200)
    found, log_f = compiled(both, "momenta")(u), compiled(both)(u)
    parts = []
    for number, process in enumerate(processes):
        lab = boosted(in_order(rest(found)) if number else rest(found))
        squared = integrand(process, **settings).components[0].element(lab)
        parts.append(np.where(in_cuts(lab), PB_GEV2 / (2 * 400.0**2) * squared, 0.0))
    total = parts[0] + parts[1]
    jacobian = compiled(both, "point")(u).log_jacobian
    np.testing.assert_allclose(np.exp(log_f - jacobian), total, rtol=1e-9)
    if cuts:
        assert 0 < np.sum((parts[0] == 0.0) | (parts[1] == 0.0)) < 200
    if processes is QUARK_AND_Z:
        assert np.sum((parts[0] == 0.0) != (parts[1] == 0.0)) > 20
    events = drawn(both, u[total > 0.0], key=8)
    assert 0 < events.subprocess.sum() < np.sum(total > 0.0)
    momenta = by_event(events.momenta)
    beams = [[400.0, 0, 0, 400.0], [100.0, 0, 0, -100.0]]
    np.testing.assert_allclose(momenta[:, :2], [beams] * len(momenta), atol=1e-9)
    sums = [[500.0, 0.0, 0.0, 300.0]] * len(momenta)
    np.testing.assert_allclose(momenta[:, 2:].sum(axis=1), sums, atol=1e-9)
    assert np.all(in_cuts(momenta))


#: Rapidity of the rest frame of beams of 400 and 100 GeV.
RAPIDITY = 0.5 * math.log(4.0)


def boosted(momenta, rapidity: float = RAPIDITY) -> np.ndarray:
    """Momenta (..., 4) with a rapidity more along z."""
    cosh, sinh = math.cosh(rapidity), math.sinh(rapidity)
    energy, z = momenta[..., 0], momenta[..., 3]
    return np.stack(
        [cosh * energy + sinh * z, momenta[..., 1], momenta[..., 2], cosh * z + sinh * energy], -1
    )


def rest(momenta) -> np.ndarray:
    """Lab momenta of these beams in their rest frame."""
    return boosted(momenta, -RAPIDITY)


def test_beams_of_different_masses_in_both_orders():
    """b u > b u and u b > b u at the same energies: each has its own incoming momenta."""
    settings = {"beams": {"energy": [20.0, 20.0]}, "cuts": {"ptj": 2.0}}
    both = integrand("b u > b u", "u b > b u", **settings)
    for number, masses in enumerate(((4.7, 0.0), (0.0, 4.7))):
        channel = next(
            i
            for i, k in enumerate(both.component_of_channel)
            if number in [s.number for s in both.components[k].subprocesses]
        )
        events = drawn(both, points(2, 200), 6, channel)
        own = by_event(events.momenta)[events.subprocess == number]
        assert len(own) > 50
        squares = np.diagonal(invariants(own), axis1=1, axis2=2)
        expected = [[masses[0] ** 2, masses[1] ** 2, 4.7**2, 0.0]] * len(own)
        np.testing.assert_allclose(squares, expected, atol=1e-9)
        np.testing.assert_allclose(own[:, :2].sum(axis=1), own[:, 2:].sum(axis=1), atol=1e-9)
        np.testing.assert_allclose(own[0, :2], both.incoming(number), atol=1e-9)


# -- events -----------------------------------------------------------------------------------


def test_events_of_one_process():
    target = integrand(CHAIN, beams={"energy": [400.0, 600.0]})
    u = points(8, 200)
    events = drawn(target, u, key=1)
    momenta = compiled(target, "momenta")(u)
    np.testing.assert_allclose(by_event(events.momenta), momenta, atol=1e-9)
    np.testing.assert_array_equal(events.subprocess, 0)
    np.testing.assert_array_equal(events.flow, 0)
    np.testing.assert_allclose(events.alpha_qed, 1 / 132.507)
    np.testing.assert_allclose(events.alpha_s, 0.118)
    np.testing.assert_allclose(events.scale, 91.188)
    assert events.helicity.shape == (6, 200)
    assert target.draw_needs_amplitudes


def test_events_have_the_factorization_scale():
    scales = {"renormalization": 50.0, "factorization": 70.0}
    target = integrand(MUONS, scales=scales, **ENERGY)
    u = points(2, 200)
    np.testing.assert_array_equal(drawn(target, u, key=1).scale, 70.0)
    np.testing.assert_array_equal(compiled(target, "point")(u).scales, [[50.0] * 200, [70.0] * 200])


def test_events_of_several_processes(several):
    """Equal ones are drawn with equal probability, at the same momenta."""
    n, one = 4000, points(2, 200)[7:8]
    for channel, numbers in enumerate(([0], [1, 3], [2])):
        events = drawn(several, np.tile(one, (n, 1)), 2, channel)
        frequencies = np.bincount(events.subprocess, minlength=4)[numbers] / n
        assert frequencies.sum() == 1.0
        tolerance = 4 * np.sqrt(0.25 / n)
        np.testing.assert_allclose(frequencies, 1 / len(numbers), atol=tolerance)
        momenta = compiled(several, "momenta", channel=channel)(points(2, 200))
        expected = np.repeat(momenta[7:8], n, axis=0)
        np.testing.assert_allclose(by_event(events.momenta), expected, atol=1e-9)
        np.testing.assert_array_equal(events.flow, 0)


DENSITIES = {(2, -2): 1.0, (4, -4): 0.25, (-2, 2): 0.5, (-4, 4): 0.125}


class Dense(FixedBeams):
    """Beams with densities of flavours, of which each pair has that of DENSITIES over the scale."""

    flavours = 2, 4, -2, -4

    def densities(self, collision, scale):
        of_both = jnp.array([[1.0, 1.0], [0.5, 0.5], [0.5, 1.0], [0.25, 0.5]])
        return of_both[:, :, None] / jnp.sqrt(scale)


class Transverse(Scales):
    """pT of the first final particle and half of it."""

    def __call__(self, momenta, n_initial):
        pt = jnp.hypot(momenta[n_initial, 1], momenta[n_initial, 2])
        return jnp.stack([pt, pt / 2])


def test_densities_of_incoming_particles():
    """f has their sum; subprocesses are drawn with their shares, at the scale of the event."""
    processes = ("u u~ > ta+ ta-", "c c~ > ta+ ta-", "u~ u > ta+ ta-", "c~ c > ta+ ta-")
    plain = integrand(*processes, **ENERGY)
    assert plain.n_channels == 1
    dense = dataclasses.replace(plain, beams=Dense((180.0, 180.0)), scales=Transverse())
    u = points(2, 4)
    pt = np.hypot(*compiled(plain, "momenta")(u)[:, 2, 1:3].T)
    point = compiled(dense, "point")(u)
    np.testing.assert_allclose(point.scales, [pt, pt / 2], rtol=1e-12)
    ratio = np.exp(point.log_f - compiled(plain, "point")(u).log_f)
    np.testing.assert_allclose(ratio, 1.875 / (pt / 2) / 4, rtol=1e-12)
    n = 1000
    events = drawn(dense, np.repeat(u, n, axis=0), key=12)
    np.testing.assert_allclose(events.scale, np.repeat(pt / 2, n), rtol=1e-12)
    frequencies = np.bincount(events.subprocess, minlength=4) / (4 * n)
    shares = np.array(list(DENSITIES.values())) / 1.875
    assert np.all(np.abs(frequencies - shares) < 4 * np.sqrt(shares * (1 - shares) / (4 * n)))


def test_a_coupling_that_runs():
    """alpha_s of the renormalization scale of each event, whatever its component."""
    cuts = {"beams": {"energy": [300.0, 300.0]}, "cuts": {"ptj": 20.0}}
    plain = integrand("u u~ > t t~", "u u~ > g g", "u u~ > ta+ ta-", **cuts)

    def alpha_s(scale):
        return 0.118 / (1 + 0.1 * jnp.log(scale / 91.188))

    running = dataclasses.replace(plain, scales=Transverse(), alpha_s=alpha_s)
    u, channel = points(2, 60), np.arange(60) % 3
    assert plain.n_channels == 3
    fixed = compiled(plain, "point")(u, channel)
    point = compiled(running, "point")(u, channel)
    pt = np.hypot(fixed.momenta[2, 1], fixed.momenta[2, 2])
    expected = 0.118 / (1 + 0.1 * np.log(pt / 91.188))
    np.testing.assert_allclose(point.alpha_s, expected, rtol=1e-12)
    powers = np.array([2, 2, 0])[channel]
    ratio = powers * np.log(expected / 0.118)
    np.testing.assert_allclose(point.log_f - fixed.log_f, ratio, atol=1e-10)
    np.testing.assert_array_equal(fixed.alpha_s, 0.118)
    for number in range(3):
        own = channel == number
        events = drawn(running, u[own], 13, number)
        np.testing.assert_allclose(events.alpha_s, expected[own], rtol=1e-12)
        np.testing.assert_allclose(events.scale, pt[own] / 2, rtol=1e-12)


def test_helicities_of_swapped_beams():
    """A W takes a left-handed quark and a right-handed antiquark, whichever beam they are."""
    both = integrand("u d~ > mu+ vm", "d~ u > mu+ vm", beams={"energy": [100.0, 100.0]})
    assert both.n_channels == 1
    events = drawn(both, points(2, 200), key=9)
    for number, expected in enumerate(([-1, 1, 1, -1], [1, -1, 1, -1])):
        own = events.helicity[:, events.subprocess == number]
        assert own.shape[1] > 50
        np.testing.assert_array_equal(own, np.repeat(np.array(expected)[:, None], own.shape[1], 1))
        pdg = both.topologies[number].pdg
        assert pdg == ((2, -1, -13, 14), (-1, 2, -13, 14))[number]


def test_colour_flows():
    """g g > t t~: two flows, in proportion to the squares of their partial amplitudes."""
    target = integrand("g g > t t~")
    (topology,) = target.topologies
    assert len(topology.flows) == 2
    n, u = 4000, np.array([[0.3, 0.2]])
    events, again, other = (drawn(target, np.tile(u, (n, 1)), key) for key in (3, 3, 4))
    np.testing.assert_array_equal(events.flow, again.flow)
    assert np.any(events.flow != other.flow)
    # The squares of the partial amplitudes are as (p1.p3)^2 to (p2.p3)^2: the t carries the colour
    # of the gluon that it is closer to more often.
    products = invariants(by_event(events.momenta)[:1])[0, :2, 2]
    shares = products[::-1] ** 2 / (products**2).sum()
    frequencies = [
        np.mean([topology.flows[f][2][0] == topology.flows[f][gluon][0] for f in events.flow])
        for gluon in (0, 1)
    ]
    np.testing.assert_allclose(frequencies, shares, atol=4 * np.sqrt(0.25 / n))
    assert abs(shares[0] - 0.5) > 0.1


GLUON_SCATTERING = ("u g > u g", "g u > u g")


@pytest.mark.parametrize("processes", [GLUON_SCATTERING, GLUON_SCATTERING[::-1]])
def test_colour_flows_of_both_orders_of_the_beams(processes):
    """The outgoing quark has the colour of the incoming gluon with probability s^2/(s^2 + u^2), u
    = (p_quark - k_gluon)^2, else the gluons share it; as a function of the angle in the lab."""
    target = integrand(*processes, beams={"energy": [400.0, 100.0]}, cuts={"ptj": 40.0})
    assert target.n_channels == 1
    for topology in target.topologies:
        for flow in topology.flows:
            for pdg, (colour, anticolour) in zip(topology.pdg, flow, strict=True):
                assert colour > 0 and (anticolour > 0) == (pdg == 21)
    n, backwards = 2000, 0
    for u in ([0.15, 0.3], [0.5, 0.3], [0.85, 0.3]):
        events = drawn(target, np.tile(u, (n, 1)), key=4)
        for number, topology in enumerate(target.topologies):
            own = events.subprocess == number
            assert abs(np.mean(own) - 0.5) < 4 * np.sqrt(0.25 / n)
            momenta = by_event(events.momenta)[own][0]
            quark, gluon = topology.pdg.index(2), topology.pdg.index(21)
            assert {quark, gluon} == {0, 1} and topology.pdg[2:] == (2, 21)
            backwards += momenta[2, 3] < 0.0
            u_channel = invariants(momenta[None])[0, quark, 3] / invariants(momenta[None])[0, 0, 1]
            share = 1 / (1 + u_channel**2)
            exchanged = [
                topology.flows[f][2][0] == topology.flows[f][gluon][0] for f in events.flow[own]
            ]
            shared = [
                topology.flows[f][3][0] == topology.flows[f][gluon][0] for f in events.flow[own]
            ]
            np.testing.assert_array_equal(exchanged, np.logical_not(shared))
            tolerance = 4 * np.sqrt(share * (1 - share) / own.sum())
            assert abs(np.mean(exchanged) - share) < tolerance, (u, number)
    assert 0 < backwards < 6
