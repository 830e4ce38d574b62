"""Processes with several channels: weights, sums, events, whole runs."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fabgen
from fabgen import run as pipeline
from fabgen.build import build_integrand
from fabgen.card import card_of_process
from fabgen.errors import InputError
from fabgen.events.reader import read_lhe
from fabgen.surrogate.multichannel import own

WW = "e+ e- > w+ w-"
PHOTONS = ("cuts.pta=20.0", "cuts.etaa=2.5")
ALL = ("beams.energy=[250.0, 250.0]", "channels.use=all")
PRIORS = ("flat", "densities", "propagators", "diagrams")


def integrand_of(process, *settings):
    return build_integrand(card_of_process(process, [*ALL, *settings]))


def estimate(integrand, n=30_000):
    """Integral and error from as many points of every channel."""
    k = integrand.n_channels
    channel = jnp.arange(n) % k
    u = jax.random.uniform(jax.random.key(1), (n, integrand.dim))

    @jax.jit
    def log_weights(u, channel):
        point = integrand.point(u, channel)
        total = jnp.exp(point.log_prior).sum(axis=0)
        return point.log_f + point.log_jacobian + own(point.log_prior, channel), total

    log_w, total = map(np.asarray, log_weights(u, channel))
    np.testing.assert_allclose(total, 1.0, rtol=1e-12)
    w, channel = np.exp(log_w), np.asarray(channel)
    parts = [w[channel == i] for i in range(k)]
    return sum(p.mean() for p in parts), np.sqrt(sum(p.var() / len(p) for p in parts))


@pytest.mark.parametrize("prior", PRIORS)
def test_every_prior_gives_the_same_cross_section(prior):
    """7.1960 pb (tests/data); photon and Z in s, a neutrino in t."""
    integrand = integrand_of(WW, f"channels.prior={prior}")
    assert (integrand.n_channels, integrand.n_features) == (2, 3)
    value, error = estimate(integrand)
    assert error < 0.05 * value
    assert abs(value - 7.1960) < 4 * error


def test_mirrored_channels_of_identical_particles():
    integrand = integrand_of("e+ e- > a a", *PHOTONS, "channels.prior=densities")
    assert (integrand.n_channels, integrand.mirrors) == (2, (0, 0))
    value, error = estimate(integrand)
    one = integrand_of("e+ e- > a a", *PHOTONS, "channels.use=one")
    u = jax.random.uniform(jax.random.key(2), (200_000, 2))
    flat = np.exp(jax.jit(one.log_density)(u))
    assert error < 0.005 * value
    assert abs(value - flat.mean()) < 4 * np.hypot(error, flat.std() / np.sqrt(len(flat)))


def test_points_of_a_channel_have_the_masses_of_its_component():
    process = ["e+ e- > mu+ mu-", "e+ e- > ta+ ta-"]
    integrand = build_integrand(
        fabgen.card.card_from_table({"process": process, "channels": {"use": "all"}})
    )
    assert integrand.n_channels == 2
    channel = jnp.asarray([0, 1, 1, 0, 1])
    u = jax.random.uniform(jax.random.key(0), (5, 2))
    point = jax.jit(integrand.point)(u, channel)
    mass = np.sqrt(np.maximum(point.momenta[2, 0] ** 2 - (point.momenta[2, 1:] ** 2).sum(0), 0.0))
    np.testing.assert_allclose(mass, 1.777 * np.asarray(channel), atol=1e-4)
    np.testing.assert_allclose(np.exp(own(point.log_prior, channel)), 1.0)
    assert np.all(np.isneginf(own(point.log_prior, 1 - channel)))
    shares = np.exp(point.subprocess)
    np.testing.assert_allclose(shares, [channel == 0, channel == 1], atol=1e-12)
    separate = [build_integrand(card_of_process(p, [])) for p in process]
    for k, other in enumerate(separate):
        mine = np.asarray(channel) == k
        log_f = (point.log_f + point.log_jacobian)[mine]
        np.testing.assert_allclose(log_f, jax.jit(other.log_density)(u[mine]), rtol=1e-12)
    drawn = jax.jit(integrand.draw_events)(u, jax.random.key(3), channel)
    np.testing.assert_array_equal(drawn["topology"], channel)
    np.testing.assert_allclose(jnp.moveaxis(drawn["momenta"], 0, -1), point.momenta, rtol=1e-12)


def test_momenta_and_their_inverse_by_channel():
    integrand = integrand_of(WW)
    u = jax.random.uniform(jax.random.key(5), (20, 2), minval=0.05, maxval=0.95)
    channel = jnp.arange(20) % 2
    point = jax.jit(integrand.point)(u, channel)
    for k in range(2):
        momenta = jax.jit(integrand.momenta, static_argnums=1)(u[k::2], k)
        np.testing.assert_allclose(jnp.moveaxis(momenta, 0, -1), point.momenta[..., k::2])
        back = jax.jit(integrand.unit_cube, static_argnums=1)(momenta, k)
        np.testing.assert_allclose(back, u[k::2], atol=1e-12)
    with pytest.raises(InputError, match="no such channel"):
        integrand.momenta(u, channel=2)
    with pytest.raises(InputError, match="2 channels"):
        integrand.log_density(u)


@pytest.mark.parametrize("prior", ["densities", "diagrams"])
def test_gradients_through_channel_weights(prior):
    """Of log(alpha_i f J_i) in u against differences, outside of the cube finite."""
    integrand = integrand_of(WW, f"channels.prior={prior}")
    channel = jnp.arange(10) % 2
    u = jax.random.uniform(jax.random.key(7), (10, 2), minval=0.1, maxval=0.9)

    @jax.jit
    def with_gradient(u):
        def log_f(u):
            point = integrand.point(u, channel)
            log_f = point.log_f + point.log_jacobian + own(point.log_prior, channel)
            return jnp.where(jnp.isfinite(log_f), log_f, 0.0)

        value, pullback = jax.vjp(log_f, u)
        return value, pullback(jnp.ones_like(value))[0]

    gradient = with_gradient(u)[1]
    for axis in range(2):
        step = 1e-6 * jnp.eye(2)[axis]
        difference = (with_gradient(u + step)[0] - with_gradient(u - step)[0]) / 2e-6
        np.testing.assert_allclose(gradient[:, axis], difference, rtol=1e-5, atol=1e-6)
    border = u.at[:4].set(jnp.asarray([0.0, 1.0])).at[4].set(1.5)
    assert np.all(np.isfinite(with_gradient(border)[1]))


def test_squares_of_single_diagrams():
    """Those of the process without the other boson; together with their interference |M|^2."""
    process = "e+ e- > mu+ mu-"
    card = card_of_process(process, [])
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
    momenta = jnp.moveaxis(
        build_integrand(card).momenta(jnp.asarray([[0.3, 0.2], [0.9, 0.5]])), 0, -1
    )
    total, squares = element.evaluate_diagrams(momenta, model.derive(model.external), np.eye(2))
    batch = jnp.moveaxis(momenta, -1, 0)
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


def test_what_several_channels_do_not_have_yet(tmp_path):
    card = card_of_process(WW, [*ALL, "training.method=fkld"])
    with pytest.raises(InputError, match="not available yet") as caught:
        pipeline.train(card, tmp_path / "run")
    assert caught.value.key == "training.method"
    assert not (tmp_path / "run").exists()
