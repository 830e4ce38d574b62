"""The length of a training: steps, or epochs with fkld."""

from __future__ import annotations

import pytest

from fabgen.card import card_from_table, card_of_process, dump_card, load_card
from fabgen.errors import InputError

MUONS = "e+ e- > mu+ mu-"
FKLD = "training.method=fkld"
UPDATES = (
    "training.schedule=warmup-cosine",
    "training.warmup_steps=100",
    "training.schedule_updates=100",
)


def test_fkld_has_no_steps_of_its_own(tmp_path):
    card = card_of_process(MUONS, [FKLD])
    assert (card.training.steps, card.training.fkld.epochs) == (0, 20)
    (tmp_path / "card.toml").write_text(dump_card(card))
    assert load_card(tmp_path / "card.toml") == card
    assert card_of_process(MUONS, ["training.method=fab"]).training.steps == 400


@pytest.mark.parametrize(
    ("settings", "key", "message"),
    [
        ((FKLD, "training.steps=100"), "training.steps", "training.fkld.epochs (now 20)"),
        (("training.steps=0",), "training.steps", "0 only with"),
        (("training.steps=-1",), "training.steps", ">= 0"),
        (
            (FKLD, "training.warmup_steps=5", "training.fkld.warmup_epochs=2"),
            "training.fkld.warmup_epochs",
            "given twice",
        ),
        (
            (FKLD, "training.schedule=warmup-cosine", "training.fkld.warmup_epochs=20"),
            "training.fkld.warmup_epochs",
            "less than training.fkld.epochs = 20",
        ),
        (
            ("training.method=fab", "training.schedule=warmup-cosine", "training.warmup_steps=400"),
            "training.warmup_steps",
            "less than training.steps = 400",
        ),
        (
            (*UPDATES, "training.method=fab"),
            "training.warmup_steps",
            "less than training.schedule_updates = 100",
        ),
        (
            (*UPDATES, FKLD),
            "training.warmup_steps",
            "less than training.schedule_updates = 100",
        ),
        (
            (FKLD, "training.fkld.events=1100"),
            "training.fkld.events",
            "enough for training.batch_size = 1024",
        ),
        ((FKLD, "training.fkld.epochs=0"), "training.fkld.epochs", ">= 1"),
        ((FKLD, "training.fkld.validation=1.0"), "training.fkld.validation", "< 1"),
        ((FKLD, "training.fkld.data=5"), "training.fkld.data", "a string"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(settings, key, message):
    with pytest.raises(InputError) as caught:
        card_of_process(MUONS, settings)
    assert caught.value.key == key
    assert message in str(caught.value)


def test_a_schedule_in_updates_may_end_after_the_training_or_before():
    for length in (101, 10**7):
        card = card_of_process(
            MUONS, ("training.method=fab", *UPDATES[:2], f"training.schedule_updates={length}")
        )
        assert (card.training.steps, card.training.schedule_updates) == (400, length)


def test_a_table_in_the_wrong_place_is_left_to_the_parser():
    with pytest.raises(InputError) as caught:
        card_from_table({"process": MUONS, "training": 5})
    assert caught.value.key == "training"
