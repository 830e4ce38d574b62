"""Three-body amplitudes: LHCb's model against published numbers, other models against formulas."""

from __future__ import annotations

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.amplitude.dalitz import (
    DalitzAmplitude,
    load_amplitude_model,
    read_amplitude_model,
)
from fabgen.amplitude.dalitz.angles import DecayPlane, pair_of
from fabgen.amplitude.dalitz.lineshapes import LINE_SHAPES, Decay, barrier
from fabgen.amplitude.dalitz.model import RADIUS_DECAY, RADIUS_PRODUCTION, Coupling

LC2PKPI = load_amplitude_model("lc2pkpi")
#: Candidates for points inside the Dalitz plot: always as many, so that nothing is compiled again.
CANDIDATES = 2000
#: What differs in LHCb's model with LS couplings.
LS_PARAMETERS = {
    "gammaK(700)": 0.847475,
    "gammaK(1430)": 0.022335,
    "ML(1520)": 1.518526,
    "GL(1520)": 0.015769,
    "ML(2000)": 1.991869,
    "GL(2000)": 0.179875,
}


@pytest.fixture(scope="module")
def reference(pytestconfig) -> dict:
    path = pytestconfig.rootpath / "tests" / "data" / "lc2pkpi.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def invariants(reference):
    return jnp.array(reference["invariants"])[:, None]


@pytest.fixture(scope="module")
def models(pytestconfig):
    """models(name): a model of the tests' data files."""
    folder = pytestconfig.rootpath / "tests" / "data" / "amplitude_models"
    return lambda name: read_amplitude_model(folder / f"{name}.toml")


def points(model, n: int, seed: int = 0):
    """sigma (3, n) inside the Dalitz plot."""
    m = [model.external[p.mass] for p in model.particles]
    rng = np.random.default_rng(seed)
    s1 = rng.uniform((m[2] + m[3]) ** 2, (m[0] - m[1]) ** 2, CANDIDATES)
    s2 = rng.uniform((m[3] + m[1]) ** 2, (m[0] - m[2]) ** 2, CANDIDATES)
    sigma = np.array([s1, s2, sum(x * x for x in m) - s1 - s2])
    inside = sigma[:, np.array(DecayPlane(jnp.array(sigma), m).root_kibble) > 0][:, :n]
    assert inside.shape == (3, n)
    return jnp.array(inside)


def evaluated(model, sigma, method="intensity", **changed):
    """A method of a model's amplitude, compiled: operation by operation takes far longer."""
    function = jax.jit(getattr(DalitzAmplitude(model), method))
    return np.array(function(sigma, {**model.external, **changed}))


