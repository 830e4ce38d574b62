"""Phase-space volumes and coordinates computed another way, and trees used by several tests."""

from __future__ import annotations

import functools
import itertools
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from fabgen.phasespace.mapping import kinematics
from fabgen.phasespace.tree import Branch, Exchange, Leaf, Propagator

MASSES = [80.419, 4.7, 80.419, 4.7]
#: Events in one call of a map. Maps are evaluated operation by operation: an operation is compiled
#: once for each shape, so all tests of all maps share few programs if the shape is always the same.
EVENTS = 2048


def _evaluated(function, x, point):
    """function(x (..., events), kinematics) of a map, as NumPy arrays, in pieces of EVENTS.

    The numbers of the kinematics are NumPy's: what is done with numbers alone compiles nothing.
    """
    point = jax.tree.map(lambda number: np.asarray(number)[()], point)
    pieces = []
    for piece in _pieces(x):
        pieces.append([np.asarray(part) for part in function(jnp.asarray(piece), point)])
    return tuple(np.concatenate(p, axis=-1)[..., : x.shape[-1]] for p in zip(*pieces, strict=True))


def _pieces(x):
    """x (..., events) in pieces of EVENTS; the last one is filled up with the last event."""
    x = np.asarray(x)
    x = np.concatenate([x, np.repeat(x[..., -1:], -x.shape[-1] % EVENTS, axis=-1)], axis=-1)
    return np.split(x, x.shape[-1] // EVENTS, axis=-1)


def _derivatives(function, u):
    """function(u (dim, events)) -> (k, events) and its derivative (k, dim, events).

    In forward mode, with the directions beside each other like events: their number is EVENTS
    here too.
    """
    dim, events = u.shape
    (columns,) = _pieces(np.tile(u, dim))
    (directions,) = _pieces(np.repeat(np.eye(dim), events, axis=1))
    value, slope = map(np.asarray, jax.jvp(function, (columns,), (directions,)))
    return value[:, :events], slope[:, : dim * events].reshape(-1, dim, events)


def _log_determinant(derivative):
    """log |det| of (dim, dim, events)."""
    return np.linalg.slogdet(np.moveaxis(derivative, -1, 0))[1]


def _quadrature(dim, variables, seed=0):
    """Points (dim, events) and weights for functions of the first `variables` numbers of a cube.

    Gauss-Legendre after u = t^3/(t^3 + (1 - t)^3): most points lie at the ends, where the densities
    of resonances and the limits of phase space do. The other numbers are random: a function that
    depends on them is found out.
    """
    n = {0: 1, 1: 200, 2: 45, 3: 20}[variables]
    t, weights = np.polynomial.legendre.leggauss(n)
    t = (t + 1) / 2
    sizes = t**3 + (1 - t) ** 3
    nodes, weights = t**3 / sizes, weights / 2 * 3 * (t * (1 - t)) ** 2 / sizes**2
    u = np.random.default_rng(seed).uniform(size=(dim, n**variables))
    u[:variables] = np.reshape(np.meshgrid(*[nodes] * variables), (variables, n**variables))
    return u, functools.reduce(np.outer, [weights] * variables, np.ones(1)).ravel()


def _integral(values):
    """Mean and error of the values of `samples`."""
    means = np.mean(values.reshape(-1, EVENTS), axis=1)
    return np.mean(means), np.std(means, ddof=1) / math.sqrt(len(means))


def _samples(dim, seed=0):
    """(dim, events): eight scrambled nets of Sobol', far more precise than random numbers."""
    nets = [qmc.Sobol(dim, rng=8 * seed + k).random(EVENTS).T for k in range(8)]
    return np.concatenate(nets, axis=1)


def _massless_volume(sqrt_s: float, n: int) -> float:
    """Closed form of the n-body volume of massless particles, GeV^(2 n - 4)."""
    factorials = math.factorial(n - 1) * math.factorial(n - 2)
    flat = (math.pi / 2) ** (n - 1) * sqrt_s ** (2 * n - 4) / factorials
    return flat * (2 * math.pi) ** (4 - 3 * n)


def _massive_volume(sqrt_s, masses, points: int = 24):
    """The recursion over the mass of all but the first particle, by Gauss-Legendre quadrature.

    M' = threshold + range sin^2: the integrand's square roots at both ends become smooth.
    """
    mass = np.asarray(sqrt_s, dtype=float)
    first, rest = masses[0], masses[1:]
    if len(rest) == 1:
        return _two_body(mass, first, rest[0])
    nodes, weights = np.polynomial.legendre.leggauss(points)
    angle = (nodes + 1) * math.pi / 4
    low, span = sum(rest), mass[..., None] - sum(masses)
    below = low + span * np.sin(angle) ** 2
    measure = weights * math.pi / 4 * span * np.sin(2 * angle) * 2 * below / (2 * math.pi)
    inner = _massive_volume(below, rest, points)
    return np.sum(measure * _two_body(mass[..., None], first, below) * inner, axis=-1)


def _two_body(mass, first, second):
    kallen = (mass**2 - (first + second) ** 2) * (mass**2 - (first - second) ** 2)
    return np.sqrt(np.maximum(kallen, 0.0)) / (2 * mass) / (4 * math.pi * mass)


def _coordinates(tree, momenta):
    """Invariants of the branches below the root, then cos(theta) and phi of every decay.

    momenta (n, 4, events). Angles are taken after one pure boost from the lab to the decaying
    system; the maps may use other axes, which turns them by rotations and leaves the measure alone.
    """
    vectors = {leg: tuple(momenta[leg]) for leg in tree.legs}

    def summed(node):
        return [sum(parts) for parts in zip(*(vectors[leg] for leg in node.legs), strict=True)]

    invariants, angles = [], []
    for branch in tree.branches():
        e, x, y, z = summed(branch)
        energy, *p = summed(branch.children[0])
        if branch is not tree:
            square = e * e - (x * x + y * y + z * z)
            invariants.append(square)
            mass = jnp.sqrt(square)
            along = p[0] * x + p[1] * y + p[2] * z
            shift = (along / (e + mass) - energy) / mass
            p = [a + b * shift for a, b in zip(p, (x, y, z), strict=True)]
        size = jnp.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2])
        angles += [p[2] / size, jnp.arctan2(p[1], p[0])]
    return jnp.stack(invariants + angles)


