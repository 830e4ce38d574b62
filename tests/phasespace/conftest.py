"""Phase-space volumes and coordinates computed another way, and trees used by several tests."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.phasespace.cascade import Branch, Leaf, Propagator
from fabgen.phasespace.mapping import kinematics

MASSES = [80.419, 4.7, 80.419, 4.7]


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

    momenta (n, 4). Angles are taken after one pure boost from the lab to the decaying system; the
    maps may use other axes, which turns them by rotations and leaves the measure alone.
    """
    invariants, angles = [], []
    for branch in tree.branches():
        total = sum(momenta[leg] for leg in branch.legs)
        square = total[0] ** 2 - jnp.sum(total[1:] ** 2)
        p = sum(momenta[leg] for leg in branch.children[0].legs)
        if branch is not tree:
            invariants.append(square)
            mass = jnp.sqrt(square)
            along = jnp.dot(p[1:], total[1:])
            p_rest = p[1:] + total[1:] * (along / (total[0] + mass) - p[0]) / mass
        else:
            p_rest = p[1:]
        angles += [p_rest[2] / jnp.linalg.norm(p_rest), jnp.arctan2(p_rest[1], p_rest[0])]
    return jnp.stack(invariants + angles)


def _log_measure(tree, momenta, sqrt_s):
    """log of dPhi / (d invariants d cos d phi): product of 1/(2 pi) and of |p|/(16 pi^2 M)."""

    def mass(node):
        total = sum(momenta[leg] for leg in node.legs)
        return jnp.sqrt(jnp.maximum(total[0] ** 2 - jnp.sum(total[1:] ** 2), 0.0))

    result = 0.0
    for branch in tree.branches():
        m = sqrt_s if branch is tree else mass(branch)
        volume = _two_body(np.asarray(m), *(np.asarray(mass(c)) for c in branch.children))
        result += np.log(volume / (4 * math.pi))
        result -= 0.0 if branch is tree else math.log(2 * math.pi)
    return result


def _rounding_error(mapping, point, u):
    """What rounding the momenta alone does to u (dim, events): an error for each, (dim, events).

    To first order no inverse, whatever it makes of the over-determined momenta, has a smaller
    standard deviation than sqrt(diag((J^T J)^-1)) (Cramer and Rao), with J = dp/du over the
    errors of the momenta, 2^-53 E of each particle in each component. It is inf where J is
    singular to rounding. J is that of the forward map: a bad inverse cannot excuse itself. It is
    taken from differences, good to three digits: jacfwd takes longer to compile than all the rest.
    """
    dim, events = u.shape
    step = np.maximum(1e-4 * np.minimum(u, 1.0 - u), 1e-7)
    moves = np.eye(dim)[:, :, None] * step
    columns = np.moveaxis(np.stack([u[None] + moves, u[None] - moves]), 2, 0).reshape(dim, -1)
    momenta = np.asarray(mapping.forward(columns, point)[0])
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
def rounding_error():
    """rounding_error(mapping, point, u (dim, events)) -> (dim, events)."""
    return _rounding_error


@pytest.fixture(scope="session")
def corners():
    """corners(seed, shape): points of the unit cube, its corners among them."""
    return _corners


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
def coordinates():
    return _coordinates


@pytest.fixture(scope="session")
def log_measure():
    return _log_measure


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
