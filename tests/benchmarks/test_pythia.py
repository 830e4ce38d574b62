"""The benchmark with Pythia 8: what it reads of event files, without Pythia."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.fixture(scope="module")
def pythia(pytestconfig):
    path = pytestconfig.rootpath / "benchmarks" / "pythia.py"
    spec = importlib.util.spec_from_file_location("benchmark_with_pythia", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_events_of_a_file(pythia, root):
    file = pythia.EventFile(root / "tests" / "events" / "golden.lhe")
    assert file.title()[0] == "e+ e- > a z, z > u u~"
    assert file.head.endswith("</init>\n")
    events = file.events([2, 3])
    assert list(events) == [2]
    assert events[2].split()[2] == "2.50000000000000e-01"
    assert events[2].endswith("</event>\n")


def test_balance_of_an_event(pythia, root):
    (event,) = pythia.EventFile(root / "tests" / "events" / "golden.lhe").events([1]).values()
    assert max(pythia.balance(event)) < 1e-15
    # the energy of the photon, and the mass of the Z
    imbalance, off_shell = pythia.balance(
        event.replace("3.20000000000000e+02", "3.20010000000000e+02", 1)
    )
    assert imbalance == pytest.approx(1e-5)
    assert off_shell > 1e-3
    assert pythia.balance(event.replace("6.00000000000000e+02", "6.01000000000000e+02"))[1] > 1e-3
    # momenta of the quarks, which the Z does not have
    event = event.replace("3.00000000000000e+02", "3.00001000000000e+02", 1)
    assert pythia.balance(event)[0] == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("complaint", "is_watched"),
    [
        ("Warning in Pythia::check: energy-momentum not quite conserved", True),
        ("Error in LHAupLHEF::setEvent: colour of no particle", True),
        ("Warning in SLHAinterface::initSLHA: ignoring MASS entries", False),
        ("Error in StringFragmentation::fragment: stuck in joining", False),
    ],
)
def test_complaints_about_files(pythia, complaint, is_watched):
    found = pythia.Shower(complaints={complaint: [0, 7, 7]})
    assert found.watched == ([(0, complaint), (7, complaint)] if is_watched else [])