def _log_measure(tree, momenta, sqrt_s):
    """log of dPhi / (d invariants d cos d phi): product of 1/(2 pi) and of |p|/(16 pi^2 M)."""

    def mass(node):
        total = sum(momenta[leg] for leg in node.legs)
        return np.sqrt(np.maximum(total[0] ** 2 - np.sum(total[1:] ** 2, axis=0), 0.0))

    result = 0.0
    for branch in tree.branches():
        m = sqrt_s if branch is tree else mass(branch)
        volume = _two_body(m, *(mass(child) for child in branch.children))
        result = result + np.log(volume / (4 * math.pi))
        result = result - (0.0 if branch is tree else math.log(2 * math.pi))
    return result


def _rounding_error(mapping, point, u):
    """What rounding the momenta alone does to u (dim, events): an error for each, (dim, events).

    To first order no inverse, whatever it makes of the over-determined momenta, has a smaller
    standard deviation than sqrt(diag((J^T J)^-1)) (Cramer and Rao), with J = dp/du over the
    errors of the momenta, 2^-53 E of each particle in each component. It is inf where J is
    singular to rounding. J is that of the forward map: a bad inverse cannot excuse itself. It is
    taken from differences, good to three digits.
    """
    dim, events = u.shape
    step = np.maximum(1e-4 * np.minimum(u, 1.0 - u), 1e-7)
    moves = np.eye(dim)[:, :, None] * step
    columns = np.moveaxis(np.stack([u[None] + moves, u[None] - moves]), 2, 0).reshape(dim, -1)
    momenta = _evaluated(mapping.forward, columns, point)[0]
    momenta = momenta.reshape(*momenta.shape[:2], 2, dim, events)
    difference = (momenta[:, :, 0] - momenta[:, :, 1]) / (2.0 * step)
    energies = momenta[:, 0].mean(axis=(1, 2))[:, None, None, :]
    jacobian = np.moveaxis((difference / energies).reshape(-1, dim, events), -1, 0)
    scale = np.linalg.norm(jacobian, axis=1)
    triangle = np.linalg.qr(jacobian / scale[:, None])[1]
    with np.errstate(all="ignore"):
        inverse = np.linalg.pinv(triangle, rcond=1e-16)
        error = 2.0**-53 * np.linalg.norm(inverse, axis=2) / scale
    return np.where(np.isfinite(error), error, np.inf).T


