"""Which resonances an event is written with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.integrand.near_shell import NONE_NEAR, NearResonance, NearShell

MASS, WIDTH = 91.0, 2.5
DERIVED = {"MZ": MASS, "WZ": WIDTH}


def pair(legs, in_flows=(True,)) -> NearResonance:
    return NearResonance(23, legs, "MZ", "WZ", in_flows)


#: Two pairs of legs, two other pairs, and all of them together.
PAIRS = NearShell(
    resonances=(pair((0, 1)), pair((2, 3)), pair((0, 2)), pair((1, 3)), pair((0, 1, 2, 3))),
    sets=((), (0,), (1,), (2,), (3,), (4,), (0, 1), (2, 3)),
    cutoff=15.0,
)


def events_of(rng, n):
    """Momenta (4, 4, events) of massless legs whose pairs have masses around MASS."""
    direction = rng.normal(size=(4, 3, n))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    energy = rng.uniform(0.35 * MASS, 0.75 * MASS, (4, 1, n))
    return np.concatenate([energy, energy * direction], axis=1)


def two_legs(masses):
    """Momenta (2, 4, events) of two massless legs of a mass (events,), boosted."""
    rest = 0.5 * np.asarray(masses)
    zero = 0.0 * rest
    first, second = [rest, rest, zero, zero], [rest, -rest, zero, zero]
    gamma, beta = 2.0, np.sqrt(0.75)
    boosted = [
        [gamma * e, x, y, gamma * beta * e] for e, x, y, _ in (first, second)
    ]  # z is zero at rest
    return np.array(boosted)


def drawn(near_shell, momenta, flow=0, seed=0, derived=DERIVED):
    n = momenta.shape[-1]
    random = jax.random.uniform(jax.random.key(seed), (n,))
    flow = jnp.broadcast_to(jnp.asarray(flow), (n,))
    return np.asarray(jax.jit(lambda p: near_shell.draw(p, flow, derived, random))(momenta))


def probabilities(near_shell, momenta):
    """Of each set, for one event of momenta (legs, 4): the definition, in plain Python."""
    weights = []
    near, squares = [], []
    for resonance in near_shell.resonances:
        energy, *p = sum(momenta[leg] for leg in resonance.legs)
        squares.append(energy**2 - sum(x**2 for x in p))
        near.append(abs(np.sqrt(squares[-1]) - MASS) < near_shell.cutoff * WIDTH)
    possible = [set(s) for s in near_shell.sets if all(near[k] for k in s)]
    for numbers in near_shell.sets:
        weight = 1.0
        for k in numbers:
            weight *= MASS**4 / ((squares[k] - MASS**2) ** 2 + MASS**2 * WIDTH**2)
        allowed = set(numbers) in possible and not any(set(numbers) < s for s in possible)
        weights.append(weight if allowed else 0.0)
    return np.array(weights) / sum(weights)


def test_inside_of_the_window_only():
    edges = np.array([15.0, -15.0])
    masses = MASS + WIDTH * np.array([0.0, *(edges * 0.999999), *(edges * 1.000001), 40.0, -36.0])
    single = NearShell((pair((0, 1)),), ((), (0,)), 15.0)
    assert drawn(single, two_legs(masses)).tolist() == [1, 1, 1, 0, 0, 0, 0]
    wider = NearShell((pair((0, 1)),), ((), (0,)), 38.0)
    assert drawn(wider, two_legs(masses)).tolist() == [1, 1, 1, 1, 1, 0, 1]


def test_only_in_colour_flows_that_fit():
    single = NearShell((pair((0, 1), in_flows=(True, False)),), ((), (0,)), 15.0)
    flow = np.array([0, 1, 1, 0])
    assert drawn(single, two_legs(np.full(4, MASS)), flow).tolist() == [1, 0, 0, 1]


def test_no_resonances():
    assert drawn(NONE_NEAR, two_legs([MASS])).tolist() == [0]


def test_sets_are_drawn_in_proportion_to_their_propagators():
    """20 000 times each of a few events, against the definition."""
    momenta = events_of(np.random.default_rng(4), 200)
    expected = [probabilities(PAIRS, momenta[..., i]) for i in range(200)]
    # Those with something to draw, as different as they come.
    several = [i for i, p in enumerate(expected) if np.max(p) < 0.95][:8]
    whole = [i for i, p in enumerate(expected) if p[6] + p[7] > 0.0]
    assert len(several) == 8 and whole
    n = 20_000
    for i in [*several, whole[0]]:
        repeated = np.repeat(momenta[..., i : i + 1], n, axis=-1)
        found = np.bincount(drawn(PAIRS, repeated, seed=i), minlength=8) / n
        error = np.sqrt(expected[i] * (1.0 - expected[i]) / n)
        assert np.all(np.abs(found - expected[i]) <= 4.0 * error + 1e-12)


def test_a_part_of_a_set_is_never_drawn():
    momenta = events_of(np.random.default_rng(5), 20_000)
    numbers = drawn(PAIRS, momenta)
    assert set(numbers) == set(range(8))
    for i in range(0, 20_000, 40):
        assert probabilities(PAIRS, momenta[..., i])[numbers[i]] > 0.0


@pytest.mark.parametrize("width", [1e-9, 1e-3])
def test_narrow_resonances(width):
    derived = {"MZ": MASS, "WZ": width}
    momenta = events_of(np.random.default_rng(1), 50)
    assert set(drawn(PAIRS, momenta, derived=derived)) == {0}
    single = NearShell((pair((0, 1)),), ((), (0,)), 1e6)
    assert drawn(single, two_legs([MASS]), derived=derived).tolist() == [1]
