"""Presets: the numbers of the FAB paper (section 3, appendix C) and of its authors' code.

Of the code: paper_experiments/*/config_*.yaml of github.com/annalena-k/FAB-meets-diffME, and the
defaults of OptimizerConfig in fabjax/utils/optimize.py of github.com/lollcat/fab-jax.
"""

from __future__ import annotations

import math

import pytest

from fabgen.card import card_from_table, card_of_process, dump_card, load_card
from fabgen.card.presets import PRESETS
from fabgen.errors import InputError
from fabgen.training.optimizer import schedule

TOPS = "e+ e- > t t~, t > w+ b, t~ > w- b~"


def card(preset, *settings):
    return card_of_process(TOPS, [f"preset={preset}", *settings])


@pytest.mark.parametrize("preset", PRESETS)
def test_what_all_share(preset):
    c = card(preset)
    training, fab = c.training, c.training.fab
    assert training.method == "fab"
    assert (training.batch_size, training.learning_rate) == (1000, 3e-4)
    clip = 2.0 if "authors" in preset else 20.0
    assert (training.skip_factor, training.clip_factor, training.norm_window) == (20.0, clip, 100)
    assert not training.path_gradient
    assert c.surrogate.precision == ("float64" if "authors" in preset else "float32")
    assert (fab.intermediate, fab.hmc_moves, fab.leapfrog_steps) == (2, 1, 3)
    assert fab.target_acceptance == 0.65
    assert (fab.buffer_batches, fab.buffer_minimum, fab.weight_clip) == (100, 10, 10.0)
    assert (fab.fresh_loss, fab.tempered, fab.even_draws) == ("none", False, 0.0)
    assert c.surrogate.boundary == (0.0 if preset == "fab-authors-2d" else 1e-5)
    assert c.surrogate.kind == "flow"


@pytest.mark.parametrize("preset", ["fab-paper-2d", "fab-authors-2d"])
def test_two_dimensions(preset):
    c = card(preset)
    assert (c.surrogate.layers, c.surrogate.bins, c.surrogate.hidden) == (10, 10, (100, 100))
    assert (c.training.steps, c.training.schedule) == (3000, "constant")
    assert (c.training.fab.step_size, c.training.fab.updates) == (0.05, 4)
    vegas = c.surrogate.vegas
    assert (vegas.warmup_iterations, vegas.warmup_evaluations) == (2, 1000)
    assert (vegas.iterations, vegas.evaluations, vegas.bins, vegas.alpha) == (8, 200_000, 64, 0.5)
    assert c.evaluation.samples == 10_000
    assert card(preset, "training.method=rkld").training.steps == 30_000
    sample = card(preset, "training.method=fkld").training
    assert (sample.steps, sample.fkld.epochs) == (0, 20)
    assert sample.fkld.events * (1.0 - sample.fkld.validation) == 10_000


@pytest.mark.parametrize("preset", ["fab-paper-8d", "fab-authors-8d"])
def test_eight_dimensions(preset):
    c = card(preset)
    assert (c.surrogate.layers, c.surrogate.bins, c.surrogate.hidden) == (14, 14, (400, 400))
    assert (c.training.steps, c.training.schedule) == (10**7, "warmup-cosine")
    assert (c.training.warmup_steps, c.training.initial_rate) == (1000, 1e-5)
    assert c.training.final_rate == 1e-5
    assert (c.training.fab.step_size, c.training.fab.updates) == (0.005, 2)
    vegas = c.surrogate.vegas
    assert (vegas.warmup_iterations, vegas.warmup_evaluations) == (2, 10_000)
    assert (vegas.iterations, vegas.evaluations, vegas.bins) == (8, 100_000, 128)
    assert c.phase_space.mapping == "rambo"
    assert math.isinf(c.phase_space.bw_cutoff)
    assert c.evaluation.samples == 10**6
    assert card(preset, "training.method=rkld").training.steps == 10**8
    sample = card(preset, "training.method=fkld").training
    assert (sample.steps, sample.fkld.epochs) == (0, 200)
    assert sample.fkld.events * (1.0 - sample.fkld.validation) == 10**6
    epochs = {"fab-paper-8d": (0, 10), "fab-authors-8d": (10, 0)}
    assert (sample.warmup_steps, sample.fkld.warmup_epochs) == epochs[preset]


def test_the_authors_have_no_validation_and_fewer_points_along_the_way():
    for preset in ("fab-authors-2d", "fab-authors-8d"):
        assert card(preset, "training.method=fkld").training.fkld.validation == 0.0
    assert card("fab-authors-2d").evaluation.along_samples == 1000


LOW, PEAK = 1e-5, 3e-4


