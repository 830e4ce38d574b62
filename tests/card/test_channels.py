"""channels.use = "auto": which runs have a channel for every diagram; channels.drop."""

from __future__ import annotations

import tomllib

import pytest

from fabgen.card import card_from_table, dump_card, with_channels
from fabgen.errors import InputError


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


@pytest.mark.parametrize("names", [[], ["zp"], ["Z", "w+"]])
def test_dropped_particles_read_back(names):
    card = card_from_table({"process": "e+ e- > w+ w-", "channels": {"drop": names}})
    assert card.channels.drop == tuple(names)
    assert card_from_table(tomllib.loads(dump_card(card))) == card


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ({"channels": {"drop": "zp"}}, "wrong type"),
        ({"channels": {"drop": [1]}}, "wrong type"),
        ({"phase_space": {"mapping": "rambo"}}, "need a map that follows them"),
        ({"channels": {"prior": "diagrams"}}, "needs a channel for every diagram"),
        ({"process": "toy:camel-back"}, "no diagrams"),
        ({"process": "Lambda_c+ > p K- pi+", "model": "lc2pkpi"}, "no diagrams"),
    ],
)
def test_where_nothing_can_be_dropped(tables, problem):
    table = {"process": "e+ e- > w+ w-", **tables}
    table["channels"] = {"drop": ["z"], **table.get("channels", {})}
    with pytest.raises(InputError, match=problem) as error:
        card_from_table(table)
    assert error.value.key == "channels.drop"
