"""The compiled function: shapes, parameters, gradients, and what the public call refuses."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fabgen
from fabgen.errors import InputError

SCATTERING = "u g > d w+"  # massless spinors and vectors along z, a massive vector
DECAY = "t > w+ b g"  # massive spinors, at rest


@pytest.fixture(scope="module")
def scattering():
    return fabgen.matrix_element(SCATTERING)


@pytest.fixture(scope="module")
def decay():
    return fabgen.matrix_element(DECAY)


@pytest.fixture(scope="module")
def beams_along_z(amplitudes):
    """Four points (4, legs, 4); in the last one the final particles fly along z too."""
    element = amplitudes(SCATTERING)
    points = np.moveaxis(element.points(300.0, 4), -1, 0)
    k = np.linalg.norm(points[:, 0, 1:], axis=-1)
    points[:, 0], points[:, 1] = ([np.array([e, 0.0, 0.0, s * e]) for e in k] for s in (1, -1))
    size = np.linalg.norm(points[-1, 2, 1:])
    points[-1, 2, 1:], points[-1, 3, 1:] = [0.0, 0.0, size], [0.0, 0.0, -size]
    return points


@pytest.fixture(scope="module")
def at_rest(amplitudes):
    return np.moveaxis(amplitudes(DECAY).points(0.0, 4), -1, 0)


def test_what_it_says_about_itself(scattering, decay):
    assert scattering.process == "u g > d w+"
    assert (scattering.n_external, decay.n_external) == (4, 4)
    assert scattering.n_diagrams == 2
    # The quarks are left-handed: two gluons times three spin states of the W.
    assert scattering.n_helicities == 6
    np.testing.assert_allclose(scattering.masses, [0, 0, 0, 80.419002], rtol=1e-7)
    np.testing.assert_allclose(decay.masses, [173.0, 80.419002, 4.7, 0.0], rtol=1e-7)


def test_values_are_those_of_the_tables(scattering, beams_along_z, amplitudes):
    expected = amplitudes(SCATTERING).squared(np.moveaxis(beams_along_z, 0, -1))
    np.testing.assert_allclose(scattering(beams_along_z), expected, rtol=1e-11)


def test_other_frames(scattering, beams_along_z, boosted):
    """Where beams are not back to back, nothing that was dropped may be missed."""
    momenta = np.moveaxis(beams_along_z, 0, -1)
    moving = np.moveaxis(boosted(momenta, (0.4, 0.1, -0.3)), -1, 0)
    np.testing.assert_allclose(scattering(moving), scattering(beams_along_z), rtol=1e-10)


def test_any_leading_shape(scattering, beams_along_z):
    values = scattering(beams_along_z)
    assert values.shape == (4,)
    assert values.dtype == jnp.float64
    np.testing.assert_array_equal(
        scattering(beams_along_z.reshape(2, 2, 4, 4)), values.reshape(2, 2)
    )
    assert scattering(beams_along_z[0]).shape == ()
    np.testing.assert_allclose(scattering(beams_along_z[0]), values[0], rtol=1e-13)


def test_blocks_of_events(scattering, amplitudes):
    """More events than a block, and not a multiple of it."""
    points = np.moveaxis(amplitudes(SCATTERING).points(300.0, 40), -1, 0)
    many = np.tile(points, (30, 1, 1))[:1101]
    values = np.array(scattering(many))
    np.testing.assert_allclose(values, np.resize(values[:40], 1101), rtol=1e-13)
    expected = amplitudes(SCATTERING).squared(np.moveaxis(points, 0, -1))
    np.testing.assert_allclose(values[:40], expected, rtol=1e-11)


def test_parameters_of_the_call(scattering, beams_along_z):
    values = scattering(beams_along_z)
    np.testing.assert_allclose(scattering(beams_along_z, {"aS": 0.236}), 2 * values, rtol=1e-12)
    couplings = np.array([0.1, 0.118, 0.2, 0.3])
    np.testing.assert_allclose(
        scattering(beams_along_z, {"aS": couplings}), values * couplings / 0.118, rtol=1e-12
    )


def test_parameters_of_the_construction(amplitudes, at_rest):
    """They stay as they were given, and those of a call go before them."""
    element = fabgen.matrix_element(DECAY, parameters={"aS": 0.2, "MB": 3.0})
    momenta = np.moveaxis(at_rest, 0, -1)
    expected = amplitudes(DECAY).squared(momenta, {"aS": 0.2, "MB": 3.0})
    np.testing.assert_allclose(element(at_rest), expected, rtol=1e-10)
    np.testing.assert_allclose(element(at_rest, {"aS": 0.1}), expected / 2, rtol=1e-10)
    np.testing.assert_allclose(element.masses, [173.0, 80.419002, 3.0, 0.0], rtol=1e-7)


# -- gradients -------------------------------------------------------------------------------------


def differences(function, x: np.ndarray, step: float) -> np.ndarray:
    """Central differences of function(x) (events,) in every leading entry of x (..., events)."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape[:-1]):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