@pytest.mark.parametrize(
    ("preset", "method", "updates", "rates"),
    [
        # The text counts iterations, of which FAB with buffer takes 10^7 with two updates each.
        ("fab-paper-8d", "fab", 2, {0: LOW, 1: LOW, 2000: PEAK, 10**7: "middle", 2 * 10**7: LOW}),
        # The code counts updates: half as long.
        ("fab-authors-8d", "fab", 2, {0: LOW, 500: "middle", 1000: PEAK, 10**7: LOW}),
        ("fab-authors-8d", "fab", 2, {5_000_500: "middle", 2 * 10**7: LOW}),
        ("fab-authors-8d", "fab-nobuffer", 1, {0: LOW, 1000: PEAK, 5_000_500: "middle"}),
        ("fab-paper-8d", "rkld", 1, {0: LOW, 1000: PEAK, 50_000_500: "middle", 10**8: LOW}),
        ("fab-authors-8d", "rkld", 1, {0: PEAK, 500: PEAK, 1000: PEAK, 5_000_500: "middle"}),
        ("fab-authors-8d", "rkld", 1, {10**7: LOW, 10**8: LOW}),
        ("fab-authors-8d", "fkld", 1, {0: LOW, 5: "middle", 10: PEAK, 55: "middle", 100: LOW}),
        ("fab-authors-8d", "fkld", 1, {200_000: LOW}),
        ("fab-paper-2d", "fab", 4, {0: PEAK, 12_000: PEAK}),
        ("fab-authors-2d", "fab", 4, {0: PEAK, 12_000: PEAK}),
    ],
)
def test_learning_rates_at_gradient_updates(preset, method, updates, rates):
    training = card(preset, f"training.method={method}").training
    rate = schedule(training, updates=updates)
    for update, expected in rates.items():
        expected = 0.5 * (LOW + PEAK) if expected == "middle" else expected
        assert float(rate(update)) == pytest.approx(expected, rel=1e-3), update


def test_the_card_comes_before_the_preset_and_settings_before_the_card(write_card, tmp_path):
    text = (
        f'preset = "fab-paper-8d"\nprocess = "{TOPS}"\n[surrogate]\nlayers = 3\nhidden = [8]\n'
        "[training.fab]\nupdates = 7\n"
    )
    c = load_card(write_card(text), ["surrogate.layers=2", "training.steps=2000"])
    assert (c.surrogate.layers, c.surrogate.hidden, c.surrogate.bins) == (2, (8,), 14)
    assert (c.training.fab.updates, c.training.fab.step_size) == (7, 0.005)
    assert c.training.steps == 2000
    resolved = dump_card(c)
    assert "preset" not in resolved
    copy = tmp_path / "resolved.toml"
    copy.write_text(resolved)
    assert load_card(copy) == c


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"fab-paper-8D"', "did you mean fab-paper-8d"),
        (
            '"madnis"',
            'one of: "fab-paper-2d", "fab-paper-8d", "fab-authors-2d", "fab-authors-8d"',
        ),
        ('"fab-author-8d"', "did you mean fab-authors-8d"),
        ("8", "(an integer)"),
        ('["fab-paper-8d"]', "(a list)"),
    ],
)
def test_unknown_presets_are_refused(write_card, value, message):
    path = write_card(f'preset = {value}\nprocess = "{TOPS}"\n')
    with pytest.raises(InputError) as caught:
        load_card(path)
    error = caught.value
    assert (error.key, error.file, error.exit_code) == ("preset", str(path), 2)
    assert message in str(error)


def test_a_misspelt_preset_key_is_found(write_card):
    with pytest.raises(InputError, match="did you mean preset"):
        load_card(write_card(f'preest = "fab-paper-8d"\nprocess = "{TOPS}"\n'))


def test_a_table_that_is_none_is_refused_with_a_preset_too(write_card):
    path = write_card(f'preset = "fab-paper-2d"\nprocess = "{TOPS}"\nsurrogate = 5\n')
    with pytest.raises(InputError) as caught:
        load_card(path)
    assert caught.value.key == "surrogate"


# -- cuts ------------------------------------------------------------------------------------------

#: MadGraph's run card for protons as it comes: what is not here is 0 or off.
MADGRAPH = {
    **{"ptj": 20.0, "pta": 10.0, "ptl": 10.0},
    **{"etaj": 5.0, "etaa": 2.5, "etal": 2.5},
    **{"drjj": 0.4, "drll": 0.4, "draa": 0.4, "draj": 0.4, "drjl": 0.4, "dral": 0.4},
}


@pytest.mark.parametrize("process", ["p p > t t~ j", ["p p > w+ j @1", "e+ e- > a a @2"]])
def test_cuts_of_madgraph(process, tmp_path):
    table = {"process": process, "preset": "madgraph"}
    c = card_from_table(table)
    assert c.cuts == MADGRAPH
    text = dump_card(c)
    assert "preset" not in text
    path = tmp_path / "card.toml"
    path.write_text(text, encoding="utf-8")
    assert load_card(path) == c
    own = card_from_table(table | {"cuts": {"ptj": 0.0, "drll": 0.2, "mmll": 50.0}})
    assert own.cuts == MADGRAPH | {"ptj": 0.0, "drll": 0.2, "mmll": 50.0}


@pytest.mark.parametrize("process", ["h > b b~", ["z > e+ e-", "z > u u~"], "toy:camel-back"])
def test_nothing_without_two_beams_is_cut(process):
    table = {"process": process}
    assert card_from_table(table | {"preset": "madgraph"}) == card_from_table(table)
