"""|M|^2 against closed forms of the literature.

Quarks and gluons: R.K. Ellis, W.J. Stirling, B.R. Webber, QCD and Collider Physics, chapters 7 and
10 (heavy quarks: B.L. Combridge, Nucl. Phys. B151 (1979) 429). Decays and Higgs production: A.
Djouadi, Phys. Rept. 457 (2008) 1.
"""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def at(amplitudes):
    """at(process, sqrt_s) -> |M|^2 of four points, Mandelstam s, t, u, derived parameters."""

    def evaluate(process: str, sqrt_s: float = 300.0, **options):
        element = amplitudes(process, **options)
        p = element.points(sqrt_s, 4)

        def square(q):
            return q[0] ** 2 - (q[1:] ** 2).sum(axis=0)

        s, t, u = square(p[0] + p[1]), square(p[0] - p[2]), square(p[0] - p[3])
        return element.squared(p), (s, t, u), element.derived()

    return evaluate


QCD = {
    # massless 2 -> 2, in units of g_s^4, with identical-particle factors of the final state
    "u c > u c": lambda s, t, u: 4 / 9 * (s**2 + u**2) / t**2,
    "u u > u u": lambda s, t, u: (
        (4 / 9 * ((s**2 + u**2) / t**2 + (s**2 + t**2) / u**2) - 8 / 27 * s**2 / (t * u)) / 2
    ),
    "u u~ > c c~": lambda s, t, u: 4 / 9 * (t**2 + u**2) / s**2,
    "u u~ > u u~": lambda s, t, u: (
        4 / 9 * ((s**2 + u**2) / t**2 + (t**2 + u**2) / s**2) - 8 / 27 * u**2 / (s * t)
    ),
    "u u~ > g g": lambda s, t, u: (
        (32 / 27 * (t**2 + u**2) / (t * u) - 8 / 3 * (t**2 + u**2) / s**2) / 2
    ),
    "g g > u u~": lambda s, t, u: 1 / 6 * (t**2 + u**2) / (t * u) - 3 / 8 * (t**2 + u**2) / s**2,
    "g u > g u": lambda s, t, u: -4 / 9 * (s**2 + u**2) / (s * u) + (u**2 + s**2) / t**2,
    "g g > g g": lambda s, t, u: 9 / 4 * (3 - t * u / s**2 - s * u / t**2 - s * t / u**2),
}


@pytest.mark.parametrize("process", QCD)
def test_massless_qcd(process, at):
    value, stu, p = at(f"{process} QED=0")
    np.testing.assert_allclose(value, p["G"] ** 4 * QCD[process](*stu), rtol=1e-11)


@pytest.mark.parametrize(
    ("process", "factor"),
    [
        ("g g > t t~", lambda a, b: 1 / (6 * a * b) - 3 / 8),
        ("u u~ > t t~", lambda a, b: 4 / 9),
    ],
)
def test_heavy_quark_pairs(process, factor, at):
    value, (s, t, u), p = at(f"{process} QED=0", 500.0)
    m2 = p["MT"] ** 2
    a, b, rho = (m2 - t) / s, (m2 - u) / s, 4 * m2 / s
    if process[0] == "g":
        spins = a**2 + b**2 + rho - rho**2 / (4 * a * b)
    else:
        spins = a**2 + b**2 + rho / 2
    np.testing.assert_allclose(value, p["G"] ** 4 * factor(a, b) * spins, rtol=1e-10)


QED = {
    # massless 2 -> 2 with photons only, in units of e^4
    "e+ e- > mu+ mu- / z h": lambda s, t, u: 2 * (t**2 + u**2) / s**2,
    "e- mu- > e- mu- / z": lambda s, t, u: 2 * (s**2 + u**2) / t**2,
    "e+ e- > e+ e- / z": lambda s, t, u: (
        2 * ((u**2 + s**2) / t**2 + 2 * u**2 / (s * t) + (u**2 + t**2) / s**2)
    ),
    "e- e- > e- e- / z": lambda s, t, u: (
        (s**2 + u**2) / t**2 + 2 * s**2 / (t * u) + (s**2 + t**2) / u**2
    ),
    "e+ e- > a a": lambda s, t, u: t / u + u / t,
    "e- a > e- a": lambda s, t, u: -2 * (u / s + s / u),
    "u u~ > a a": lambda s, t, u: (2 / 3) ** 4 / 3 * (t / u + u / t),
}


@pytest.mark.parametrize("process", QED)
def test_massless_qed(process, at):
    value, stu, p = at(process)
    np.testing.assert_allclose(value, p["ee"] ** 4 * QED[process](*stu), rtol=1e-11)


