"""channels.use = "auto": which runs have a channel for every diagram."""

from __future__ import annotations

import pytest

from fabgen.card import card_from_table, with_channels


def use(**tables) -> str:
    card = card_from_table({"process": "e+ e- > w+ w-", **tables})
    return with_channels(card).channels.use


def test_runs_have_all():
    assert use() == "all"
    assert use(surrogate={"kind": "vegas"}) == "all"


@pytest.mark.parametrize(
    "method", ["variance", "fab", "fab-nobuffer", "rkld", "fkld", "kl-inverse"]
)
def test_every_method_has_all(method):
    assert use(training={"method": method}) == "all"


def test_without_maps_of_diagrams_there_is_nothing_to_decide():
    assert use(phase_space={"mapping": "rambo"}) == "auto"
    assert use(process="toy:camel-back") == "auto"
    dalitz = {"mapping": "dalitz"}
    decay = "Lambda_c+ > p K- pi+"
    assert use(process=decay, model="lc2pkpi", phase_space=dalitz) == "auto"
    assert use(process=decay, model="lc2pkpi") == "auto"


def test_what_the_card_says_stays():
    assert use(channels={"use": "one"}) == "one"
    assert use(channels={"use": "all"}, training={"method": "rkld"}) == "all"
