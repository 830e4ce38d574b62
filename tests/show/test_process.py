"""What `fabgen show` says."""

from __future__ import annotations

import pytest

from fabgen.card import load_card
from fabgen.card.parser import card_from_table
from fabgen.errors import InputError
from fabgen.show.process import describe


def shown(*processes, **table) -> list[str]:
    text = describe(card_from_table({"process": list(processes), **table}))
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_demo(cards):
    text = describe(load_card(cards / "ee_ttbar.toml"))
    assert text.splitlines() == [
        "process       e+ e- > t t~, t > w+ b, t~ > w- b~",
        "model         sm",
        "dimension     8",
        "subprocesses  1, 1 different matrix element",
        "",
        "  e+ e- > w+ b w- b~",
        "  2 diagrams",
        "      1  s-channel a, decays t(w+ b) t~(w- b~)",
        "      2  s-channel z, decays t(w+ b) t~(w- b~)",
        "",
        "channels      1",
        "",
        "      1  (w+ b)[breit-wigner MT WT] (w- b~)[breit-wigner MT WT]",
        "         e+ e- ── a/z ─┬─ t ─┬─ w+",
        "                       │     └─ b",
        "                       └─ t~ ─┬─ w-",
        "                              └─ b~",
        "",
        "         (...)[how the mass of a system is distributed]; <t> or <t M>: scattered",
        "         by a massless particle, by one of mass M",
    ]


def test_one_diagram():
    lines = shown("e+ e- > z h")
    assert "1 diagram" in lines
    assert "1 s-channel z" in lines
    assert "channels 1" in lines
    assert "1 z h" in lines


def test_exchanged_particles_and_contact_terms():
    lines = shown("w+ w- > h h")
    assert "4 diagrams" in lines
    assert "1 contact" in lines
    assert "2 s-channel h" in lines
    assert "3 t-channel w+(h#1)" in lines and "4 t-channel w+(h#2)" in lines
    assert lines[-8:-3] == ["2 h <t MW> h", "mirrored as 3", "w+ ─┬─ h", "│ w+", "w- ─┴─ h"]


def test_equal_matrix_elements():
    lines = shown("p p > e+ e-")
    assert "subprocesses 8, 2 different matrix elements, of which a point evaluates one" in lines
    assert "u u~ > e+ e- (and 3 equal ones)" in lines
    lines = shown("u u~ > e+ e-", "c c~ > e+ e-")
    assert lines[:2] == ["process u u~ > e+ e-", "c c~ > e+ e-"]
    assert "u u~ > e+ e- (and 1 equal one)" in lines


def test_long_lists_are_cut_short():
    lines = shown("g g > g g g", cuts={"ptj": 20.0, "drjj": 0.4})
    assert "25 diagrams" in lines
    assert "... 13 more (--all shows them)" in lines
    assert sum(line.startswith("mirrored as ") for line in lines) > 3
    lines = shown("p p > w+ j j", cuts={"ptj": 20.0})
    assert any(line.startswith("... ") and "more matrix elements" in line for line in lines)


def test_everything_is_shown_in_lines_of_80_columns():
    table = {"process": "g g > g g g", "cuts": {"ptj": 20.0, "drjj": 0.4}}
    lines = describe(card_from_table(table), everything=True).splitlines()
    assert not any("more" in line for line in lines)
    assert any(line.startswith("     25  ") for line in lines)
    assert max(map(len, lines)) <= 80


def test_the_channel_of_a_card_that_wants_one():
    lines = shown("e+ e- > w+ w- z", channels={"use": "one"})
    assert "channels 1, of the most resonant diagram" in lines
    assert "1 (w+ w-)[power] z" in lines


def test_maps():
    assert "channel RAMBO on diet: z h" in shown("e+ e- > z h", phase_space={"mapping": "rambo"})
    lines = shown("e+ e- > mu+ mu-", "e+ e- > t t~")
    assert lines.count("channels 1") == 2
    assert "1 mu+ mu-" in lines and "2 t t~" in lines


def test_what_no_channel_follows():
    table = {"model": "sm-zprime", "cuts": {"mmll": 10.0}}
    lines = shown("e+ e- > mu+ mu- b b~", channels={"drop": ["zp"]}, **table)
    place = next(i for i, line in enumerate(lines) if line.startswith("warning"))
    assert "no channel follows zp (b b~) and zp (mu+ mu-)" in " ".join(lines[place:])
    lines = shown("e+ e- > mu+ mu- b b~", **table)
    assert not any(line.startswith("warning") for line in lines)


def test_components():
    """One |M|^2 each; what else it serves is counted."""
    lines = shown("u u~ > mu+ mu-", "c~ c > mu+ mu-", "u u~ > d d~")
    assert lines.count("|M|^2 of u u~ > mu+ mu-; it serves 1 more") == 1
    assert "channels 1" in lines and "1 mu+ mu-" in lines
    assert any(line.startswith("2 ") and "d" in line for line in lines)


def test_diagrams_of_exchanged_beams():
    """Lines end at the particles that they are of: b scatters to b, u to u, for both orders."""
    lines = shown("b u > b u", "u b > b u", cuts={"ptj": 2.0})
    assert lines.count("channels 1") == 2
    drawn = ["b ─┬─ b", "│ g", "u ─┴─ u"]
    starts = [i for i, line in enumerate(lines) if line == drawn[0]]
    assert len(starts) == 2
    assert all(lines[i : i + 3] == drawn for i in starts)


def test_amplitude_models(cards):
    lines = [
        " ".join(line.split()) for line in describe(load_card(cards / "lc2pkpi.toml")).splitlines()
    ]
    assert lines[:4] == [
        "process Lambda_c+ > p K- pi+",
        "model lc2pkpi",
        "dimension 2",
        "resonances 12, 26 couplings",
    ]
    assert "K(892) 1- 0.8955 0.0473 22.1 % BreitWignerMinL" in lines
    assert "L(1405) 1/2- 1.4051 0.0505 7.8 % Flatte1405" in lines
    assert lines[-1].startswith("channel square Dalitz plot: mass of K- p, angle of K- and pi+")


def test_what_cannot_be_integrated_is_still_shown():
    lines = shown("e+ e- > t t~", beams={"energy": [100.0, 100.0]})
    assert "2 diagrams" in lines
    assert "channel none: the energy is below the threshold of e+ e- > t t~" in lines
    assert lines[-1].startswith("more than 346 GeV")


def test_wrong_parameters():
    with pytest.raises(InputError, match="no finite value"):
        shown("e+ e- > t t~", parameters={"aEWM1": 1.0})


def test_cuts_that_are_needed():
    lines = shown("g g > g g")
    assert "4 diagrams" in lines
    assert "with a cut on it: ptj or etaj" in lines


def test_wrong_processes(write_card):
    with pytest.raises(InputError, match="no diagrams"):
        shown("e+ e- > mu+ e-")
    path = write_card('process = "e+ e- > x+ x-"\n')
    with pytest.raises(InputError) as error:
        describe(load_card(path))
    assert error.value.file == str(path)
