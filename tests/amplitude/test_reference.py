"""|M|^2 against numbers of MadGraph and of independent UFO amplitudes (tests/data/me2)."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fabgen

NAMES = (
    "epem_mupmum",
    "epem_ttx",
    "epem_ttx_wpbwmbx",
    "epem_wpwm",
    "epem_zh",
    "gg_ttx",
    "gg_ttxg",
    "gg_ttxuux",
    "gu_ttxu",
    "udx_ttxwp",
    "udx_wpg",
    "udx_wpwpwm",
    "uux_epem",
)
#: One for each kind of diagram; the others differ in their tables, which NumPy reads too.
COMPILED = ("epem_wpwm", "epem_ttx_wpbwmbx", "gg_ttxuux", "udx_wpwpwm")


@pytest.fixture
def reference(root):
    def read(name: str) -> dict:
        path = root / "tests" / "data" / "me2" / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8"))

    return read


def tolerance(momenta: np.ndarray) -> float:
    return 1e-8 if momenta.shape[1] <= 5 else 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_tables_agree_with_the_reference(name, reference, amplitudes):
    data = reference(name)
    momenta = np.array(data["momenta"])
    element = amplitudes(data["fabgen_process"], t_channel_width=data["t_channel_width"])
    values = element.squared(np.moveaxis(momenta, 0, -1), data["fabgen_parameters"])
    np.testing.assert_allclose(values, data["me2"], rtol=tolerance(momenta))


@pytest.mark.parametrize("name", COMPILED)
def test_matrix_element_agrees_with_the_reference(name, reference):
    data = reference(name)
    momenta = np.array(data["momenta"])
    element = fabgen.matrix_element(
        data["fabgen_process"],
        parameters=data["fabgen_parameters"],
        t_channel_width=data["t_channel_width"],
    )
    np.testing.assert_allclose(element(momenta), data["me2"], rtol=tolerance(momenta))


@pytest.mark.parametrize("name", NAMES)
def test_reference_momenta_are_what_the_process_says(name, reference, amplitudes, minkowski):
    """On shell with the model's masses, legs in the order of the process."""
    data = reference(name)
    momenta = np.moveaxis(np.array(data["momenta"]), 0, -1)
    masses = amplitudes(data["fabgen_process"], t_channel_width=data["t_channel_width"]).masses(
        data["fabgen_parameters"]
    )
    energy = momenta[0, 0] + momenta[1, 0]
    for p, mass in zip(momenta, masses, strict=True):
        np.testing.assert_allclose(minkowski(p, p), mass**2, atol=1e-8 * energy.max() ** 2)
    np.testing.assert_allclose(momenta[:2].sum(0), momenta[2:].sum(0), atol=1e-8 * energy.max())
