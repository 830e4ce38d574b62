"""Helicity weights: their sum is |M|^2, and their shares and signs are those of closed forms.

W pairs: K. Hagiwara, R.D. Peccei, D. Zeppenfeld, K. Hikasa, Nucl. Phys. B282 (1987) 253. Gluons:
S.J. Parke, T.R. Taylor, Phys. Rev. Lett. 56 (1986) 2459. W helicities in top decays with the mass
of the b: M. Fischer et al., Phys. Rev. D65 (2002) 054036.
"""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

import fabgen


class Weights:
    """Helicity weights by combination, for n points of a process in random directions."""

    def __init__(self, process: str, momenta: np.ndarray):
        self.element = _element(process)
        self.momenta = momenta
        self.derived = self.element.model.derive(self.element.parameters)
        self.values = np.asarray(_compiled(process)(momenta, self.derived)[1])
        self.rows = {tuple(row): i for i, row in enumerate(self.element.helicities.tolist())}

    def __getitem__(self, helicities: tuple[int, ...]) -> np.ndarray:
        """Zero for combinations that are not evaluated."""
        row = self.rows.get(helicities)
        return np.zeros(self.values.shape[-1]) if row is None else self.values[row]

    @property
    def total(self) -> np.ndarray:
        return self.values.sum(axis=0)

    def of(self, **legs: int) -> np.ndarray:
        """Summed over all combinations in which leg1=h, leg2=h, ... have these helicities."""
        table = self.element.helicities
        kept = np.all([table[:, int(leg[3:])] == h for leg, h in legs.items()], axis=0)
        return self.values[kept].sum(axis=0)


@functools.cache
def _element(process: str):
    return fabgen.matrix_element(process)


@functools.cache
def _compiled(process: str):
    return jax.jit(_element(process).weights)


@pytest.fixture(scope="module")
def weights(amplitudes):
    """weights(process, sqrt_s, n=4): at points in the rest frame of the total."""

    def make(process: str, sqrt_s: float, n: int = 4) -> Weights:
        return Weights(process, amplitudes(process).points(sqrt_s, n))

    return make


