"""The pieces of FAB's two losses by hand, and FAB with a flow on a density with two peaks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.card import FabOptions, TrainingOptions
from fabgen.integrand.density import DensityIntegrand
from fabgen.surrogate import Flow
from fabgen.training import train
from fabgen.training.annealing import ais
from fabgen.training.annealing.buffer import Draw, Entries, Law
from fabgen.training.counters import EvaluationStats
from fabgen.training.objectives.fab import Fab, FabBatch
from fabgen.training.objectives.fab_nobuffer import FabNoBuffer, PassMemory
from fabgen.training.objectives.rkld import ReverseKl
from fabgen.training.target import evaluate


class PowerSurrogate:
    """q = a u^(a-1) on [0, 1], parameter a."""

    dim = 1

    def init(self, key):
        del key
        return jnp.asarray(1.0)

    def log_prob(self, a, u):
        return jnp.log(a) + (a - 1.0) * jnp.log(u[:, 0])

    def sample_and_log_prob(self, a, key, n):
        u = jax.random.uniform(key, (n, 1), minval=1e-9) ** (1.0 / a)
        return u, self.log_prob(a, u)


class PowerTarget(DensityIntegrand):
    """f = u^2, zero below `cut`."""

    dim = 1
    cut = 0.0

    def log_density(self, u):
        return jnp.where(u[:, 0] > self.cut, 2.0 * jnp.log(u[:, 0]), -jnp.inf)


def gradient(objective):
    """Loss and gradient as a function of parameters and batch."""

    def loss(params, batch):
        return objective.loss(params, batch, EvaluationStats.zero())

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def test_loss_of_the_buffer_clips_the_correction_and_leaves_empty_places_out(toys):
    fab = {"weight_clip": 2.0, "tempered": False}
    objective = Fab(PowerTarget(), PowerSurrogate(), toys.options(fab=fab))
    u = np.asarray([[0.5], [0.8], [0.3]])
    log_q_old = np.asarray([np.log(1.5), np.log(4.0), 0.0])  # corrections 1.5 and 4 -> 2
    entries = Entries(u, np.zeros(3), log_q_old, np.full(3, np.inf))
    draw = Draw(np.arange(3), entries, np.ones(3), np.ones(3), np.asarray([True, True, False]))
    law = Law(0.0, np.ones(1), 0.0, 1.0, 1.0, 0.0)
    batch = FabBatch(draw, law, (), False)
    (loss, (log_q, _)), slope = gradient(objective)(1.0, batch)
    np.testing.assert_allclose(loss, 0.0, atol=1e-12)  # log q = 0 for a = 1
    np.testing.assert_allclose(log_q, 0.0, atol=1e-12)
    # d log q / da at a = 1 is 1 + log u; the correction itself carries no gradient.
    np.testing.assert_allclose(
        slope, -(1.5 * (1 + np.log(0.5)) + 2.0 * (1 + np.log(0.8))) / 2.0, rtol=1e-12
    )


def test_tempered_draws_are_corrected_for_what_their_weights_have_become(toys):
    """t is a power of w: it changes by that power of q_old/q."""
    objective = Fab(PowerTarget(), PowerSurrogate(), toys.options())
    u, log_q_old = np.asarray([[0.5], [0.8]]), np.log([1.5, 0.5])
    entries = Entries(u, np.zeros(2), log_q_old, np.full(2, np.inf))
    t, m = np.asarray([0.4, 2.0]), np.asarray([0.5, 1.5])
    draw = Draw(np.arange(2), entries, t, m, np.asarray([True, True]))
    batch = FabBatch(draw, Law(0.0, np.ones(1), 0.0, 0.3, 0.0, 0.0), (), False)
    _, slope = gradient(objective)(1.0, batch)
    terms = t / m * np.exp(0.3 * log_q_old) * (1.0 + np.log(u[:, 0]))
    np.testing.assert_allclose(slope, -terms.mean(), rtol=1e-12)


#: The present a, and those of the surrogates that filled the buffer; the target is u^2.
NOW, EARLIER = 2.0, (1.5, 1.8)


def slopes_of_the_buffer(toys, cut=0.0, n=1500, **fab):
    """Gradients in a at NOW of single batches, from a buffer of points of earlier surrogates."""
    target = PowerTarget()
    target.cut = cut
    fab = {"intermediate": 0, "buffer_batches": 16} | fab
    objective = Fab(target, PowerSurrogate(), toys.options(batch_size=128, fab=fab))

    def slope(key):
        def observe(memory, given):
            return objective.observe(given[0], memory, EvaluationStats.zero(), given[1])[0], None

        fill_key, draw_key = jax.random.split(key)
        earlier = jnp.asarray(EARLIER * 8)
        keys = jax.random.split(fill_key, 16)
        memory, _ = jax.lax.scan(observe, objective.init(), (earlier, keys))
        batch = objective.batch(memory, draw_key)
        return jax.grad(lambda a: objective.loss(a, batch, EvaluationStats.zero())[0])(NOW)

    keys = jax.random.split(jax.random.key(5), n)
    found = np.asarray(jax.jit(lambda keys: jax.lax.map(slope, keys, batch_size=100))(keys))
    return found.mean(), found.std() / np.sqrt(n)


def test_the_buffer_without_annealing_has_the_gradient_of_the_closed_form(toys):
    """-<t rho log q> with t towards p^2/q_old, of mean 1: the slope of int p^2/q over its value.

    int u^4/(a u^(a-1)) = 1/(a (6 - a)); the mean weight t is that towards the earlier surrogates.
    """
    exact = (1.0 / (6.0 - NOW) - 1.0 / NOW) / (NOW * (6.0 - NOW))
    unit = np.mean([1.0 / (a * (6.0 - a)) for a in EARLIER])
    for even in (0.0, 0.5):
        mean, error = slopes_of_the_buffer(toys, even_draws=even)
        assert error < 0.02 * abs(exact / unit)
        assert abs(mean - exact / unit) < 4.0 * error + 0.01 * abs(exact / unit), (even, mean)


def test_under_a_cut_the_score_of_the_zeros_is_part_of_the_sum(toys):
    """Without the points with f = 0 the score would not be zero on average."""
    cut = 0.4
    u = cut + (1.0 - cut) * (np.arange(20_000) + 0.5) / 20_000

    def second_moment(a):
        return np.mean(u**4 / (a * u ** (a - 1.0))) * (1.0 - cut)

    step = 1e-5
    exact = (second_moment(NOW + step) - second_moment(NOW - step)) / (2.0 * step)
    unit = np.mean([second_moment(a) for a in EARLIER])
    mean, error = slopes_of_the_buffer(toys, cut=cut, even_draws=0.5)
    assert error < 0.02 * abs(exact / unit)
    assert abs(mean - exact / unit) < 4.0 * error + 0.01 * abs(exact / unit)


@pytest.mark.parametrize("fresh_loss", ["none", "rkld"])
def test_no_batch_moves_a_perfect_surrogate(toys, fresh_loss):
    for even, quiet in ((0.0, False), (0.5, True)):
        fab = {"intermediate": 0, "even_draws": even, "fresh_loss": fresh_loss}
        objective = Fab(PowerTarget(), PowerSurrogate(), toys.options(fab=fab))

        @jax.jit
        def slopes(key, objective=objective):
            memory, _ = objective.observe(3.0, objective.init(), EvaluationStats.zero(), key)
            found = []
            for turn in range(2):
                batch = objective.batch(memory._replace(turn=jnp.asarray(turn)), key)
                found.append(
                    jax.grad(lambda a: objective.loss(a, batch, EvaluationStats.zero())[0])(3.0)  # noqa: B023
                )
            return jnp.stack(found)

        of_fresh, of_buffer = np.abs(slopes(jax.random.key(1)))
        assert (of_buffer < 1e-9) == quiet
        if fresh_loss == "rkld":
            assert of_fresh < 1e-9


def test_without_annealing_and_fresh_loss_no_gradient_of_f_is_taken(toys):
    class NoGradient(PowerTarget):
        def log_density(self, u):
            @jax.custom_jvp
            def log_f(u):
                return super(NoGradient, self).log_density(u)

            @log_f.defjvp
            def _(primals, tangents):
                raise AssertionError("f was differentiated")

            return log_f(u)

    options = toys.options(fab={"intermediate": 0}, steps=3)
    result = train(NoGradient(), PowerSurrogate(), options)
    assert result.counters["target_evaluations"] == 64 * 5
    assert result.counters["gradient_evaluations"] == 0
    with pytest.raises(AssertionError, match="differentiated"):
        train(NoGradient(), PowerSurrogate(), toys.options(fab={"fresh_loss": "rkld"}, steps=3))


def test_the_fresh_loss_is_that_of_rkld(toys):
    """The same points, values and gradient as one step of rkld with their key, none anew."""
    options = toys.options(fab={"intermediate": 0, "fresh_loss": "rkld", "tempered": False})
    objective = Fab(PowerTarget(), PowerSurrogate(), options)
    key = jax.random.key(2)
    memory, tally = objective.observe(2.0, objective.init(), EvaluationStats.zero(), key)
    assert int(tally.counters.target_evaluations) == 64
    batch = objective.batch(memory, key)
    assert batch.is_fresh
    (loss, (log_r, after)), slope = gradient(objective)(2.0, batch)
    assert int(after.counters.target_evaluations) == 0
    assert np.all(np.isneginf(log_r))  # nothing of the buffer is adjusted
    rkld = ReverseKl(PowerTarget(), PowerSurrogate(), options)
    (expected, _), slope_of_rkld = gradient(rkld)(2.0, jax.random.split(key)[0])
    np.testing.assert_allclose((loss, slope), (expected, slope_of_rkld), rtol=1e-12)


def test_annealed_starts_give_the_same_fresh_loss(toys):
    """Their values come from the first stage of the annealing: f is not evaluated again."""
    values = []
    for intermediate in (0, 2):
        fab = {"intermediate": intermediate, "fresh_loss": "rkld", "tempered": False}
        objective = Fab(PowerTarget(), PowerSurrogate(), toys.options(fab=fab))
        memory, _ = jax.jit(objective.observe)(
            2.0, objective.init(), EvaluationStats.zero(), jax.random.key(2)
        )
        values.append(memory.fresh.values)
    np.testing.assert_allclose(values[0].log_p, values[1].log_p, rtol=1e-12)
    np.testing.assert_allclose(values[0].gradient, values[1].gradient, rtol=1e-12)


def test_loss_without_buffer_normalizes_its_weights(toys):
    objective = FabNoBuffer(PowerTarget(), PowerSurrogate(), toys.options())
    u = np.asarray([[0.5], [0.8], [0.3]])
    log_w = np.asarray([700.0, 700.0 + np.log(3.0), -np.inf])  # no overflow: 1/4, 3/4, 0
    slope_of = gradient(objective)
    _, slope = slope_of(1.0, PassMemory(np.zeros(2), u, log_w))
    np.testing.assert_allclose(
        slope, -(0.25 * (1 + np.log(0.5)) + 0.75 * (1 + np.log(0.8))), rtol=1e-12
    )
    nothing = PassMemory(np.zeros(2), u, np.full(3, -np.inf))
    (loss, _), slope = slope_of(1.0, nothing)
    assert (loss, slope) == (0.0, 0.0)


def test_reverse_kl_has_the_gradient_of_the_closed_form(toys):
    """KL(q || u^2) up to a constant: log a - (a-1)/a + 2/a; its slope is 1/a - 3/a^2."""
    objective = ReverseKl(PowerTarget(), PowerSurrogate(), toys.options(batch_size=100_000))
    (loss, _), slope = gradient(objective)(2.0, jax.random.key(0))
    assert abs(loss - (np.log(2.0) + 0.5)) < 0.01
    assert abs(slope - (0.5 - 0.75)) < 0.01


def test_reverse_kl_leaves_points_without_density_out_and_counts_them(toys):
    target = PowerTarget()
    target.cut = 0.5
    objective = ReverseKl(target, PowerSurrogate(), toys.options(batch_size=1000))
    (loss, (_, tally)), slope = gradient(objective)(1.0, jax.random.key(0))
    assert np.isfinite(loss)
    assert np.isfinite(slope)
    assert 440 < tally.counters.zero_values < 560
    assert tally.counters.target_evaluations == 1000


def test_a_flow_finds_both_peaks_of_a_correlated_density():
    """Two diagonal peaks; flat sampling has eps = 0.1."""

    class Peaks(DensityIntegrand):
        dim = 2

        def log_density(self, u):
            centres = jnp.asarray([[0.25, 0.3], [0.7, 0.75]])
            distance = jnp.sum((u[:, None] - centres) ** 2, axis=-1) / (2.0 * 0.08**2)
            return jax.nn.logsumexp(-distance, axis=-1)

    options = TrainingOptions(
        method="fab",
        steps=80,
        batch_size=128,
        learning_rate=1e-2,
        fab=FabOptions(intermediate=2, buffer_batches=20, buffer_minimum=4, updates=4),
    )
    result = train(Peaks(), Flow(2, layers=2, bins=10, hidden=(32,)), options)
    assert result.history[0].eps < 0.7
    assert result.history[-1].eps > 0.9
    assert result.history[-1].acceptance == pytest.approx(0.65, abs=0.1)


@pytest.mark.parametrize("moves", [1, 2])
def test_a_single_distribution_in_between_needs_no_gradient_of_q(toys, moves):
    """It is p: the same chains and weights as with the gradients of both."""
    fab = {"intermediate": 1, "leapfrog_steps": 2, "hmc_moves": moves}
    target = toys.GaussianTarget(cut=0.3)
    objective = Fab(target, toys.Kumaraswamy(2), toys.options(fab=fab))
    params = {"log_ab": jnp.asarray([[0.3, 0.2], [0.1, 0.4]])}
    keys, sizes = jax.random.split(jax.random.key(3)), jnp.asarray([0.1])
    channel = jnp.zeros(64, int)
    found, _, tally = jax.jit(
        lambda: objective.anneal(params, sizes, EvaluationStats.zero(), keys, channel)
    )()

    @jax.jit
    def with_both():
        u, _ = objective.surrogate.sample_and_log_prob(params, keys[0], 64)
        return ais.anneal(
            lambda u: evaluate(target, objective.surrogate, params, u), u, keys[1], sizes, 2, moves
        )

    expected = with_both()
    np.testing.assert_allclose(found.u, expected.u, rtol=1e-9)
    np.testing.assert_allclose(found.log_w, expected.log_w, rtol=1e-9)
    alive = np.isfinite(found.log_w)
    assert 0 < np.sum(~alive) < 20
    np.testing.assert_allclose(found.log_q[alive], expected.log_q[alive], rtol=1e-9)
    assert int(tally.counters.target_evaluations) == 64 * (1 + 2 * moves)
