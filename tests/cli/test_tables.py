"""Tables of results."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from fabgen.cli.tables import results, training_results

REPORT = {
    "process": "e+ e- > t t~ [x], t > w+ b, t~ > w- b~",
    "unit": "pb",
    "integral": 0.159893,
    "integral_error": 0.000123,
    "sampling_efficiency": 0.98765,
    "unweighting_efficiency": 0.45678,
    "forward_kl": 0.0125,
    "forward_kl_error": 0.0012,
    "unweighting_efficiency_999": 0.625,
    "evaluation_samples": 100000,
    "events": 10000,
    "weighted": False,
    "overweight": {"events": 12, "cross_section_fraction": 0.00098},
    "target_evaluations": {"training": 4000000, "evaluation": 229376, "generation": 32768},
    "gradient_evaluations": {"training": 4000000, "evaluation": 0, "generation": 0},
    "timing_s": {"import": 1.0, "compile": 20.5, "train": 151.2, "total": 175.0},
    "training": {"method": "fab", "steps": 400},
    "seed": 1,
    "generation_seed": 1,
    "beams": {"particles": [[-11], [11]], "energies": [500.0, 250.0], "sqrt_s": 707.1067811865476},
    "cuts": {},
    "bw_cutoff": None,
    "untrained": {
        "sampling_efficiency": 0.67,
        "unweighting_efficiency": 0.18,
        "unweighting_efficiency_999": 0.375,
        "forward_kl": 0.2034,
        "forward_kl_error": 0.0031,
        "integral": 0.1602,
        "integral_error": 0.0004,
        "evaluation_samples": 100000,
    },
}


def text_of(renderable, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_say_what_a_run_chose(width):
    chosen = {"auto": {"why": "VEGAS grid: faster than all else"}, "training": {}}
    told = {"target_evaluations": 5, "gradient_evaluations": 0, "timing_s": {"total": 1.0}}
    for renderable in (results(REPORT | chosen), training_results(told | chosen)):
        text = text_of(renderable, width)
        assert "chosen" in text
        assert "VEGAS grid: faster than all else" in text
    grid = REPORT | {"training": {"method": "vegas-grid"}}
    assert "VEGAS grid" in text_of(results(grid), width)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_shows_all_figures(width):
    text = text_of(results(REPORT), width)
    assert "[x]" in text
    for figure in ("0.15989 +- 0.00012 pb", "0.9877", "0.4568", "0.6700", "0.1800", "4,000,000"):
        assert figure in text
    for figure in ("0.6250", "0.3750", "0.0125 +- 0.0012", "0.2034 +- 0.0031"):
        assert figure in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_the_divergence_of_equal_weights():
    equal = {"forward_kl": 1.06e-16, "forward_kl_error": 0.0}
    line = next(s for s in text_of(results(REPORT | equal)).splitlines() if "forward KL" in s)
    assert line.split()[3:5] == ["0", "0.2034"]


def rows_of(report):
    """The lines of the table below all others: label -> value."""
    lines = text_of(results(report), 200).splitlines()
    return {line[2:].split("  ")[0]: line[2:].split("  ", 1)[-1].strip() for line in lines}


def test_the_conditions_of_the_figures():
    assert rows_of(REPORT)["beams"] == "500 + 250 GeV, sqrt(s) = 707.1067812 GeV"
    assert rows_of(REPORT)["seed"] == "1"
    assert "cuts" not in rows_of(REPORT)
    cuts = {"pta": 10.0, "etaa": 2.5, "mmllmax": 91.5, "etajmin": 1.0, "cut_decays": True}
    rows = rows_of(REPORT | {"cuts": cuts, "bw_cutoff": 15.0, "generation_seed": 7})
    assert rows["cuts"] == (
        "pta > 10 GeV, etaa < 2.5, mmll < 91.5 GeV, etaj > 1, decay products as well, "
        "decayed particles within 15 widths"
    )
    others = {"mmll": 100.0, "mmllmax": 80.0, "pt_min_pdg": {"6": 50.0}, "isoem": False, "xn": 2.0}
    assert rows_of(REPORT | {"cuts": others})["cuts"] == (
        "mmll outside of 80 to 100 GeV, pT (6) > 50 GeV, isoem = false, xn = 2"
    )
    assert rows["seed"] == "1, of evaluation and events 7"
    top = {"particles": [[6]], "energies": [173.0], "sqrt_s": 173.0}
    assert rows_of(REPORT | {"beams": top})["decaying mass"] == "173 GeV"
    assert not {"beams", "decaying mass"} & rows_of(REPORT | {"beams": None}).keys()


def test_the_package_has_an_estimate_of_its_own():
    own = {"vegas_integral": 0.16, "vegas_integral_error": 0.001, "vegas_chi2_per_dof": 0.9}
    text = text_of(results({**REPORT, "training": {"method": "vegas", **own}}))
    assert "0.1600 +- 0.0010 pb, chi2/dof 0.90" in text
    none = {"vegas_integral": None, "vegas_integral_error": None, "vegas_chi2_per_dof": 36.4}
    text = text_of(results({**REPORT, "training": {"method": "vegas", **none}}))
    assert "no estimate, chi2/dof 36.40" in text


def test_warnings_are_shown():
    assert "warning" not in text_of(results(REPORT))
    text = text_of(results(REPORT | {"warnings": ["few points"]}))
    assert "warning" in text and "few points" in text


@pytest.mark.parametrize("unit", ["GeV", "none"])
def test_a_report_without_the_untrained_map(unit):
    report = {**REPORT, "unit": unit, "untrained": None, "events": 0, "training": {}}
    text = text_of(results(report))
    assert {"GeV": "partial width", "none": "integral"}[unit] in text
    assert "untrained" not in text


def test_the_table_of_a_training():
    figures = {**REPORT, **REPORT["training"], "skipped": 3, "clipped": 5}
    figures["target_evaluations"], figures["gradient_evaluations"] = 123456, 123456
    text = text_of(training_results(figures))
    for figure in ("fab", "400", "123,456", "3"):
        assert figure in text


def test_the_table_of_a_training_on_a_sample():
    sample = {"used": 99_000, "events": 100_000, "source": "[new]/events.lhe"}
    figures = {**REPORT, "method": "fkld", "sample": sample}
    figures |= {"validation_loss": -1.25, "validation_epoch": 7}
    figures["target_evaluations"], figures["gradient_evaluations"] = 100_000, 0
    text = text_of(training_results(figures))
    for figure in ("99,000 of 100,000 events of [new]/events.lhe", "-1.2500, after 7 epochs"):
        assert figure in text


def test_tables_show_what_is_unseen_as_escapes():
    """A process, notes and warnings may quote names from anywhere."""
    unseen, out = "\x1b[31m\u202e", io.StringIO()
    told = {"process": [unseen, "e+ e- > mu+ mu-"], "notes": [unseen], "warnings": [unseen]}
    Console(file=out, width=300).print(results({**REPORT, **told}))
    assert out.getvalue().count(r"\x1b[31m\u202e") == 3
    assert not set(out.getvalue()) & set(unseen[:1] + "\u202e")