@pytest.mark.parametrize(
    ("final", "kind", "charge"), [("mu+ mu-", "l", -1), ("u~ u", "u", 2 / 3), ("d~ d", "d", -1 / 3)]
)
def test_pair_production_through_photon_and_z(final, kind, charge, at):
    """Chirality by chirality: (photon + Z)^2 u^2 or t^2."""
    value, (s, t, u), p = at(f"e+ e- > {final}", 120.0)
    z = 1 / (s - p["MZ"] ** 2 + 1j * p["MZ"] * p["WZ"])
    expected = 0.0
    for chirality in ("left", "right"):
        for other in ("left", "right"):
            # e+ comes in first: t = (p(e+) - p(f~))^2 = (p(e-) - p(f))^2
            momenta = u if chirality == other else t
            couplings = p[f"z_l_{chirality}"].imag * p[f"z_{kind}_{other}"].imag
            amplitude = -charge * p["ee"] ** 2 / s + couplings * z
            expected += np.abs(amplitude) ** 2 * momenta**2
    colours = 1 if kind == "l" else 3
    np.testing.assert_allclose(value, colours * expected, rtol=1e-11)


def test_higgs_strahlung(at):
    value, (s, t, u), p = at("e+ e- > z h", 250.0)
    mz2 = p["MZ"] ** 2
    couplings = (p["z_l_left"].imag ** 2 + p["z_l_right"].imag ** 2) * p["zzh"].imag ** 2
    propagator = 1 / ((s - mz2) ** 2 + mz2 * p["WZ"] ** 2)
    k1, k2 = (mz2 - t) / 2, (mz2 - u) / 2  # products of the beams with the Z
    np.testing.assert_allclose(
        value, couplings * propagator * (s + 4 * k1 * k2 / mz2) / 4, rtol=1e-10
    )


def test_photons_to_w_pairs(at):
    """A. Denner, S. Dittmaier, R. Schuster, Nucl. Phys. B452 (1995) 80.

    Both propagators are space-like, so that no width enters.
    """
    value, (s, t, u), p = at("a a > w+ w-", 300.0)
    m2 = p["MW"] ** 2
    x = s / ((m2 - t) * (m2 - u))
    expected = 1 - 2 / 3 * x * (2 * s + 3 * m2) + 2 / 3 * x**2 * (s**2 + 3 * m2**2)
    np.testing.assert_allclose(value, 6 * p["ee"] ** 4 * expected, rtol=1e-9)


def test_higgs_self_scattering(at):
    """Quartic vertex and three exchanges; the width stands in the s-channel only."""
    value, (s, t, u), p = at("h h > h h", 400.0)
    m2 = p["MH"] ** 2
    propagators = 1 / (s - m2 + 1j * p["MH"] * p["WH"]) + 1 / (t - m2) + 1 / (u - m2)
    amplitude = -3 * m2 / p["vev"] ** 2 * (1 + 3 * m2 * propagators)
    np.testing.assert_allclose(value, np.abs(amplitude) ** 2 / 2, rtol=1e-11)


def gauge_width(x, y):
    """Of t > W b in units of g^2 m_t^4 / (4 m_W^2), x = (m_W/m_t)^2, y = (m_b/m_t)^2."""
    return (1 - y) ** 2 + x * (1 + y) - 2 * x**2


DECAYS = {
    "t > w+ b": lambda p: (
        (p["ee"] ** 2 / p["sw2"])
        * p["MT"] ** 4
        / (4 * p["MW"] ** 2)
        * gauge_width((p["MW"] / p["MT"]) ** 2, (p["MB"] / p["MT"]) ** 2)
    ),
    "h > b b~": lambda p: 6 * (p["ymb"] / p["vev"]) ** 2 * (p["MH"] ** 2 - 4 * p["MB"] ** 2),
    "h > ta+ ta-": lambda p: 2 * (p["ymtau"] / p["vev"]) ** 2 * (p["MH"] ** 2 - 4 * p["MTA"] ** 2),
    "z > mu+ mu-": lambda p: (
        2 / 3 * p["MZ"] ** 2 * (p["z_l_left"].imag ** 2 + p["z_l_right"].imag ** 2)
    ),
    "z > ve ve~": lambda p: 2 / 3 * p["MZ"] ** 2 * p["ee"] ** 2 / (p["sw2"] * (1 - p["sw2"])) / 4,
    "z > u u~": lambda p: 2 * p["MZ"] ** 2 * (p["z_u_left"].imag ** 2 + p["z_u_right"].imag ** 2),
    "w+ > e+ ve": lambda p: p["ee"] ** 2 / p["sw2"] * p["MW"] ** 2 / 3,
    "w+ > u d~": lambda p: p["ee"] ** 2 / p["sw2"] * p["MW"] ** 2,
}


