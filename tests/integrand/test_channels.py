"""Processes with several channels: weights, sums, events, whole runs."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fabgen
from fabgen import run as pipeline
from fabgen.build import build_integrand
from fabgen.card import card_from_table, card_of_process
from fabgen.errors import InputError
from fabgen.events.reader import read_lhe
from fabgen.surrogate.channel_weights import ChannelLayout

WW = "e+ e- > w+ w-"
PHOTONS = ("cuts.pta=20.0", "cuts.etaa=2.5")
ALL = ("beams.energy=[250.0, 250.0]", "channels.use=all")
PRIORS = ("flat", "densities", "invariants", "propagators", "diagrams")


@functools.cache
def integrand_of(process, *settings):
    return build_integrand(card_of_process(process, [*ALL, *settings]))


def of_channel(integrand, rows, channel):
    """Rows (channels of the widest component, events) -> that of each event's channel (events,)."""
    return ChannelLayout(integrand.component_of_channel).select(rows, channel)


def points(n, seed, margin=0.0):
    return np.random.default_rng(seed).uniform(margin, 1.0 - margin, (n, 2))


def estimates(*integrands, n=30_000):
    """Integrals and their errors, from as many points of every channel of each.

    One program for all of them: what they have in common is compiled and evaluated once.
    """

    @jax.jit
    def log_weights(u, channel):
        made = [(integrand, integrand.point(u, channel)) for integrand in integrands]
        return [
            (
                p.log_f + p.log_jacobian + of_channel(integrand, p.log_prior, channel),
                jnp.exp(p.log_prior).sum(axis=0),
            )
            for integrand, p in made
        ]

    k = integrands[0].n_channels
    channel = np.arange(n) % k
    for log_w, total in log_weights(points(n, seed=1), channel):
        np.testing.assert_allclose(total, 1.0, rtol=1e-12)
        w = np.exp(np.asarray(log_w))
        parts = [w[channel == i] for i in range(k)]
        yield sum(p.mean() for p in parts), np.sqrt(sum(p.var() / len(p) for p in parts))


def test_every_prior_gives_the_same_cross_section():
    """7.1960 pb (tests/data); photon and Z in s, a neutrino in t."""
    integrands = [integrand_of(WW, f"channels.prior={prior}") for prior in PRIORS]
    found = zip(PRIORS, integrands, estimates(*integrands), strict=True)
    for prior, integrand, (value, error) in found:
        assert (integrand.n_channels, integrand.n_features) == (2, 3), prior
        assert error < 0.05 * value, prior
        assert abs(value - 7.1960) < 4 * error, prior


def test_mirrored_channels_of_identical_particles():
    integrand = integrand_of("e+ e- > a a", *PHOTONS, "channels.prior=densities")
    assert (integrand.n_channels, integrand.representative_channel) == (2, (0, 0))
    [(value, error)] = estimates(integrand)
    one = integrand_of("e+ e- > a a", *PHOTONS, "channels.use=one")
    flat = np.exp(np.asarray(jax.jit(one.log_density)(points(200_000, seed=2))))
    assert error < 0.005 * value
    assert abs(value - flat.mean()) < 4 * np.hypot(error, flat.std() / np.sqrt(len(flat)))


def test_points_of_a_channel_have_the_masses_of_its_component():
    process = ["e+ e- > mu+ mu-", "e+ e- > ta+ ta-"]
    integrand = build_integrand(card_from_table({"process": process, "channels": {"use": "all"}}))
    assert integrand.n_channels == 2
    separate = [build_integrand(card_of_process(p, [])) for p in process]
    channel, u = np.array([0, 1, 1, 0, 1]), points(5, seed=0)

    @jax.jit
    def evaluated(u, channel, key):
        others = [other.log_density(u) for other in separate]
        drawn = integrand.draw(integrand.map(u, channel), key)
        return integrand.point(u, channel), drawn, others

    results = evaluated(u, channel, jax.random.key(3))
    point, drawn, others = jax.tree.map(np.asarray, results)
    mass = np.sqrt(np.maximum(point.momenta[2, 0] ** 2 - (point.momenta[2, 1:] ** 2).sum(0), 0.0))
    np.testing.assert_allclose(mass, 1.777 * channel, atol=1e-4)
    np.testing.assert_array_equal(point.log_prior, np.zeros((1, 5)))
    np.testing.assert_array_equal(point.subprocess, channel)
    for k, other in enumerate(others):
        log_f = (point.log_f + point.log_jacobian)[channel == k]
        np.testing.assert_allclose(log_f, other[channel == k], rtol=1e-12)
    np.testing.assert_array_equal(drawn.subprocess, channel)
    np.testing.assert_allclose(drawn.momenta, point.momenta, rtol=1e-12)


