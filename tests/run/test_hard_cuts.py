"""Cross sections under cuts that leave little of the angles, against values known otherwise."""

from __future__ import annotations

import pytest

from fabgen.card import card_of_process
from fabgen.run import RunOptions, integrate

MUONS = "e+ e- > mu+ mu-"
ENERGIES = ("beams.energy=[500.0, 500.0]",)

#: Cuts, a seed, and the cross section in pb of 40 Gauss-Legendre points of cos(theta) at each end.
#: drll = 7 and ptlmax = 15 once missed a part at these seeds without a word.
CASES = [
    ("drll=7.0", 1, 6.10425e-4),
    ("etalmin=3.2", 4, 5.28531e-4),
    ("etalmin=4.5", 3, 3.93766e-5),
    ("ptlmax=15.0", 16, 7.18089e-5),
]


@pytest.mark.parametrize(("cut", "seed", "exact"), CASES, ids=[case[0] for case in CASES])
def test_a_strip_beside_a_cut_is_not_lost(cut, seed, exact, tmp_path):
    card = card_of_process(MUONS, (*ENERGIES, f"cuts.{cut}"), seed)
    report = integrate(card, tmp_path, RunOptions())
    assert report["warnings"] == []
    assert abs(report["integral"] - exact) < 4.0 * report["integral_error"]
    assert report["integral_error"] < 0.003 * exact
    assert report["sampling_efficiency"] > 0.6


@pytest.mark.parametrize(("samples", "taken"), [(1000, 4000), (100_000, 100_000)])
def test_a_sample_that_few_weights_decide_goes_on(samples, taken, tmp_path):
    """Half a per cent of the untrained points are inside: five of a thousand."""
    settings = ("surrogate.kind=uniform", "cuts.drll=7.0", f"evaluation.samples={samples}")
    report = integrate(card_of_process(MUONS, (*ENERGIES, *settings), 1), tmp_path, RunOptions())
    assert report["evaluation_samples"] == taken


def test_an_untrained_map_that_finds_nothing_has_no_figures(tmp_path):
    """A four-thousandth of the cube is inside: none of a hundred points, as a rule."""
    settings = (*ENERGIES, "cuts.etalmin=4.5", "evaluation.samples=100")
    report = integrate(card_of_process(MUONS, settings, 1), tmp_path, RunOptions())
    assert report["untrained"] is None
    assert report["integral"] > 0.0