@pytest.mark.parametrize("process", DECAYS)
def test_two_body_decays(process, amplitudes):
    """They do not depend on angles, so |M|^2 is the width up to the volume of phase space."""
    element = amplitudes(process)
    value = element.squared(element.points(0.0, 3))
    np.testing.assert_allclose(value, DECAYS[process](element.derived()), rtol=1e-10)


@pytest.mark.parametrize(
    ("process", "boson", "symmetry"), [("h > w+ w-", "MW", 1), ("h > z z", "MZ", 2)]
)
def test_heavy_higgs(process, boson, symmetry, amplitudes):
    element, parameters = amplitudes(process), {"MH": 400.0}
    p = element.derived(parameters)
    x = 4 * p[boson] ** 2 / p["MH"] ** 2
    expected = p["MH"] ** 4 / p["vev"] ** 2 * (1 - x + 3 / 4 * x**2) / symmetry
    value = element.squared(element.points(0.0, 2, parameters=parameters), parameters)
    np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_couplings_are_those_of_the_electroweak_inputs(amplitudes):
    """z > mu+ mu- follows aEWM1, Gf and MZ, and a parameter that is given as a number."""
    element = amplitudes("z > mu+ mu-")
    for parameters in ({"aEWM1": 128.0}, {"Gf": 1.2e-5}, {"MZ": 95.0}):
        value = element.squared(element.points(0.0, 1, parameters=parameters), parameters)
        expected = DECAYS["z > mu+ mu-"](element.derived(parameters))
        np.testing.assert_allclose(value, expected, rtol=1e-10)


# Terms of single diagrams grow like s^2 / M^4 for longitudinal bosons; gauge and Higgs couplings
# together cancel them (B.W. Lee, C. Quigg, H.B. Thacker, Phys. Rev. D16 (1977) 1519).
UNITARY = {
    # process -> parameters; fermions are heavy where their mass matters
    "w+ w- > z z": {},
    "w+ w- > w+ w-": {},
    "w+ z > w+ z": {},
    "z z > h h": {},
    "w+ w- > h h": {},
    "w+ w- > t t~": {},
    "w+ w- > ve ve~": {},
    "w+ w- > b b~": {"MB": 150.0, "ymb": 150.0},
    "w+ w- > ta+ ta-": {"MTA": 150.0, "ymtau": 150.0},
}


def angle(element, sqrt_s, cosine, parameters):
    """One point of a 2 -> 2 process at a given angle."""
    m = element.masses(parameters)

    def pair(first, second, direction):
        k = np.sqrt((sqrt_s**2 - (first + second) ** 2) * (sqrt_s**2 - (first - second) ** 2)) / (
            2 * sqrt_s
        )
        return [
            [np.hypot(first, k), *(k * direction)],
            [np.hypot(second, k), *(-k * direction)],
        ]

    out = np.array([np.sqrt(1 - cosine**2), 0.0, cosine])
    return np.array([*pair(*m[:2], np.array([0.0, 0.0, 1.0])), *pair(*m[2:], out)])[..., None]


def growth(element, parameters) -> float:
    """|M|^2 at 20 TeV over that at 5 TeV, at the same angle."""
    low, high = (
        element.squared(angle(element, energy, 0.3, parameters), parameters)[0]
        for energy in (5e3, 20e3)
    )
    assert low > 0
    return high / low


@pytest.mark.parametrize("process", UNITARY)
def test_high_energies(process, amplitudes, no_widths):
    parameters = {**no_widths, **UNITARY[process]}
    assert growth(amplitudes(process), parameters) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("process", UNITARY)
def test_single_diagrams_grow(process, amplitudes, no_widths):
    """Nothing cancels without the Higgs boson, or one other diagram: the test above can fail."""
    massive = any(name in process for name in ("t t~", "b b~", "ta+"))
    element = (
        amplitudes(f"{process} / h") if massive else amplitudes(process, merge=False, leave_out=0)
    )
    assert growth(element, {**no_widths, **UNITARY[process]}) > 3


def test_higgs_potential(amplitudes, no_widths):
    """Three Higgs bosons: |M|^2 falls like 1/s only with all of its couplings."""
    element = amplitudes("z z > h h h")
    low, high = (
        energy**2 * element.squared(element.points(energy, 2, seed=4), no_widths)
        for energy in (10e3, 30e3)
    )
    np.testing.assert_allclose(high / low, 1.0, atol=0.05)