def _random_tree(n, rng, cut=None):
    """Any tree of n particles: kinds, bounds, windows, cuts, ladders of any length."""
    cut = rng.random() < 0.6 if cut is None else cut

    def leaf(number):
        if not cut or rng.random() < 0.4:
            return Leaf(number)
        pt, rapidity = rng.choice([0.0, 5.0, 15.0]), rng.choice([math.inf, 3.0, 4.5])
        return Leaf(number, float(pt), float(rapidity))

    def propagator():
        kind = rng.choice(["flat", "power", "breit-wigner-tail", "breit-wigner"])
        window = 30.0 if kind == "breit-wigner" else None
        resonance = int(rng.integers(2)) if kind.startswith("breit") else None
        nu, minimum = float(rng.choice([0.6, 1.0, 1.4])), float(rng.choice([0.0, 20.0]))
        return Propagator(str(kind), resonance, nu, window, minimum)

    def joined(nodes, own):
        nodes = list(nodes)
        while len(nodes) > 2:
            first, second = rng.choice(len(nodes), 2, replace=False)
            pair = Branch((nodes[first], nodes[second]), propagator())
            nodes = [x for k, x in enumerate(nodes) if k not in (first, second)] + [pair]
        return Branch(tuple(nodes), own)

    leaves = [leaf(int(number)) for number in rng.permutation(n)]
    if rng.random() < 0.4:
        return joined(leaves, Propagator()), False
    steps = int(rng.integers(1, n))
    ends = [0, *sorted(rng.choice(np.arange(1, n), steps, replace=False)), n]
    blobs = [leaves[a:b] for a, b in itertools.pairwise(ends)]
    nodes = [blob[0] if len(blob) == 1 else joined(blob, propagator()) for blob in blobs]
    tree = nodes[-1]
    for number in reversed(range(steps)):
        exchange = Exchange(int(rng.integers(2)) if rng.random() < 0.5 else None, 0.7)
        tree = Branch((nodes[number], tree), Propagator(), exchange)
    return tree, bool(rng.random() < 0.5)


def _in_cuts(tree, momenta, boost):
    """Whether events satisfy all bounds on the particles of a tree, rapidities in the lab."""
    inside = np.ones(momenta.shape[-1], dtype=bool)
    for leaf in tree.leaves:
        energy, x, y, z = momenta[leaf.leg]
        inside &= np.hypot(x, y) >= leaf.minimum_pt
        if leaf.maximum_rapidity < math.inf:
            inside &= np.abs(np.arctanh(z / energy) + boost) <= leaf.maximum_rapidity
    return inside


def _corners(seed, shape, edge=1e-6):
    """Numbers in [edge, 1 - edge]: three out of four uniform, the others close to an end."""
    rng = np.random.default_rng(seed)
    end = rng.choice(8, size=shape)
    small = edge ** rng.uniform(size=shape)
    u = np.select([end == 0, end == 1], [small, 1.0 - small], rng.uniform(size=shape))
    return np.clip(u, edge, 1.0 - edge)