@pytest.mark.parametrize("which", ["scattering", "decay"])
def test_gradient_in_momenta(which, request, amplitudes, beams_along_z, at_rest):
    """Of the path with numbers for parameters, where value and gradient come from one pass."""
    element = request.getfixturevalue(which)
    process, points = (SCATTERING, beams_along_z) if which == "scattering" else (DECAY, at_rest)
    slow = amplitudes(process)
    momenta = np.moveaxis(points, 0, -1)
    numbers = slow.derived()

    @jax.jit
    def value_and_gradient(p):
        return jax.value_and_grad(lambda q: jnp.log(element.evaluate(q, numbers)).sum())(p)

    value, gradient = value_and_gradient(momenta)
    np.testing.assert_allclose(value, np.log(slow.squared(momenta)).sum(), rtol=1e-11)
    expected = differences(lambda p: np.log(slow.squared(p)), momenta, 1e-4)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())
    assert np.abs(expected).max() > 1e-3


def test_gradient_in_parameters(decay, amplitudes, at_rest):
    """And of momenta in the same path: one value of alpha_s per event, everything traced."""
    slow = amplitudes(DECAY)
    momenta = np.moveaxis(at_rest, 0, -1)
    values = {"aS": 0.118, "MT": 173.0, "MB": 4.7, "aEWM1": 132.507, "MZ": 91.188, "Gf": 1.16639e-5}
    values |= {"WT": 1.4915, "WW": 2.0476}
    traced = {**values, "aS": jnp.full(4, 0.118)}

    def total(parameters, p):
        return jnp.log(decay(p, parameters)).sum()

    in_parameters, in_momenta = jax.grad(total, argnums=(0, 1))(traced, at_rest)
    for name, value in values.items():
        step = 1e-5 * value
        up, down = (slow.squared(momenta, {name: value + s}) for s in (step, -step))
        expected = (np.log(up) - np.log(down)) / (2 * step)
        got = in_parameters[name]
        expected = expected if jnp.ndim(got) else expected.sum()
        np.testing.assert_allclose(got, expected, rtol=2e-5, err_msg=name)
    expected = differences(lambda p: np.log(slow.squared(p)), momenta, 1e-4)
    np.testing.assert_allclose(
        np.moveaxis(in_momenta, 0, -1), expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max()
    )


# -- errors ----------------------------------------------------------------------------------------


def test_wrong_momenta(scattering):
    with pytest.raises(InputError, match=r"u g > d w\+ have the wrong shape") as error:
        scattering(np.zeros((3, 5, 4)))
    assert "(..., 4, 4)" in error.value.allowed


def test_unknown_parameter(scattering, beams_along_z):
    with pytest.raises(InputError, match="MX") as error:
        scattering(beams_along_z, {"MX": 1.0})
    assert "aEWM1" in error.value.allowed
    with pytest.raises(InputError, match="MX"):
        fabgen.matrix_element(SCATTERING, parameters={"MX": 1.0})


def test_derived_parameters_cannot_be_given():
    with pytest.raises(InputError, match="MW is not an external parameter"):
        fabgen.matrix_element(SCATTERING, parameters={"MW": 80.4})


def test_several_subprocesses():
    with pytest.raises(InputError, match="stands for 2 subprocesses") as error:
        fabgen.matrix_element("l+ l- > ta+ ta-")
    assert error.value.allowed == "e+ e- > ta+ ta-, mu+ mu- > ta+ ta-"


def test_without_diagrams():
    with pytest.raises(InputError, match="no diagrams"):
        fabgen.matrix_element("e+ e- > mu+ e-")


def test_unknown_model():
    with pytest.raises(InputError, match="unknown model"):
        fabgen.matrix_element(SCATTERING, model="mssm")


def test_massless_b_model(amplitudes):
    """Light b quarks are like d quarks, and have no Yukawa coupling."""
    element = amplitudes("g g > b b~", model="sm-no_b_mass")
    momenta = element.points(200.0, 2)
    light = amplitudes("g g > d d~")
    np.testing.assert_allclose(element.squared(momenta), light.squared(momenta), rtol=1e-12)
    with pytest.raises(InputError, match="no diagrams"):
        fabgen.matrix_element("h > b b~", model="sm-no_b_mass")
    with pytest.raises(InputError, match="MB"):
        fabgen.matrix_element("g g > b b~", model="sm-no_b_mass", parameters={"MB": 4.7})
