"""f(u) of amplitude models: LHCb's on the FAB paper's unit square, maps, parameters, events."""

from __future__ import annotations

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.amplitude.dalitz import read_amplitude_model
from fabgen.build import build_integrand
from fabgen.build.dalitz import dalitz_integrand
from fabgen.card import card_from_table, load_card
from fabgen.errors import InputError
from fabgen.events.reader import read_lhe
from fabgen.integrand.dalitz import DalitzIntegrand
from fabgen.run import generate

PROCESS = "Lambda_c+ > p K- pi+"


@pytest.fixture(autouse=True, scope="module")
def _fractions_once():
    """Maps along a resonance ask for the fit fractions: here once for every model."""
    original, known = DalitzIntegrand.fit_fractions, {}

    def fit_fractions(self, points=100):
        key = (self.model.name, *sorted(self.external.items()), points)
        if key not in known:
            known[key] = original(self, points)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DalitzIntegrand, "fit_fractions", fit_fractions)
        yield


def integrand(mapping: str = "dalitz", process: str = PROCESS):
    """The integrand of a card, made once, whether the defaults are spelled out or not."""
    return _built(mapping, process)


@functools.cache
def _built(mapping: str, process: str):
    table = {"process": process, "model": "lc2pkpi", "phase_space": {"mapping": mapping}}
    return build_integrand(card_from_table(table))


@functools.cache
def compiled(target, method: str = "log_density"):
    """A method of an integrand, compiled once for all tests: operation by operation is slower."""
    return jax.jit(getattr(target, method))


@functools.cache
def with_gradient(target):
    """u (n, 2) -> log f, d log f / du, and the parts of f as a Point."""

    def density(u):
        point = target.point(u)
        return point.log_f + point.log_jacobian, point

    def all_of_them(u):
        value, pullback, point = jax.vjp(density, u, has_aux=True)
        return value, pullback(jnp.ones_like(value))[0], point

    compiled_once = jax.jit(all_of_them)
    return lambda u: jax.tree.map(np.asarray, compiled_once(u))


#: Points per call, always as many: a program is compiled for one shape.
N = 2000


def points(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.01, 0.99, (N, 2))


def filled(u) -> np.ndarray:
    """Given points, and others behind them."""
    return np.concatenate([u, points()])[:N]


def invariants(momenta) -> np.ndarray:
    """Squared masses (n, 3) of the pairs of (n, 4, 4) without their first, second, third."""
    final = np.array(momenta)[:, 1:]
    pairs = final.sum(axis=1, keepdims=True) - final
    return pairs[..., 0] ** 2 - (pairs[..., 1:] ** 2).sum(axis=-1)


@pytest.fixture(scope="module")
def paper(pytestconfig) -> dict:
    path = pytestconfig.rootpath / "tests" / "data" / "lc2pkpi.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_unit_square_of_the_fab_paper(paper):
    square = paper["unit_square"]
    u = filled(square["u"])
    found = compiled(integrand())(u)[:24]
    np.testing.assert_allclose(found, np.log(square["f"]), atol=1e-11)
    momenta = compiled(integrand(), "momenta")(u)
    found = invariants(momenta)[:24]  # in the order p K- pi+
    np.testing.assert_allclose(found[:, 0], square["sigma1"], rtol=1e-12)
    np.testing.assert_allclose(found[:, 2], square["sigma2"], rtol=1e-12)
    np.testing.assert_allclose(compiled(integrand(), "unit_cube")(momenta), u, atol=1e-12)