def test_components_of_several_channels():
    """The weights of a point are those of the channels of its component, -inf beyond; all together
    they give the sum of the cross sections. In f and its events every component is alone."""
    process = ["e+ e- > mu+ mu-", "e+ e- > w+ w-", "e+ e- > z h"]
    settings = {"beams": {"energy": [250.0, 250.0]}, "channels": {"use": "all"}}
    integrand = build_integrand(card_from_table({"process": process, **settings}))
    owner = np.array(integrand.component_of_channel)
    assert owner.tolist() == [0, 1, 1, 2]
    u, channel = points(40, seed=3), np.arange(40) % 4
    separate = [build_integrand(card_of_process(p, ALL)) for p in process]

    @jax.jit
    def evaluated(u, channel):
        point = integrand.point(u, channel)
        log_alpha = of_channel(integrand, point.log_prior, channel)
        alone = [
            own.point(u, jnp.clip(channel - integrand.component_of_channel.index(k), 0, last))
            for k, own in enumerate(separate)
            for last in [own.n_channels - 1]
        ]
        return point, log_alpha, alone

    point, log_alpha, alone = jax.tree.map(np.asarray, evaluated(u, channel))
    assert point.log_prior.shape == (2, 40)
    assert np.all(np.isneginf(point.log_prior[1, owner[channel] != 1]))
    assert np.all(np.isfinite(point.log_prior[:, owner[channel] == 1]))
    np.testing.assert_allclose(np.exp(point.log_prior).sum(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(point.subprocess, owner[channel])
    for number, own in enumerate(alone):
        mine = owner[channel] == number
        np.testing.assert_allclose(point.log_f[mine], own.log_f[mine], rtol=1e-12)
        np.testing.assert_allclose(point.log_jacobian[mine], own.log_jacobian[mine], rtol=1e-12)
        np.testing.assert_allclose(point.momenta[..., mine], own.momenta[..., mine], atol=1e-9)
        rows = own.log_prior.shape[0]
        np.testing.assert_allclose(point.log_prior[:rows, mine], own.log_prior[:, mine], rtol=1e-9)
    assert np.all(np.isfinite(log_alpha))
    [(value, error)] = estimates(integrand)
    [(muons, more)] = estimates(separate[0])
    expected = muons + 7.1960 + 0.0572069
    assert error < 0.05 * value
    assert abs(value - expected) < 4 * np.hypot(error, more)


def test_couplings_event_by_event_in_several_components():
    """Events are sorted by component inside: each keeps its own coupling."""
    integrand = build_integrand(
        card_from_table({"process": ["u u~ > t t~", "u u~ > b b~"], "channels": {"use": "all"}})
    )
    u, channel = points(12, seed=6), np.arange(12) % integrand.n_channels
    assert len(set(integrand.component_of_channel)) == 2
    strong = 0.1 * (1.0 + np.arange(12) / 12)

    @jax.jit
    def evaluated(u, channel, strong):
        plain = integrand.point(u, channel, {"aS": 0.1}).log_f
        return integrand.point(u, channel, {"aS": strong}).log_f - plain

    np.testing.assert_allclose(evaluated(u, channel, strong), 2 * np.log(strong / 0.1), rtol=1e-9)


def test_momenta_and_their_inverse_by_channel():
    integrand = integrand_of(WW)
    u, channel = points(20, seed=5, margin=0.05), np.arange(20) % 2

    @jax.jit
    def there_and_back(u, channel):
        momenta = [integrand.momenta(u, k) for k in range(2)]
        back = [integrand.unit_cube(p, k) for k, p in enumerate(momenta)]
        of_points = integrand.point(u, channel).momenta
        each = integrand.unit_cube(jnp.moveaxis(of_points, -1, 0), channel)
        return of_points, momenta, back, each

    of_points, momenta, back, each = jax.tree.map(np.asarray, there_and_back(u, channel))
    np.testing.assert_allclose(each, u, atol=1e-12)
    for k in range(2):
        mine = np.moveaxis(momenta[k][k::2], 0, -1)
        np.testing.assert_allclose(mine, of_points[..., k::2])
        np.testing.assert_allclose(back[k], u, atol=1e-12)
    with pytest.raises(InputError, match="no such channel"):
        integrand.momenta(u, channel=2)
    with pytest.raises(InputError, match="2 channels"):
        integrand.log_density(u)


def test_gradients_through_channel_weights():
    """In u against differences, outside of the cube finite.

    Of log(alpha_i f J_i) for the weights that need all amplitudes, of log(alpha_i) for the others:
    their f and J_i are the same.
    """
    diagrams, densities = (
        integrand_of(WW, f"channels.prior={prior}") for prior in ("diagrams", "densities")
    )
    channel = np.arange(10) % 2
    u = points(10, seed=7, margin=0.1)

    def log_f(u):
        point = diagrams.point(u, channel)
        log_alpha = of_channel(diagrams, point.log_prior, channel)
        log_f = point.log_f + point.log_jacobian + log_alpha
        return jnp.where(jnp.isfinite(log_f), log_f, 0.0)

    def log_alpha(u):
        return of_channel(densities, densities.point(u, channel).log_prior, channel)

    def with_gradient(function, u):
        value, pullback = jax.vjp(function, u)
        return value, *pullback(jnp.ones_like(value))

    both = jax.jit(lambda u: [with_gradient(function, u) for function in (log_f, log_alpha)])

    def at(u):
        """Values (2, points) and gradients (2, points, 2)."""
        return (np.array(parts) for parts in zip(*both(u), strict=True))

    _, gradients = at(u)
    for axis in range(2):
        step = 1e-6 * np.eye(2)[axis]
        (up, _), (down, _) = at(u + step), at(u - step)
        difference = (up - down) / 2e-6
        np.testing.assert_allclose(gradients[..., axis], difference, rtol=1e-5, atol=1e-6)
    assert np.all(np.any(np.abs(gradients) > 0.1, axis=(1, 2)))
    border = u.copy()
    border[:4], border[4] = [0.0, 1.0], 1.5
    _, gradients = at(border)
    assert np.all(np.isfinite(gradients))


def test_squares_of_single_diagrams():
    """Those of the process without the other boson; together with their interference |M|^2."""
    process = "e+ e- > mu+ mu-"
    from fabgen.amplitude.matrix_element import MatrixElement
    from fabgen.model import load_model
    from fabgen.process.graph import build_graph
    from fabgen.process.resonances import diagrams_of_closings
    from fabgen.process.subprocesses import find_subprocesses

    model = load_model("sm")
    _, (diagrams,) = find_subprocesses(model, [process])
    graph = build_graph(model, diagrams.tree, diagrams.qed, merge=False)
    element = MatrixElement(model, graph, diagrams.identical_factor)
    names = [d.total for d in diagrams_of_closings(model, graph, diagrams.tree)]
    assert sorted(names) == ["a", "z"]
    integrand = build_integrand(card_of_process(process, []))

    @jax.jit
    def evaluated(u):
        momenta = integrand.momenta(u)
        derived = model.derive(model.external)
        both = element.evaluate_diagrams(jnp.moveaxis(momenta, 0, -1), derived, np.eye(2))
        return momenta, *both

    batch, total, squares = evaluated(np.array([[0.3, 0.2], [0.9, 0.5]]))
    np.testing.assert_allclose(total, fabgen.matrix_element(process)(batch), rtol=1e-12)
    for name, square in zip(names, squares, strict=True):
        other = "z" if name == "a" else "a"
        np.testing.assert_allclose(
            square, fabgen.matrix_element(f"{process} / {other}")(batch), rtol=1e-12
        )


def test_from_card_to_events(tmp_path):
    settings = [
        *ALL,
        "surrogate.kind=vegas",
        "channels.prior=densities",
        "surrogate.vegas={iterations = 3, evaluations = 4000, bins = 16}",
        "evaluation.samples=20000",
        "generation={events = 400, format = 'lhe'}",
    ]
    report = pipeline.generate(card_of_process(WW, settings), tmp_path)
    assert report["cross_section_pb"] == pytest.approx(
        7.1960, abs=4 * report["cross_section_error_pb"]
    )
    assert report["cross_section_error_pb"] < 0.03 * 7.196
    assert report["sampling_efficiency"] > 0.9 > report["untrained"]["sampling_efficiency"] > 0.4
    channels = report["channels"]
    assert sum(c["integral"] for c in channels) == pytest.approx(report["integral"])
    assert sum(c["share"] for c in channels) == pytest.approx(1.0)
    assert sum(c["samples"] for c in channels) == 20_000
    largest = sum(c["max_weight"] for c in channels)
    assert report["unweighting_efficiency"] == pytest.approx(report["integral"] / largest)
    spent = report["target_evaluations"]
    assert spent["training"] > 10_000
    assert len(read_lhe(tmp_path / "events.lhe")) == 400
    assert json.loads((tmp_path / "report.json").read_text())["channels"] == channels


VEGAS = "iterations = 3, evaluations = 1000, warmup_iterations = 0, bins = 16"
FKLD = (
    *("training.method=fkld", "training.batch_size=200", "training.learning_rate=0.01"),
    *("training.fkld.epochs=6", "surrogate={layers = 2, bins = 6, hidden = [16]}"),
    *("evaluation.samples=20000", "generation.events=4000"),
)


@pytest.mark.parametrize("source", ["own", "grids", "file"])
def test_flows_of_all_channels_learn_from_events(tmp_path, monkeypatch, source):
    """Own events, or those of a run with one channel; in a folder below the working directory."""
    monkeypatch.chdir(tmp_path)
    settings = ["training.fkld.events=4000"]
    if source == "grids":
        monkeypatch.setattr("fabgen.run.sample.from_surrogate.SURVEY_POINTS", 1000)
        settings += [f"surrogate.vegas={{{VEGAS}}}"]
    if source == "file":
        one = ("channels.use=one", "surrogate.kind=vegas", "generation.events=4000")
        pipeline.generate(card_of_process(WW, [*ALL, *one]), Path("events"))
        settings = ["training.fkld.data=events/events.lhe.gz"]
    report = pipeline.generate(card_of_process(WW, [*ALL, *FKLD, *settings]), Path("run"))
    assert report["cross_section_pb"] == pytest.approx(
        7.1960, abs=4 * report["cross_section_error_pb"]
    )
    assert report["sampling_efficiency"] > 0.9 > report["untrained"]["sampling_efficiency"]
    told = report["training"]["sample"]
    assert (told["source"] == "VEGAS grids") == (source == "grids")
    assert told["used"] == told["events"] == 4000
    # The events of a channel are as many as its part of the cross section.
    drawn = stored_channels(Path("run"))
    for number, channel in enumerate(report["channels"]):
        part = channel["integral"] / report["integral"]
        assert abs(np.mean(drawn == number) - part) < 5 * np.sqrt(part / 4000)


def stored_channels(directory):
    """The channels of the sample of a run."""
    from fabgen.training.checkpoint import read, read_manifest

    folder, template = directory / "sample" / "1", {"channel": np.zeros(0, np.int32)}
    manifest = read_manifest(folder)
    return read(folder, manifest, template, subtree=True, match_shapes=False)["channel"]
