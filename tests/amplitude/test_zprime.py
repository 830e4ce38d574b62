"""|M|^2 with a Z' against that of the Z, and against a closed form with photon, Z and Z'."""

from __future__ import annotations

import numpy as np
import pytest

AS_Z = {"MZP": 91.188, "WZP": 2.441404}
HEAVY = {"MZP": 400.0, "WZP": 7.0, "kZP": 1.3, "kZPuL": -0.4, "kZPdR": 5.0, "kZPlL": 0.7}


def square(p):
    return p[0] ** 2 - (p[1:] ** 2).sum(axis=0)


@pytest.mark.parametrize(
    "process", ["u u~ > {} > e+ e-", "e+ e- > {} > ve ve~", "d d~ > {0} g, {0} > ta+ ta-"]
)
def test_a_z_in_another_place(process, amplitudes):
    """With the mass and the width of the Z, where only one of the two is there."""
    zprime = amplitudes(process.format("zp") + " / z", model="sm-zprime")
    z = amplitudes(process.format("z"))
    p = z.points(200.0, 3)
    np.testing.assert_allclose(zprime.squared(p, AS_Z), z.squared(p), rtol=1e-12)


@pytest.mark.parametrize("process", ["u u~ > e+ e-", "e+ e- > e+ e-", "u d~ > w+ ta+ ta-"])
def test_without_couplings_nothing_changes(process, amplitudes):
    zprime, sm = amplitudes(process, model="sm-zprime"), amplitudes(process)
    p = sm.points(350.0, 3)
    assert zprime.graph.n_diagrams > sm.graph.n_diagrams
    np.testing.assert_allclose(zprime.squared(p, {"kZP": 0.0}), sm.squared(p), rtol=1e-12)
    assert not np.allclose(zprime.squared(p), sm.squared(p), rtol=1e-6)


@pytest.mark.parametrize(("quark", "charge", "isospin"), [("u", 2 / 3, 0.5), ("d", -1 / 3, -0.5)])
@pytest.mark.parametrize("sqrt_s", [91.0, 390.0, 800.0])
def test_drell_yan(quark, charge, isospin, sqrt_s, amplitudes):
    """Fermions without mass: 4/N sum of u^2 |G_LL|^2, t^2 |G_LR|^2, ..., a quarter for spins.

    G = sum over bosons of both couplings over s - M^2 + i M Gamma.
    """
    element = amplitudes(f"{quark} {quark}~ > mu- mu+", model="sm-zprime")
    p = element.points(sqrt_s, 4)
    s, t, u = square(p[0] + p[1]), square(p[0] - p[2]), square(p[0] - p[3])
    values = {**element.model.external, **HEAVY}
    derived = element.derived(HEAVY)
    sw2, e2 = float(derived["sw2"]), float(derived["ee"]) ** 2

    def of_z(t3, q):
        """Left and right, times g/cos(theta_W) = e/(sin cos)."""
        return np.array([t3 - q * sw2, -q * sw2])

    quarks, leptons = of_z(isospin, charge), of_z(-0.5, -1.0)
    kinds = values["kZP"] * np.array([values[f"kZP{quark}L"], values[f"kZP{quark}R"]])
    lepton_factors = values["kZP"] * np.array([values["kZPlL"], values["kZPlR"]])

    def propagator(mass, width):
        return 1 / (s - mass**2 + 1j * mass * width)

    z = np.multiply.outer(quarks, leptons)[..., None] / (sw2 * (1 - sw2))
    zp = np.multiply.outer(quarks * kinds, leptons * lepton_factors)[..., None]
    g = e2 * (
        -charge / s
        + z * propagator(values["MZ"], values["WZ"])
        + zp / (sw2 * (1 - sw2)) * propagator(values["MZP"], values["WZP"])
    )
    same = abs(g[0, 0]) ** 2 + abs(g[1, 1]) ** 2
    opposite = abs(g[0, 1]) ** 2 + abs(g[1, 0]) ** 2
    expected = (u**2 * same + t**2 * opposite) / 3
    np.testing.assert_allclose(element.squared(p, HEAVY), expected, rtol=1e-11)