@pytest.mark.parametrize(
    ("mapping", "n", "tolerance"), [("dalitz", 200, 1e-5), ("channels", 100, 1e-3)]
)
def test_integral(paper, mapping, n, tolerance):
    """By Gauss-Legendre quadrature; u[1] = sin^2 makes the square roots at its ends smooth."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    line, half = 0.5 * (nodes + 1), 0.5 * weights
    edge, slope = np.sin(np.pi / 2 * line) ** 2, np.pi / 2 * np.sin(np.pi * line)
    u = np.stack(np.meshgrid(line, edge, indexing="ij"), axis=-1).reshape(-1, 2)
    target = integrand(mapping)
    # The programs of the other tests, part by part.
    log_f = compiled(target) if mapping == "dalitz" else lambda u: with_gradient(target)(u)[0]
    f = np.exp(np.concatenate([log_f(part) for part in u.reshape(-1, N, 2)])).reshape(n, n)
    assert half @ f @ (half * slope) == pytest.approx(paper["integral"], rel=tolerance)


def test_what_it_says_about_itself():
    target = integrand(process="Lambda_c+ > K- pi+ P")
    assert (target.dim, target.n_channels, target.n_initial, target.unit) == (2, 1, 1, "none")
    assert target.beam_particles == (4122,)
    assert target.beam_energies == ()
    (topology,) = target.topologies
    assert topology.pdg == (4122, -321, 211, 2212)
    assert topology.masses == (2.28646, 0.493677, 0.13957018, 0.938272046)
    assert target.masses[321] == 0.493677
    assert target.widths[2212] == 0.0
    assert target.parameters["ML(1520)"] == 1.518467
    assert target.resonance == ()
    assert integrand("channels").resonance == ("MD(1232)", "GD(1232)")


def test_fit_fractions():
    """LHCb, arXiv:2208.03262: 28.60, 22.14, 9.58, 1.86 %."""
    fractions = integrand().fit_fractions()
    for name, percent in {"D(1232)": 28.60, "K(892)": 22.14, "L(2000)": 9.58}.items():
        assert 100 * fractions[name] == pytest.approx(percent, abs=0.1)
    assert 100 * fractions["L(1520)"] == pytest.approx(1.86, abs=0.05)


@pytest.mark.parametrize("mapping", ["dalitz", "channels"])
def test_gradients(mapping):
    target = integrand(mapping)
    u, step = points(), 1e-6
    gradient = with_gradient(target)(u)[1]
    for axis in (0, 1):
        shift = step * np.eye(2)[axis]
        change = with_gradient(target)(u + shift)[0] - with_gradient(target)(u - shift)[0]
        scale = 1 + np.abs(gradient[:, axis])
        np.testing.assert_array_less(np.abs(change / (2 * step) - gradient[:, axis]), 1e-4 * scale)


@pytest.mark.parametrize("mapping", ["dalitz", "channels"])
def test_the_border_and_beyond(mapping):
    tiny = 1e-12
    inside = [[0.0, 0.4], [1.0, 0.4], [tiny, 0.4], [0.5, tiny], [0.5, 1 - tiny], [1 - tiny, tiny]]
    corners = [[0.5, 0.0], [0.5, 1.0], [0.0, 0.0], [1.0, 1.0]]
    outside = [[-1e-9, 0.5], [0.5, 1.0 + 1e-9], [2.0, -1.0]]
    u = filled([*inside, *corners, *outside])
    log_f, gradient, _ = with_gradient(integrand(mapping))(u)
    assert np.all(np.isfinite(log_f[:6]))
    assert np.all(np.isneginf(log_f[10:13]))
    assert not np.any(np.isnan(log_f))
    assert np.all(np.isfinite(gradient))


def test_both_maps_describe_one_decay():
    square, channel = integrand(), integrand("channels")
    u = points()
    momenta = compiled(square, "momenta")(u)
    other = np.asarray(compiled(channel, "unit_cube")(momenta))
    first, second = with_gradient(square)(u)[2], with_gradient(channel)(other)[2]
    np.testing.assert_allclose(second.log_f, first.log_f, atol=1e-9)
    np.testing.assert_allclose(second.momenta, first.momenta, atol=1e-9)
    np.testing.assert_allclose(first.log_f + first.log_jacobian, compiled(square)(u), atol=1e-12)
    assert first.log_prior.shape == (1, N)
    assert first.subprocess.shape == first.alpha_s.shape == (N,)
    assert (first.features.shape, first.scales.shape) == ((0, N), (2, N))


def test_parameters_are_traced():
    """Masses, couplings, and the mass of the decaying particle, which moves the border."""
    target, u = integrand(), points()[:64]
    values = {"ML(1520)": 1.518467, "ArK(892)1": 1.0, "MLambda_c+": 2.28646}

    total = jax.jit(jax.value_and_grad(lambda changed: target.log_density(u, changed).sum()))
    value, derivative = total(values)
    log_f = np.asarray(compiled(target)(points()))[:64]
    assert float(value) == pytest.approx(log_f.sum(), rel=1e-12)
    for name, value in values.items():
        step = 1e-6
        up, down = (float(total({**values, name: value + s})[0]) for s in (step, -step))
        assert float(derivative[name]) == pytest.approx((up - down) / (2 * step), rel=1e-4)
    with pytest.raises(InputError, match="MT"):
        target.log_density(u, {"MT": 173.0})


def test_shapes():
    with pytest.raises(InputError, match="shape"):
        integrand().log_density(np.zeros((3, 4)))
    u = points()[:6].reshape(2, 3, 2)
    target = integrand()
    assert jax.eval_shape(target.log_density, u).shape == (2, 3)
    assert jax.eval_shape(target.log_density, u[0, 0]).shape == ()
    assert jax.eval_shape(target.momenta, u).shape == (2, 3, 4, 4)
    assert jax.eval_shape(target.unit_cube, np.zeros((2, 3, 4, 4))).shape == (2, 3, 2)


def test_events():
    target, u = integrand(), points()
    draw = jax.jit(lambda u, key: target.draw(target.map(u), key))
    events = draw(u, jax.random.key(1))
    momenta = np.moveaxis(np.array(events.momenta), -1, 0)
    assert momenta.shape == (N, 4, 4)
    np.testing.assert_allclose(momenta[:, 1:].sum(axis=1), momenta[:, 0], atol=1e-14)
    masses = np.array(target.topologies[0].masses)
    squares = momenta[..., 0] ** 2 - (momenta[..., 1:] ** 2).sum(axis=-1)
    np.testing.assert_allclose(squares, np.broadcast_to(masses**2, squares.shape), atol=1e-13)
    np.testing.assert_allclose(compiled(target, "unit_cube")(momenta), u, atol=1e-9)
    # the orientation is drawn
    directions = momenta[:, 1, 1:] / np.linalg.norm(momenta[:, 1, 1:], axis=1, keepdims=True)
    np.testing.assert_allclose(directions.mean(axis=0), 0.0, atol=0.05)
    assert set(np.array(events.scale)) == {-1.0}
    assert set(np.ravel(events.helicity)) == {9}
    again = draw(u, jax.random.key(1)).momenta
    np.testing.assert_array_equal(again, events.momenta)


def test_from_card_to_events(cards, tmp_path):
    settings = (
        "surrogate={layers = 1, bins = 4, hidden = [8]}",
        "training={method = 'rkld', steps = 2, batch_size = 32}",
        "evaluation.samples=1000",
        "generation={events = 50, format = 'lhe'}",
    )
    report = generate(load_card(cards / "lc2pkpi.toml", settings), tmp_path)
    assert (report["unit"], report["model"]) == ("none", "lc2pkpi")
    assert report["cross_section_pb"] is None
    assert report["integral"] == pytest.approx(8923.5, abs=5 * report["integral_error"])
    assert 0.5 < report["untrained"]["sampling_efficiency"] < 0.8
    events = read_lhe(tmp_path / "events.lhe")
    assert len(events) == 50
    assert (events.beams, events.energies) == ((4122, 0), (2.28646, 0.0))
    assert events.cross_section == pytest.approx(report["integral"], rel=1e-12)
    assert "unit: none" in (tmp_path / "events.lhe").read_text()
    np.testing.assert_array_equal(events.pdg[0], [4122, 2212, -321, 211])
    u = compiled(integrand(), "unit_cube")(np.resize(events.momenta, (N, 4, 4)))[:50]
    assert np.all((u > 0) & (u < 1))


@pytest.mark.parametrize("name", ["three_scalars", "spin_one"])
def test_another_model_is_another_file(pytestconfig, name):
    """Spins, particles, line shapes and couplings all come from the file."""
    folder = pytestconfig.rootpath / "tests" / "data" / "amplitude_models"
    model = read_amplitude_model(folder / f"{name}.toml")
    square = dalitz_integrand(model, model.external, "dalitz")
    channel = dalitz_integrand(model, model.external, "channels", (3, 1, 2))
    u = points()
    log_f, gradient, first = with_gradient(square)(u)
    assert np.all(np.isfinite(log_f))
    assert np.all(np.isfinite(gradient))
    turned = np.asarray(compiled(square, "momenta")(u))[:, [0, 3, 1, 2]]
    other = compiled(channel, "unit_cube")(turned)
    second = compiled(channel, "point")(other)
    np.testing.assert_allclose(second.log_f, first.log_f, atol=1e-7)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"process": "Lambda_c+ > p K- pi-"}, "process"),
        ({"process": "Lambda_c+ > p K-"}, "process"),
        ({"process": "Lambda_c+ > p K- K-"}, "process"),
        ({"process": "p > p K- pi+"}, "process"),
        ({"process": [PROCESS, PROCESS]}, "process"),
        ({"process": f"{PROCESS} QED=2"}, "process"),
        ({"parameters": {"MT": 173.0}}, "parameters.MT"),
        ({"parameters": {"ML(1520)": 3.0}}, "parameters.ML(1520)"),
        ({"parameters": {"ML(1520)": 1.4}}, "parameters.ML(1520)"),
        ({"parameters": {"GK(892)": 0.0}}, "parameters.GK(892)"),
        ({"parameters": {"Mp": -1.0}}, "parameters.Mp"),
        ({"parameters": {"Mp": 2.0}}, "parameters.MLambda_c+"),
    ],
)
def test_what_is_refused(table, key):
    with pytest.raises(InputError) as caught:
        build_integrand(card_from_table({"process": PROCESS, "model": "lc2pkpi", **table}))
    assert caught.value.key == key
    assert caught.value.found
    assert caught.value.allowed