def _distance(u, v, n: int):
    """|u - v| (dim, events) for n particles; of azimuths the shorter way round."""
    result = np.array(np.abs(u - v))
    result[n - 1 :: 2] = np.minimum(result[n - 1 :: 2], 1.0 - result[n - 1 :: 2])
    return result


@pytest.fixture(scope="session")
def evaluated():
    """evaluated(mapping.forward, u, kinematics) -> momenta, log_jacobian; or of the inverse."""
    return _evaluated


@pytest.fixture(scope="session")
def passing():
    """passing(cuts, momenta, masses) -> (events,) bool."""

    def passing(cuts, momenta, masses):
        return _evaluated(lambda p, m: (cuts.passes(p, m),), momenta, np.array(masses))[0]

    return passing


@pytest.fixture(scope="session")
def piece():
    """piece(x (..., events)) -> (..., EVENTS), filled up with the last event."""

    def piece(x):
        (filled,) = _pieces(x)
        return filled

    return piece


@pytest.fixture(scope="session")
def quadrature():
    """quadrature(dim, variables) -> u, weights."""
    return _quadrature


@pytest.fixture(scope="session")
def samples():
    """samples(dim, seed=0) -> u, for `integral`."""
    return _samples


@pytest.fixture(scope="session")
def integral():
    """integral(values at samples) -> mean, error."""
    return _integral


@pytest.fixture(scope="session")
def log_jacobian_by_derivatives():
    """log_jacobian_by_derivatives(tree, mapping, u, kinematics): log(dPhi/du) from dp/du."""

    def log_jacobian(tree, mapping, u, point):
        point = jax.tree.map(lambda number: np.asarray(number)[()], point)

        def square_map(u):
            return _coordinates(tree, mapping.forward(u, point)[0])

        momenta, _ = _evaluated(mapping.forward, u, point)
        _, derivative = _derivatives(square_map, u)
        return _log_determinant(derivative) + _log_measure(tree, momenta, float(point.sqrt_s))

    return log_jacobian


@pytest.fixture(scope="session")
def derivatives():
    """derivatives(function, u) -> value (k, events), derivative (k, dim, events)."""
    return _derivatives


@pytest.fixture(scope="session")
def log_determinant():
    return _log_determinant


@pytest.fixture(scope="session")
def rounding_error():
    """rounding_error(mapping, point, u (dim, events)) -> (dim, events)."""
    return _rounding_error


@pytest.fixture(scope="session")
def corners():
    """corners(seed, shape): points of the unit cube, its corners among them."""
    return _corners


@pytest.fixture(scope="session")
def in_cuts():
    """in_cuts(tree, momenta, boost) -> (events,) bool."""
    return _in_cuts


@pytest.fixture(scope="session")
def distance():
    return _distance


@pytest.fixture(scope="session")
def massless_volume():
    return _massless_volume


@pytest.fixture(scope="session")
def massive_volume():
    return _massive_volume


@pytest.fixture(scope="session")
def reference(request) -> dict:
    """The FAB paper's target e+ e- -> t t~ -> W+ b W- b~ on the unit hypercube."""
    path = Path(__file__).parent.parent / "data" / "ee_ttbar_wb_unitcube.json"
    return json.loads(path.read_text())


@pytest.fixture(scope="session")
def tops():
    """tops(kind, window): the tree (W+ b)(W- b~) with two top propagators."""

    def tree(kind: str, window: float | None = None) -> Branch:
        propagator = Propagator(kind, resonance=0, window=window)
        pairs = (Branch((Leaf(i), Leaf(i + 1)), propagator) for i in (0, 2))
        return Branch(tuple(pairs))

    return tree


@pytest.fixture(scope="session")
def top_kinematics():
    """500 + 500 GeV, W+ b W- b~, the top as resonance 0."""
    return kinematics(1000.0, MASSES, [173.0], [1.4915])


@pytest.fixture(scope="session")
def random_tree():
    """random_tree(n, rng, cut=None) -> the tree, and whether its ladder is of the second beam."""
    return _random_tree