def cosine(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Of the angle between two momenta (4, events)."""
    return (p[1:] * q[1:]).sum(axis=0) / (_size(p) * _size(q))


def _size(p: np.ndarray) -> np.ndarray:
    return np.linalg.norm(p[1:], axis=0)


@pytest.mark.parametrize(
    "process",
    [
        "e+ e- > mu+ mu-",
        "e+ e- > w+ w-",
        "g g > t t~",
        "u d~ > w+ z",
        "e+ e- > z h",
        "t > w+ b",
        "b b~ > ta+ ta-",
        "e+ e- > t t~, t > w+ b, t~ > w- b~",
    ],
)
def test_sums(process, weights, boosted):
    """Over helicities: |M|^2. The flows are those of flow_weights, in another basis of spins."""
    made = weights(process, 600.0)
    element, derived = made.element, made.derived
    assert made.values.shape == (element.n_helicities, 4)
    assert element.helicities.shape == (element.n_helicities, element.n_external)
    moving = Weights(process, boosted(made.momenta, (0.3, -0.2, 0.5)))
    for each in (made, moving):
        squared = jax.jit(element.evaluate)(each.momenta, derived)
        np.testing.assert_allclose(each.total, squared, rtol=1e-11)
    flows, alone = _compiled(process)(made.momenta, derived)
    np.testing.assert_allclose(
        flows, jax.jit(element.flow_weights)(made.momenta, derived), rtol=1e-10
    )
    np.testing.assert_allclose(
        alone, jax.jit(element.helicity_weights)(made.momenta, derived), rtol=1e-12
    )


def test_many_events_in_blocks(weights):
    """More events than a block, and not a multiple of it."""
    few = weights("e+ e- > w+ w-", 600.0)
    many = np.tile(few.momenta, (1, 1, 300))[..., :1101]
    values = Weights("e+ e- > w+ w-", many).values
    np.testing.assert_allclose(values, np.tile(few.values, (1, 300))[:, :1101], rtol=1e-12)


@pytest.mark.parametrize("sqrt_s", [60.0, 91.188, 200.0])
def test_muon_pairs(sqrt_s, weights):
    """|M|^2 = s^2 |e^2/s + g g'/(s - M^2 + i M W)|^2 (1 +- cos)^2 for e- and mu- of chiralities
    with couplings g and g' to the Z: the plus sign for equal ones. e+ and mu+ are opposite.
    """
    made = weights("e+ e- > mu+ mu-", sqrt_s)
    p, s = made.derived, sqrt_s**2
    c = cosine(made.momenta[1], made.momenta[3])
    unit = p["ee"] / np.sqrt(p["sw2"] * (1 - p["sw2"]))
    g = {-1: unit * (-0.5 + p["sw2"]), 1: unit * p["sw2"]}
    assert set(made.rows) == {(-e, e, -m, m) for e in g for m in g}
    for e in g:
        for m in g:
            boson = g[e] * g[m] / (s - p["MZ"] ** 2 + 1j * p["MZ"] * p["WZ"])
            expected = s**2 * abs(p["ee"] ** 2 / s + boson) ** 2 * (1 + e * m * c) ** 2 / 4
            np.testing.assert_allclose(made[-e, e, -m, m], expected, rtol=1e-10)


@pytest.mark.parametrize("incoming", [False, True])
def test_massive_pairs(incoming, weights):
    """Taus and photons: (1 +- cos)^2 for opposite helicities, sin^2 / gamma^2 for equal ones."""
    process = "ta+ ta- > e+ e- / z h" if incoming else "e+ e- > ta+ ta- / z h"
    made = weights(process, 6.0)
    c = cosine(made.momenta[1], made.momenta[3])
    gamma = 3.0 / made.derived["MTA"]
    for e in (-1, 1):
        for plus in (-1, 1):
            for minus in (-1, 1):
                spins = (1 + e * minus * c) ** 2 if plus != minus else (1 - c**2) / gamma**2
                taus, others = (plus, minus), (-e, e)
                key = (*taus, *others) if incoming else (*others, *taus)
                np.testing.assert_allclose(
                    made[key], made.derived["ee"] ** 4 * spins / 4, rtol=1e-9
                )


def top_decay(mt: float, mw: float, mb: float) -> dict[tuple[int, int], float]:
    """|M|^2 of t > w+ b at rest by helicities of W and b, without constants.

    The spinor of the left-handed b is sqrt(E + p) for helicity -1/2 and sqrt(E - p) for +1/2, and
    the b takes them with the amplitude (E_W +- p)/M_W or, flipping the spin, sqrt(2).
    """
    energy = (mt**2 + mb**2 - mw**2) / (2 * mt)
    p = np.sqrt(energy**2 - mb**2)
    w = mt - energy
    return {
        (0, -1): (energy + p) * ((w + p) / mw) ** 2,
        (0, 1): (energy - p) * ((w - p) / mw) ** 2,
        (-1, -1): 2 * (energy + p),
        (1, 1): 2 * (energy - p),
    }


@pytest.mark.parametrize(("process", "sign"), [("t > w+ b", 1), ("t~ > w- b~", -1)])
def test_top_decay(process, sign, weights):
    """By W, b and spin of the top along z; everything is opposite for the antitop.

    A spin along the W leads to (0, -1) and (1, 1), one against it to (0, 1) and (-1, -1).
    """
    made = weights(process, 0.0)
    p = made.derived
    expected = top_decay(*(float(p[name]) for name in ("MT", "MW", "MB")))
    total = sum(expected.values())
    along = made.momenta[1, 3] / _size(made.momenta[1])
    for (w, b), value in expected.items():
        spin = 1 if (w, b) in ((0, -1), (1, 1)) else -1
        for top in (-1, 1):
            share = value / total * (1 + top * spin * along) / 2
            np.testing.assert_allclose(
                made[sign * top, sign * w, sign * b] / made.total, share, rtol=1e-8
            )


def test_fractions_of_top_decays(weights):
    """F_L, F_-, F_+ with x = M_W/M_t and y = M_b/M_t; without y: 1, 2 x^2 and 0 over 1 + 2 x^2."""
    made = weights("t > w+ b", 0.0)
    p = made.derived
    x, y = p["MW"] / p["MT"], p["MB"] / p["MT"]
    root = np.sqrt(1 + x**4 + y**4 - 2 * x**2 - 2 * y**2 - 2 * x**2 * y**2)
    parts = {
        0: (1 - y**2) ** 2 - x**2 * (1 + y**2),
        -1: x**2 * (1 - x**2 + y**2 + root),
        1: x**2 * (1 - x**2 + y**2 - root),
    }
    for w, part in parts.items():
        np.testing.assert_allclose(
            made.of(leg1=w) / made.total, part / sum(parts.values()), rtol=1e-8
        )


def test_fractions_without_b_mass():
    element = fabgen.matrix_element("t > w+ b", model="sm-no_b_mass")
    mt, mw, _ = element.masses
    energy = (mt**2 + mw**2) / (2 * mt)
    k = mt - energy
    n = np.array([0.48, -0.6, 0.64])
    momenta = np.array([[mt, 0, 0, 0], [energy, *(k * n)], [k, *(-k * n)]])[..., None]
    values = element.helicity_weights(momenta, element.model.derive(element.parameters))
    w = element.helicities[:, 1]
    fractions = [values[w == h].sum() / values.sum() for h in (0, -1, 1)]
    total = mt**2 + 2 * mw**2
    np.testing.assert_allclose(fractions, [mt**2 / total, 2 * mw**2 / total, 0], atol=1e-12)


def test_helicities_are_those_of_the_frame(weights, boosted):
    """Overtaken by the frame, a W turns round: its transverse helicities are exchanged."""
    made = weights("t > w+ b", 0.0, 1)
    w = made.momenta[1, :, 0]
    overtaken = Weights("t > w+ b", boosted(made.momenta, -0.98 * w[1:] / np.linalg.norm(w[1:])))
    assert cosine(overtaken.momenta[1], made.momenta[1])[0] < 0
    for h in (-1, 0, 1):
        np.testing.assert_allclose(overtaken.of(leg1=h), made.of(leg1=-h), rtol=1e-8)
        if h:  # the b only becomes faster
            np.testing.assert_allclose(overtaken.of(leg2=h), made.of(leg2=h), rtol=1e-8)


@pytest.mark.parametrize(
    ("direction", "velocity"),
    [((0, 0, 1), 0.0), ((0, 0, -1), 0.0), ((0, 1, 0), 0.0), ((0, 0, -1), 1e-14), ((0, 0, 1), 0.7)],
)
def test_special_directions(direction, velocity, weights, boosted):
    """Along the axes, for a top at rest, at rest up to rounding, or moving along with its W."""
    made = weights("t > w+ b", 0.0, 1)
    n = np.array(direction, dtype=float)
    momenta = made.momenta.copy()
    k = _size(momenta[1])[0]
    momenta[0, 1:, 0], momenta[1, 1:, 0], momenta[2, 1:, 0] = velocity * 173.0 * n, k * n, -k * n
    if velocity > 0.1:
        momenta[0, 1:] = 0.0
        momenta = boosted(momenta, velocity * n)
    turned = Weights("t > w+ b", momenta)
    np.testing.assert_allclose(turned.total, made.total, rtol=1e-9)
    np.testing.assert_allclose(turned.of(leg1=0), made.of(leg1=0), rtol=1e-8)
    # Longitudinal with a left-handed b: the spin of the top is along the W.
    sign = n[2] if velocity < 0.1 else 1
    if sign:
        assert turned[int(sign), 0, -1] / turned.of(leg1=0, leg2=-1) == pytest.approx(1)


@pytest.mark.parametrize("process", ["g g > g g", "g g > g g g"])
def test_gluons(process, weights):
    """All outgoing: <ij>^8 for i and j of negative helicity, [ij]^8 for two positive ones."""
    made = weights(process, 300.0)
    p = made.momenta
    n = len(p)
    outgoing = np.where(np.arange(n) < 2, -1, 1)
    signs = made.element.helicities * outgoing
    shares = []
    for row in signs:
        sign = -1 if (row == -1).sum() == 2 else 1
        pair = np.flatnonzero(row == sign)
        assert len(pair) == 2
        q = (outgoing[pair][:, None, None] * p[pair]).sum(axis=0)
        shares.append((q[0] ** 2 - (q[1:] ** 2).sum(axis=0)) ** 4)
    assert len(shares) == {4: 6, 5: 20}[n]
    np.testing.assert_allclose(made.values / made.total, shares / np.sum(shares, axis=0), rtol=1e-8)


def test_quarks_and_gluons(weights, minkowski):
    """All outgoing: <ai>^3 <bi> for a quark a and a gluon i of negative helicity, b the other."""
    made = weights("u u~ > g g", 300.0)
    p = made.momenta
    assert set(made.rows) == {(h, -h, g, -g) for h in (-1, 1) for g in (-1, 1)}
    shares = []
    for u, _, g, _ in made.rows:
        a, b = (1, 0) if u == -1 else (0, 1)  # incoming: the one of positive helicity
        i = 2 if g == -1 else 3
        shares.append(minkowski(p[a], p[i]) ** 3 * minkowski(p[b], p[i]))
    np.testing.assert_allclose(made.values / made.total, shares / np.sum(shares, axis=0), rtol=1e-9)


def test_higgs_strahlung(weights):
    """d^1 functions of the angle between e- and Z, E/M for the longitudinal Z."""
    made = weights("e+ e- > z h", 300.0)
    p = made.derived
    c = cosine(made.momenta[1], made.momenta[2])
    boost = made.momenta[2, 0] / p["MZ"]
    couplings = {-1: (-0.5 + p["sw2"]) ** 2, 1: p["sw2"] ** 2}
    shares = {}
    for e, coupling in couplings.items():
        for z in (-1, 1):
            shares[-e, e, z, 0] = coupling * (1 + e * z * c) ** 2 / 4
        shares[-e, e, 0, 0] = coupling * boost**2 * (1 - c**2) / 2
    assert set(shares) == set(made.rows)
    for key, share in shares.items():
        np.testing.assert_allclose(made[key] / made.total, share / sum(shares.values()), rtol=1e-9)


def test_w_pairs(weights):
    """Those of |helicity difference| 2, from the neutrino alone, and all of right-handed electrons,
    from photon and Z: |M|^2 = 2 e^4 |f|^2 d^2, angles between e- and W-.
    """
    made = weights("e+ e- > w+ w-", 250.0)
    p, s = made.derived, 250.0**2
    c = cosine(made.momenta[1], made.momenta[3])
    gamma = 125.0 / p["MW"]
    beta = np.sqrt(1 - 1 / gamma**2)
    neutrino = np.sqrt(2) / p["sw2"] / (1 + beta**2 - 2 * beta * c)
    boson = 1 - s / (s - p["MZ"] ** 2 + 1j * p["MZ"] * p["WZ"])
    for minus in (-1, 1):
        d = (1 - minus * c) / 2 * np.sqrt(1 - c**2)
        expected = 2 * p["ee"] ** 4 * (neutrino * d) ** 2 / 4
        np.testing.assert_allclose(made[1, -1, -minus, minus], expected, rtol=1e-9)
        assert np.all(made[-1, 1, -minus, minus] < 1e-20 * made.total)
    for plus in (-1, 0, 1):
        for minus in (-1, 0, 1):
            difference = minus - plus
            if abs(difference) == 2:
                continue
            size = {0: 1.0, 1: 2 * gamma, 2: 1 + 2 * gamma**2}[(plus == 0) + (minus == 0)]
            d = (1 + difference * c) / 2 if difference else np.sqrt((1 - c**2) / 2)
            expected = 2 * p["ee"] ** 4 * abs(beta * size * boson * d) ** 2 / 4
            np.testing.assert_allclose(made[-1, 1, plus, minus], expected, rtol=1e-9)


def test_parity(weights):
    """QCD: opposite helicities at opposite momenta. The weak decay of the top has no such twin."""
    for process, same in (("g g > t t~", True), ("t > w+ b", False)):
        made = weights(process, 500.0)
        mirrored = made.momenta.copy()
        mirrored[:, 1:] *= -1
        other = Weights(process, mirrored)
        opposite = np.array([other[tuple(-h for h in row)] for row in made.rows])
        assert np.allclose(opposite, made.values, rtol=1e-9, atol=1e-12) == same
        np.testing.assert_allclose(other.total, made.total, rtol=1e-9)
