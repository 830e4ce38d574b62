"""What training.method = "auto" makes of the other keys."""

from __future__ import annotations

import pytest

from fabgen.card import card_of_process, dump_card, load_card
from fabgen.card.auto import is_automatic, round_ends
from fabgen.errors import InputError

MUONS = "e+ e- > mu+ mu-"


def test_it_is_the_default(tmp_path):
    card = card_of_process(MUONS)
    training = card.training
    assert (training.method, card.surrogate.kind) == ("auto", "auto")
    assert (training.steps, training.skip_factor) == (10_000, float("inf"))
    assert training.auto.costs == "table"
    assert 'costs = "table"' in dump_card(card)
    (tmp_path / "card.toml").write_text(dump_card(card))
    assert load_card(tmp_path / "card.toml") == card
    assert card_of_process(MUONS, ["training.method=auto", "training.steps=7"]).training.steps == 7


@pytest.mark.parametrize(
    ("settings", "kind", "steps", "automatic"),
    [
        (("training.method=fab",), "flow", 400, False),
        (("training.method=fkld",), "flow", 0, False),
        (("training.method=rkld", "surrogate.kind=uniform"), "uniform", 400, False),
        (("surrogate.kind=flow",), "flow", 10_000, True),
        (("surrogate.kind=vegas",), "vegas", 10_000, False),
        (("surrogate.layers=2",), "auto", 10_000, True),
        (("preset=fab-paper-2d",), "flow", 3000, False),
        (("preset=fab-paper-8d", "training.method=auto"), "flow", 10**7, True),
    ],
)
def test_a_method_or_a_kind_of_its_own(settings, kind, steps, automatic):
    if "preset=fab-paper-8d" in settings:
        settings = (*settings, "training.schedule=cosine")
    card = card_of_process(MUONS, settings)
    assert (card.surrogate.kind, card.training.steps) == (kind, steps)
    assert is_automatic(card) is automatic


def test_presets_are_fab():
    card = card_of_process(MUONS, ["preset=fab-paper-2d"])
    assert (card.training.method, card.training.skip_factor) == ("fab", 20.0)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (("training.method=fab", "surrogate.kind=auto"), "surrogate.kind"),
        (("training.auto.efficiency=1.0",), "training.auto.efficiency"),
        (("training.auto.costs=guessed",), "training.auto.costs"),
        (("training.fkld.data=events.lhe",), "training.fkld.data"),
        (
            ("training.fkld.data=a.lhe", "training.method=fkld", "surrogate.kind=vegas"),
            "training.fkld.data",
        ),
        (("training.schedule=warmup-cosine",), "training.schedule"),
        (("training.schedule_updates=1000",), "training.schedule_updates"),
        (("channels.drop_below=0.1",), "channels.drop_below"),
    ],
)
def test_keys_that_contradict_each_other(settings, key):
    with pytest.raises(InputError) as caught:
        card_of_process(MUONS, settings)
    assert caught.value.key == key


def test_rounds_double():
    assert round_ends(10_000) == (256, 768, 1792, 3840, 7936, 10_000)
    assert round_ends(256) == (256,)
    assert round_ends(100) == (100,)
    assert round_ends(300) == (256, 300)