def check_amplitudes(found, published, tolerance=1e-12):
    """found: O[l0, l1] of spins 1/2; published: sign of 2 l0, sign of -2 l1, with a phase."""
    size = max(abs(complex(*value)) for value in published.values())
    for key, value in published.items():
        first, second = (1 if sign == "+" else -1 for sign in key[1:])
        amplitude = found[(first + 1) // 2, (1 - second) // 2] * (-1) ** ((1 + second) // 2)
        assert abs(amplitude - complex(*value)) < tolerance * size


def line_shape(model, resonance, orbital, sigma):
    """X of one resonance with one angular momentum of its production, at one point sigma (3,)."""

    def value(name):
        return jnp.full((1, 1), model.external[name])

    mass = [value(particle.mass) for particle in model.particles]
    i, j = pair_of(resonance.spectator)
    decay = Decay(
        s=jnp.full((1, 1), sigma[resonance.spectator - 1]),
        parent=mass[0],
        spectator=mass[resonance.spectator],
        pair=(mass[i], mass[j]),
        orbital_production=np.array([[orbital]]),
        orbital_decay=np.array([[resonance.orbital_decay]]),
        radius_production=value(RADIUS_PRODUCTION),
        radius_decay=value(RADIUS_DECAY),
        coupled=resonance.coupled and tuple(map(value, resonance.coupled)),
    )
    shape = LINE_SHAPES[resonance.line_shape]
    real, imaginary = shape.value(
        decay, {key: value(resonance.parameters[key]) for key in shape.parameters}
    )
    return complex(real[0, 0], imaginary[0, 0])


def test_line_shapes(reference):
    lines = DalitzAmplitude(LC2PKPI).lines
    names = [LC2PKPI.resonances[line.resonance].name for line in lines]
    assert sorted(names) == sorted(resonance.name for resonance in LC2PKPI.resonances)
    assert reference["line_shapes"]
    for name, value in reference["line_shapes"].items():
        line = lines[names.index(name)]
        resonance = LC2PKPI.resonances[line.resonance]
        found = line_shape(LC2PKPI, resonance, line.orbital, reference["invariants"])
        assert found == pytest.approx(complex(*value), rel=1e-12)


def test_chains(reference, invariants):
    """One coupling at a time."""
    amplitude = DalitzAmplitude(LC2PKPI)
    evaluate = jax.jit(lambda values: amplitude.amplitudes(invariants, values)[:, :, 0, 0, 0])
    off = {n: 0.0 if n[:2] in ("Ar", "Ai") else v for n, v in LC2PKPI.external.items()}
    assert len(reference["chains"]) == 26
    for name, published in reference["chains"].items():
        check_amplitudes(evaluate({**off, name: 1.0}), published)
        check_amplitudes(-1j * evaluate({**off, f"Ai{name[2:]}": 1.0}), published)


def test_chains_with_ls_couplings(reference, invariants):
    orbital = {
        "K(892)": [(0, 1), (1, 1), (1, 3), (2, 3)],
        "K(700)": [(0, 1), (1, 1)],
        "K(1430)": [(0, 1), (1, 1)],
    }
    phases, resonances = {}, []
    for resonance in LC2PKPI.resonances:
        spin, couplings = resonance.spin, []
        pairs = orbital.get(resonance.name, [((spin - 1) // 2, spin), ((spin + 1) // 2, spin)])
        for coupling, pair in zip(resonance.production, pairs, strict=True):
            couplings.append(Coupling(coupling.real, coupling.imaginary, orbital=pair))
            phases[coupling.real] = (-1) ** (pair[0] + (pair[1] - 1) // 2) if spin else 1
        resonances.append(dataclasses.replace(resonance, production=tuple(couplings)))
    amplitude = DalitzAmplitude(dataclasses.replace(LC2PKPI, resonances=tuple(resonances)))
    evaluate = jax.jit(lambda values: amplitude.amplitudes(invariants, values)[:, :, 0, 0, 0])
    off = {n: 0.0 if n[:2] in ("Ar", "Ai") else v for n, v in LC2PKPI.external.items()}
    assert len(reference["chains_ls"]) == len(phases) == 26
    for name, published in reference["chains_ls"].items():
        found = phases[name] * evaluate({**off, **LS_PARAMETERS, name: 1.0})
        check_amplitudes(found, published)


@pytest.fixture(scope="module")
def intensity():
    """intensity(sigma, parameters) of LHCb's model, compiled."""
    return jax.jit(DalitzAmplitude(LC2PKPI).intensity)


def test_intensity(reference, intensity):
    square = reference["unit_square"]
    s1, s2 = np.array(square["sigma1"]), np.array(square["sigma2"])
    total = sum(LC2PKPI.external[p.mass] ** 2 for p in LC2PKPI.particles)
    sigma = jnp.array([s1, s2, total - s1 - s2])
    found = intensity(sigma, dict(LC2PKPI.external))
    np.testing.assert_allclose(found, square["intensity"], rtol=1e-11)
    everything = np.abs(evaluated(LC2PKPI, sigma, "amplitudes")) ** 2
    np.testing.assert_allclose(everything.sum(axis=(0, 1, 2, 3)), found, rtol=1e-12)


def test_one_resonance_alone():
    sigma = points(LC2PKPI, 20)
    alone = evaluated(LC2PKPI, sigma, "resonance_intensities")
    for number in (1, 3, 9):  # one of each pair
        only = dataclasses.replace(LC2PKPI, resonances=(LC2PKPI.resonances[number],))
        np.testing.assert_allclose(alone[number], evaluated(only, sigma), rtol=1e-12)


def test_parameters_per_event(reference, intensity):
    """A coupling and a mass with one value per event: as if evaluated one by one."""
    n = len(reference["unit_square"]["sigma1"])  # as many points as test_intensity compiles for
    sigma = points(LC2PKPI, n)
    changed = {"ArK(892)1": np.linspace(1.0, 3.0, n), "ML(1520)": np.linspace(1.51, 1.53, n)}
    together = intensity(sigma, {**LC2PKPI.external, **changed})
    for k in (0, n // 2, n - 1):
        values = {name: float(value[k]) for name, value in changed.items()}
        one = intensity(sigma, {**LC2PKPI.external, **values})
        np.testing.assert_allclose(together[k], one[k], rtol=1e-12)


def test_a_scalar_into_three_scalars(models):
    """|3 + 4i|^2 (p q F_p F_d)^2 cos^2 |BW|^2, written out."""
    model = models("three_scalars")
    sigma = points(model, 10)
    s, m0, ma, mb, mc = np.array(sigma[2]), 1.8, 0.5, 0.14, 0.3

    def momentum(square, x, y):
        return np.sqrt((square - (x + y) ** 2) * (square - (x - y) ** 2) / (4 * square))

    def factor(q, q0, radius):  # Blatt-Weisskopf, L = 1
        return q / q0 * np.sqrt((1 + (q0 * radius) ** 2) / (1 + (q * radius) ** 2))

    q, q0 = momentum(s, ma, mb), momentum(0.81, ma, mb)
    p, p0 = momentum(m0**2, np.sqrt(s), mc), momentum(m0**2, 0.9, mc)
    width = 0.05 * factor(q, q0, 1.5) ** 2 * q / q0 * 0.9 / np.sqrt(s)
    shape = factor(q, q0, 1.5) * factor(p, p0, 5.0) / (0.81 - s - 0.9j * width)
    energies = (s + ma**2 - mb**2) * (m0**2 - s - mc**2) / (4 * s)
    p_rest = momentum(s, ma, mb) * p * m0 / np.sqrt(s)
    cos = ((sigma[1] - ma**2 - mc**2) / 2 - energies) / p_rest
    expected = 25.0 * np.abs(shape) ** 2 * cos**2
    np.testing.assert_allclose(evaluated(model, sigma), expected, rtol=1e-10)


def test_the_reference_chain_does_not_matter_for_whole_spins(models):
    """All spins are turned together: a check of every alignment angle."""
    model = models("spin_one")
    sigma = points(model, 20)
    intensities = [evaluated(dataclasses.replace(model, reference=k), sigma) for k in (1, 2, 3)]
    assert np.all(intensities[0] > 0)
    np.testing.assert_allclose(intensities[1], intensities[0], rtol=1e-10)
    np.testing.assert_allclose(intensities[2], intensities[0], rtol=1e-10)
    alone = evaluated(model, sigma, "resonance_intensities")
    assert np.all(np.abs(intensities[0] / alone.sum(axis=0) - 1) > 1e-4)  # they interfere


def test_angles():
    """Of momenta in the decay plane, by their vectors."""
    m = [LC2PKPI.external[p.mass] for p in LC2PKPI.particles]
    sigma = points(LC2PKPI, 50)
    plane = DecayPlane(sigma, m)
    total = sum(x * x for x in m)
    np.testing.assert_allclose(sigma.sum(axis=0), total, rtol=1e-14)

    def energy(at_rest, n):  # of particle n in the rest frame of the decaying one
        return (m[0] ** 2 + m[n] ** 2 - sigma[n - 1]) / (2 * at_rest)

    for k in (1, 2, 3):
        i, j = pair_of(k)
        pi, pk = (np.sqrt(energy(m[0], n) ** 2 - m[n] ** 2) for n in (i, k))
        product = (sigma[j - 1] - m[i] ** 2 - m[k] ** 2) / 2
        cos = (energy(m[0], i) * energy(m[0], k) - product) / (pi * pk)
        angle = plane.alignment(0, i, k)
        np.testing.assert_allclose(angle.cos**2 - angle.sin**2, cos, atol=1e-9)
        np.testing.assert_allclose(
            2 * np.abs(angle.sin * angle.cos), np.sqrt(1 - cos**2), atol=1e-7
        )


def test_barriers():
    """L = 3 and 2 beside each other, normalized at q0, constant far above."""
    square = jnp.array([[0.3, 1e8], [0.3, 1e8]])
    found = barrier(square, jnp.array([[0.5], [0.5]]), np.array([[3], [2]]), jnp.array([[1.5]]))

    def third(q2):
        z = q2 * 2.25
        return np.sqrt(z**3 / (225 + 45 * z + 6 * z**2 + z**3))

    def second(q2):
        z = q2 * 2.25
        return np.sqrt(z**2 / (9 + 3 * z + z**2))

    np.testing.assert_allclose(found[0], third(square[0]) / third(0.5), rtol=1e-12)
    np.testing.assert_allclose(found[1], second(square[1]) / second(0.5), rtol=1e-12)
