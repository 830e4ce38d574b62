"""The losses of MadNIS: unbiased gradients, strata, buffer, learned weights and densities."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import FabOptions, MadnisOptions, TrainingOptions, card_from_table
from fabgen.integrand.density import DensityIntegrand
from fabgen.surrogate import ChannelWeights, Flow, MultiChannel, Uniform
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.training import Checkpointer, train
from fabgen.training.counters import EvaluationStats
from fabgen.training.objectives.fab import Fab
from fabgen.training.objectives.kl import WeightedKl
from fabgen.training.objectives.madnis import MadnisBatch, Points
from fabgen.training.objectives.variance import Variance
from fabgen.training.pretraining import Pretrained
from fabgen.training.stratification import (
    Statistics,
    allot,
    channels_of,
    observe,
    shares,
    without,
)

TWO = (0, 1)
#: Of one component.
LAYOUT = ChannelLayout((0, 0))


class TwoPowers(DensityIntegrand):
    """f = 0.3 x 2 x + 0.7 x 3 x^2 on [0, 1] in two flat channels, prior alpha = x and 1 - x."""

    dim = 1
    component_of_channel = (0, 0)
    n_features = 1

    def log_density(self, u):
        x = u[:, 0]
        return jnp.log(0.6 * x + 2.1 * x**2)

    def evaluate(self, points, parameters=None):
        x = points.final[0]
        log_prior = jnp.log(jnp.stack([x, 1.0 - x]))
        return self.at(points, self.log_density(points.final.T), log_prior, points.final)


class Unequal(TwoPowers):
    """The second channel is small, and the only one of its component if there are two."""

    def __init__(self, owners):
        self.component_of_channel = owners

    def evaluate(self, points, parameters=None):
        point = super().evaluate(points)
        same = self.component_of_channel[0] == self.component_of_channel[1]
        small = jnp.where(points.channel == 1, jnp.log(0.01), 0.0)
        return point._replace(
            log_f=point.log_f + small,
            log_prior=point.log_prior if same else jnp.zeros((1, small.shape[0])),
        )


class Powers(Uniform):
    """q = a u^(a-1), parameter a."""

    def init(self, key):
        return jnp.asarray(1.0)

    def log_prob(self, a, u):
        return jnp.log(a) + (a - 1.0) * jnp.log(u[:, 0])


@dataclasses.dataclass(frozen=True)
class TwoChannels(MultiChannel):
    """Channels of `Powers`: everything else is that of MultiChannel."""

    def sample_and_log_prob(self, params, key, channel):
        a = params.density[channel]
        u = jax.random.uniform(key, (channel.shape[0], 1), minval=1e-12) ** (1.0 / a[:, None])
        return u, self.log_prob(params, u, channel)

    def log_prob(self, params, u, channel):
        return jax.vmap(lambda a, u: Powers(1).log_prob(a, u[None])[0])(params.density[channel], u)


SURROGATE = TwoChannels(Powers(1), LAYOUT, TWO, weights=ChannelWeights(2, 1, (3,), "float64"))


@pytest.fixture(scope="module")
def params():
    start = jax.jit(SURROGATE.init)(jax.random.key(3))
    *hidden, last = jax.tree.map(np.asarray, start.weights)
    moved = last._replace(weight=last.weight + 0.3, bias=last.bias + np.asarray([[0.2], [-0.4]]))
    return start._replace(density=np.asarray([1.5, 2.5]), weights=(*hidden, moved))


def exact_terms(params, points=5_000):
    """Per channel: integral of p, of p^2/q, and of p (log p - log q), by midpoints."""
    u = ((jnp.arange(points) + 0.5) / points)[:, None]
    found = []
    for channel in TWO:
        here = jnp.full(points, channel)
        point = TwoPowers().point(u, here)
        log_alpha = SURROGATE.log_alpha(params, point.log_prior, point.features, channel)
        log_p, log_q = point.log_f + log_alpha, SURROGATE.log_prob(params, u, here)
        p = jnp.exp(log_p)
        found.append((p.mean(), jnp.exp(2 * log_p - log_q).mean(), (p * (log_p - log_q)).mean()))
    return jnp.asarray(found).T


def exact_variance(params, total, sigma):
    first, second, _ = exact_terms(params)
    return jnp.sum(jnp.sum(sigma) / sigma * (second - first**2)) / total**2


def exact_kl(params, total, integrals):
    first, _, cross = exact_terms(params)
    return jnp.sum(cross - first * jnp.log(integrals)) / total


STATISTICS = Statistics(
    jnp.asarray(0.0), jnp.asarray([0.6, 0.3]), jnp.asarray([0.9, 0.4]), jnp.asarray(1.0)
)


@pytest.mark.parametrize("method", ["variance", "kl"])
def test_gradients_are_those_of_the_integrals(toys, params, method):
    """Samples of the present densities or of older ones, unequal numbers in the two channels.

    The running statistics are constants of the loss, so it need not be the minimum to be tested.
    """
    objective = {"variance": Variance, "kl": WeightedKl}[method](
        TwoPowers(), SURROGATE, toys.options()
    )
    counts, n = np.asarray([45, 19]), 64
    total, sigma = 0.9, STATISTICS.deviations
    exact = {
        "variance": lambda p: exact_variance(p, total, sigma),
        "kl": lambda p: exact_kl(p, total, STATISTICS.integrals),
    }[method]

    def flat(slope):
        return jax.flatten_util.ravel_pytree((slope.density, slope.weights))[0]

    @jax.jit
    def gradients(params, old, keys):
        channel = channels_of(jnp.asarray(counts), n)

        def gradient(key):
            u, log_q = SURROGATE.sample_and_log_prob(params._replace(density=old), key, channel)
            values = TwoPowers().point(u, channel)
            points = Points(u, channel, values.log_f, log_q, values.log_prior, values.features)

            def loss(params):
                return objective.loss(
                    params, MadnisBatch(points, STATISTICS), EvaluationStats.zero()
                )[0]

            return flat(jax.grad(loss)(params))

        return jax.vmap(gradient)(keys), flat(jax.grad(exact)(params))

    keys = jax.random.split(jax.random.key(0), 4000)
    for old in (1.5, 2.5), (1.2, 1.9):
        found, expected = map(np.asarray, gradients(params, np.asarray(old), keys))
        mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
        assert np.max(np.abs(expected)) > 0.1
        assert np.all(np.abs(mean - expected) < 4.5 * error + 1e-4), (old, mean, expected, error)


def exact_fab(params, old):
    """sum_i (S/S_i) int p_i^2/q_i over S^2, with the S_i^2 = int p_i^2/q_i of the old densities.

    Its gradient where they are the present ones is that of (sum S_i)^2 over S^2.
    """
    _, second, _ = exact_terms(params)
    sizes = jnp.sqrt(exact_terms(params._replace(density=jnp.asarray(old)))[1])
    sizes = jax.lax.stop_gradient(sizes)
    return jnp.sum(second / sizes) / jnp.sum(sizes)


def fab_gradients(toys, params, old, *, even, keys):
    """Gradients (n, n_params) of single batches, from a buffer of points of older densities."""
    fab = {"intermediate": 0, "even_draws": even, "buffer_batches": 40}
    options = toys.options(method="fab", batch_size=2048, fab=fab)
    objective = Fab(TwoPowers(), SURROGATE, options)
    params = jax.tree.map(jnp.asarray, params)

    def gradient(key):
        def observe_one(memory, key):
            drawn_with = params._replace(density=jnp.asarray(old))
            return objective.observe(drawn_with, memory, EvaluationStats.zero(), key)[0], None

        fill_key, draw_key = jax.random.split(key)
        memory, _ = jax.lax.scan(observe_one, objective.init(), jax.random.split(fill_key, 40))
        batch = objective.batch(memory, draw_key)
        slope = jax.grad(lambda p: objective.loss(p, batch, EvaluationStats.zero())[0])(params)
        return jax.flatten_util.ravel_pytree((slope.density, slope.weights))[0]

    return np.asarray(jax.jit(lambda keys: jax.lax.map(gradient, keys))(keys))


@pytest.mark.parametrize("even", [0.0, 0.5])
def test_fab_of_several_channels_follows_the_square_of_the_sum_of_roots(toys, params, even):
    old, keys = [1.4, 2.2], jax.random.split(jax.random.key(4), 16)
    found = fab_gradients(toys, params, old, even=even, keys=keys)
    slope = jax.jit(jax.grad(exact_fab))(jax.tree.map(jnp.asarray, params), old)
    exact = np.asarray(jax.flatten_util.ravel_pytree((slope.density, slope.weights))[0])
    mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
    assert np.max(np.abs(exact)) > 0.1
    # The sizes S_i are those of the points in the buffer.
    assert np.all(np.abs(mean - exact) < 4.5 * error + 0.01 * np.max(np.abs(exact))), (mean, exact)


def test_no_batch_of_fab_moves_perfect_channels(toys, params):
    """alpha = 1/2 for both: x and x^2 of f are no products, so f is that of one power here."""

    class OnePower(TwoPowers):
        def log_density(self, u):
            return jnp.log(3.0 * u[:, 0] ** 2)

        def evaluate(self, points, parameters=None):
            point = super().evaluate(points)
            return point._replace(log_prior=jnp.full_like(point.log_prior, jnp.log(0.5)))

    flat = SURROGATE.init(jax.random.key(0))._replace(density=jnp.asarray([3.0, 3.0]))
    for even, most in ((0.0, np.inf), (0.5, 1e-9)):
        options = toys.options(
            method="fab", fab={"intermediate": 0, "even_draws": even, "weight_clip": 1e9}
        )
        objective = Fab(OnePower(), SURROGATE, options)

        @jax.jit
        def slope(key, objective=objective):
            memory, _ = objective.observe(flat, objective.init(), EvaluationStats.zero(), key)
            batch = objective.batch(memory, key)
            slope = jax.grad(lambda p: objective.loss(p, batch, EvaluationStats.zero())[0])(flat)
            return jax.flatten_util.ravel_pytree((slope.density, slope.weights))[0]

        largest = np.max(np.abs(slope(jax.random.key(1))))
        assert largest > 1e-3 or even > 0.0
        assert largest < most


def test_the_running_figures_of_a_batch_are_those_of_the_others(toys, params):
    """The batch under the gradient would shrink it: what is large is divided by itself."""
    madnis = MadnisOptions(buffer_gain=3, buffer_batches=3, stratified=True)
    objective = Variance(TwoPowers(), SURROGATE, toys.options(method="variance", madnis=madnis))

    def observe_one(memory, key):
        memory, _ = objective.observe(params, memory, EvaluationStats.zero(), key)
        place = (memory.ring.cursor - 1) % 3
        return memory, jax.tree.map(lambda leaf: leaf[place], memory.ring.points)

    params = jax.tree.map(jnp.asarray, params)

    @jax.jit
    def after_five(key):
        memory, seen = jax.lax.scan(observe_one, objective.init(), jax.random.split(key, 5))
        turns = jnp.arange(30) % 3
        draws = jax.vmap(
            lambda turn, key: objective.batch(memory._replace(turn=turn), key),
        )(turns, jax.random.split(key, 30))
        return memory, seen, draws

    memory, seen, draws = jax.tree.map(np.asarray, after_five(jax.random.key(0)))
    scale = np.exp(memory.statistics.log_scale)
    ages = set()
    for turn, u, statistics in zip(
        np.arange(30) % 3, draws.points.u, zip(*draws.statistics, strict=True), strict=True
    ):
        (own,) = np.flatnonzero([np.array_equal(u, other) for other in seen.u])
        first, second, weights = np.zeros(2), np.zeros(2), 0.0
        for step in set(range(5)) - {own}:
            points = jax.tree.map(lambda leaf, step=step: jnp.asarray(leaf[step]), seen)
            log_alpha = SURROGATE.log_alpha(
                params, points.log_prior, points.features, points.channel
            )
            log_p = points.log_f + np.asarray(log_alpha)
            w = np.exp(log_p - points.log_q) / scale
            fade = 0.95 ** (4 - step)
            first += [fade * w[points.channel == i].mean() for i in TWO]
            second += [fade * (w[points.channel == i] ** 2).mean() for i in TWO]
            weights += fade
        _, *found = statistics
        np.testing.assert_allclose(found[0], first, rtol=1e-10)
        np.testing.assert_allclose(found[1], second, rtol=1e-10)
        np.testing.assert_allclose(found[2], weights, rtol=1e-10)
        assert turn > 0 or own == 4
        ages.add(own)
    assert ages == {2, 3, 4}


def test_a_single_batch_speaks_for_itself():
    statistics, part = observe(Statistics.empty(2), jnp.zeros(4), jnp.asarray([0, 0, 1, 1]))
    for found, whole in zip(without(statistics, part), statistics, strict=True):
        np.testing.assert_array_equal(found, whole)


def test_points_follow_the_deviations_with_a_floor():
    active = np.asarray([1.0, 1.0, 0.0, 1.0])
    log_w = np.log([0.5, 1.5, 1.0, 1.0, 3.0, 5.0])
    channel = np.asarray([0, 0, 1, 1, 3, 3])

    @jax.jit
    def everything(active):
        nothing = statistics = Statistics.empty(4)
        for _ in range(3):
            statistics, _ = observe(statistics, jnp.asarray(log_w), jnp.asarray(channel))
        p = shares(statistics, active, 0.3, True)
        counts = allot(p, active, 100)
        flat = shares(statistics, active, 0.3, False), shares(nothing, active, 0.3, True)
        return statistics, p, flat, counts, channels_of(counts, 100)

    statistics, p, flat, counts, allotted = jax.tree.map(np.asarray, everything(active))
    scale = np.exp(statistics.log_scale)
    np.testing.assert_allclose(scale * statistics.integrals, [1.0, 1.0, 0.0, 4.0], rtol=1e-12)
    np.testing.assert_allclose(scale * statistics.deviations, [0.5, 0.0, 0.0, 1.0], atol=1e-7)
    np.testing.assert_allclose(p, [0.1 + 0.7 / 3, 0.1, 0.0, 0.1 + 1.4 / 3], atol=1e-7)
    for equal in flat:
        np.testing.assert_allclose(equal, active / 3)
    assert counts.sum() == 100
    np.testing.assert_allclose(counts, 2 * active + 94 * p, atol=1.0)
    np.testing.assert_array_equal(np.bincount(allotted, minlength=4), counts)


def options(**changes):
    madnis = MadnisOptions(**changes.pop("madnis", {}))
    changes |= {"fab": FabOptions(buffer_batches=20, buffer_minimum=2)}
    values = {"steps": 150, "batch_size": 128, "learning_rate": 0.02, "log_every": 50}
    return TrainingOptions(**(values | changes), madnis=madnis)


@pytest.fixture(scope="module")
def camel():
    return build_integrand(
        card_from_table({"process": "toy:camel-back", "channels": {"prior": "flat"}})
    )


LEARNED = MultiChannel(Uniform(1), LAYOUT, TWO, weights=ChannelWeights(2, 1, (16, 16)))


def with_buffer():
    madnis = {"buffer_gain": 3.0, "buffer_batches": 5}
    return options(method="variance", checkpoint_every=50, madnis=madnis)


@pytest.fixture(scope="module")
def learned(camel):
    return train(camel, LEARNED, with_buffer())


def test_weights_are_learned_from_a_flat_prior(camel, learned):
    """From 5.37 (flat) to close to 0.743 (g_i / sum g), which a network may even beat."""

    @jax.jit
    def error(params):
        """sum_i sigma_i / I without flows, by quadrature."""
        u = ((jnp.arange(40_000) + 0.5) / 40_000)[:, None]
        sigma = total = 0.0
        for channel in TWO:
            point = camel.point(u, channel)
            log_alpha = LEARNED.log_alpha(params, point.log_prior, point.features, channel)
            w = jnp.exp(point.log_f + point.log_jacobian + log_alpha)
            sigma, total = sigma + jnp.std(w), total + jnp.mean(w)
        return sigma / total

    # a network of zeros leaves the prior as it is
    start = jax.tree.map(np.zeros_like, learned.params.weights)
    assert error(learned.params._replace(weights=start)) > 5.0
    assert error(learned.params) < 0.8
    counters = learned.counters
    assert counters["target_evaluations"] == 150 * 128
    assert counters["gradient_evaluations"] == 0


def test_resumed_with_a_buffer_is_unbroken(camel, learned, tmp_path):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.step >= 80:
            raise Stop

    store = Checkpointer(tmp_path)
    with pytest.raises(Stop):
        train(camel, LEARNED, with_buffer(), checkpointer=store, on_progress=stop)
    assert store.resume_step == 50
    resumed = train(camel, LEARNED, with_buffer(), checkpointer=store)
    jax.tree.map(np.testing.assert_array_equal, learned.state, resumed.state)


@pytest.mark.parametrize(("method", "conditioned"), [("variance", False), ("kl", True)])
def test_flows_and_weights_together(camel, method, conditioned):
    flow = Flow(1, layers=1, bins=8, hidden=(8,), n_context=2 if conditioned else 0)
    surrogate = MultiChannel(
        flow, LAYOUT, TWO, conditioned=conditioned, weights=ChannelWeights(2, 1, (16,))
    )
    near = dataclasses.replace(camel, prior="densities")
    result = train(near, surrogate, options(method=method))
    assert result.history[0].eps < result.history[-1].eps
    assert result.history[-1].eps > 0.92
    np.testing.assert_array_equal(result.params.factors, 1.0)  # not what is trained


@pytest.mark.parametrize("method", ["variance", "fab"])
def test_small_channels_are_dropped_and_the_integral_stays(camel, method):
    """The left channel holds 35 %: dropped below 40 %, its weight goes to the right one."""
    surrogate = MultiChannel(Uniform(1), LAYOUT, TWO, drop_below=0.4)
    prior = dataclasses.replace(camel, prior="densities")
    result = train(prior, surrogate, options(method=method, steps=20))
    np.testing.assert_array_equal(result.params.factors, [0.0, 1.0])
    if method == "fab":  # the points of the dropped one go out of the buffer as they are drawn
        entries = result.state.memory.buffer.entries
        assert np.all(np.asarray(entries.channel)[-128:] == 1)
    told = jnp.asarray([[0.0], [-np.inf]]), jnp.zeros((0, 1))
    log_alpha = np.asarray(jax.jit(surrogate.log_alphas)(result.params, *told, 0))
    np.testing.assert_array_equal(log_alpha[:, 0], [-np.inf, 0.0])


@pytest.mark.parametrize("method", ["variance", "fab"])
@pytest.mark.parametrize(("owners", "factors"), [((0, 0), [1.0, 0.0]), ((0, 1), [1.0, 1.0])])
def test_no_component_loses_its_last_channel(method, owners, factors):
    surrogate = MultiChannel(Uniform(1), ChannelLayout(owners), TWO, drop_below=0.4)
    result = train(Unequal(owners), surrogate, options(method=method, steps=20))
    np.testing.assert_array_equal(result.params.factors, factors)


def test_a_training_starts_from_grids(camel):
    surrogate = MultiChannel(Flow(1, bins=4, hidden=(4,)), LAYOUT, TWO, grid_bins=4)
    grid = np.asarray([[[0.0, 0.1, 0.3, 0.6, 1.0]], [[0.0, 0.4, 0.5, 0.6, 1.0]]])
    objective = Variance(
        camel,
        surrogate,
        options(),
        Pretrained(jnp.asarray(grid), jnp.asarray([1.0, 0.3]), 500, 20, 1),
    )
    assert objective.counters().target_evaluations == 500
    assert objective.counters().zero_values == 20
    channel = np.asarray([0, 1, 1, 0])

    @jax.jit
    def both_ways(key, channel):
        start = objective.start(surrogate.init(key))
        u, log_q = surrogate.sample_and_log_prob(start, key, channel)
        # alike before, so that the ratio of both weights is that of the factors
        log_alpha = surrogate.log_alphas(start, jnp.zeros((2, 1)), jnp.zeros((1, 1)), 0)
        return start.grid, log_alpha, u, log_q, surrogate.log_prob(start, u, channel)

    found, log_alpha, u, log_q, log_prob = map(np.asarray, both_ways(jax.random.key(1), channel))
    np.testing.assert_array_equal(found, grid)
    np.testing.assert_allclose(np.exp(log_alpha[:, 0]), [1.0 / 1.3, 0.3 / 1.3], rtol=1e-12)
    np.testing.assert_allclose(log_prob, log_q, atol=1e-12)
    borders = grid[channel, 0]
    k = np.sum(u >= borders[:, 1:-1], axis=1)
    width = np.diff(borders)[np.arange(4), k]
    np.testing.assert_allclose(log_q, -np.log(4 * width), atol=1e-12)


def test_the_buffer_says_what_it_takes(camel):
    surrogate = MultiChannel(Uniform(1), LAYOUT, TWO)
    madnis = {"buffer_gain": 2.0, "buffer_batches": 10}
    objective = Variance(camel, surrogate, options(madnis=madnis))
    assert objective.figures(objective.init())["buffer_bytes"] == 10 * 128 * (1 + 2 + 1 + 3) * 8
