"""What a Python prompt shows: one short line for an object, public names for the package."""

from __future__ import annotations

import pydoc
import subprocess
import sys

import pytest

import fabgen
from fabgen.build import build_integrand
from fabgen.card.parser import card_from_table
from fabgen.model import load_model


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (
            {"process": "e+ e- > mu+ mu-"},
            "<ProcessIntegrand e+ e- > mu+ mu-: 2 dimensions, 1 channel, in pb>",
        ),
        (
            {"process": "e+ e- > l+ l-", "channels": {"use": "all"}, "cuts": {"ptl": 10.0}},
            "<ProcessIntegrand e+ e- > e+ e- and 1 more: 2 dimensions, 4 channels, in pb>",
        ),
        ({"process": "t > w+ b"}, "<ProcessIntegrand t > w+ b: 2 dimensions, 1 channel, in GeV>"),
        (
            {"process": "Lambda_c+ > p K- pi+", "model": "lc2pkpi"},
            "<DalitzIntegrand Lambda_c+ > p K- pi+: 2 dimensions, 1 channel, no unit>",
        ),
        (
            {"process": "toy:crossed-ring", "channels": {"maps": "ring line"}},
            "<ToyIntegrand crossed-ring: 2 dimensions, 2 channels, no unit>",
        ),
    ],
)
def test_integrands(table, text):
    assert repr(build_integrand(card_from_table(table))) == text


def test_matrix_elements_and_models():
    element = fabgen.matrix_element("g g > t t~")
    assert repr(element) == "<MatrixElement g g > t t~: 3 diagrams, 16 helicities>"
    assert repr(load_model("sm")) == "<Model sm: 30 particles, 58 vertices>"


def test_the_package_lists_its_public_names_only():
    public = ["__version__", "build_integrand", "load_card", "matrix_element"]
    assert dir(fabgen) == sorted(fabgen.__all__) == public
    text = pydoc.render_doc(fabgen, renderer=pydoc.plaintext)
    for name in public[1:]:
        assert f"\n    {name}(" in text
    script = "from fabgen import *; print(sorted(n for n in globals() if n[0] != '_'))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert output.stdout.strip() == str(public[1:])
