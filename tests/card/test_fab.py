"""Defaults of FAB's keys, and the keys of the annealing in physics."""

from __future__ import annotations

import pytest

from fabgen.card import card_from_table, dump_card
from fabgen.errors import InputError

MUONS = {"process": "e+ e- > mu+ mu-"}


def training(**table):
    return card_from_table(MUONS | {"training": table}).training


def test_chains_are_for_the_form_without_a_buffer():
    assert training(method="fab").fab.intermediate == 0
    assert training(method="fab-nobuffer").fab.intermediate == 2
    assert training(method="fab-nobuffer", fab={"updates": 3}).fab.intermediate == 2
    assert training(method="fab-nobuffer", fab={"intermediate": 0}).fab.intermediate == 0
    with pytest.raises(InputError, match="fab"):
        training(method="fab-nobuffer", fab=3)


def test_starts_of_parameters_are_values_or_factors():
    anneal = {"WT": 50.0, "WZ": "x30", "MT": -1}
    card = card_from_table(MUONS | {"training": {"method": "fab", "anneal": anneal}})
    assert dict(card.training.anneal) == anneal
    assert '[training.anneal]\nWT = 50.0\nWZ = "x30"\nMT = -1.0\n' in dump_card(card)


@pytest.mark.parametrize(
    "value", ["30", "x", "x-3", "x0", "xinf", "xnan", "y3", True, [3.0], float("nan"), float("inf")]
)
def test_other_starts_are_one_message(value):
    with pytest.raises(InputError) as error:
        training(method="fab", anneal={"WT": value})
    assert error.value.key == "training.anneal.WT"
    assert "number" in str(error.value)


@pytest.mark.parametrize("method", ["variance", "kl", "rkld-forward", "fkld", "auto"])
def test_methods_whose_f_stays_the_same_are_refused(method):
    with pytest.raises(InputError, match="f stays the same") as error:
        training(method=method, anneal={"WT": 50.0})
    assert error.value.key == "training.anneal.WT"
    assert "fab" in error.value.allowed
