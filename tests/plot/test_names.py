"""Names of particles and processes."""

from __future__ import annotations

import re

import pytest

from fabgen.model import load_model
from fabgen.plot.names import (
    Name,
    common_name,
    numbered,
    particle_name,
    process_label,
    process_text,
)
from fabgen.process.event_topology import EventTopology


def topology(*pdg, n_initial=2):
    return EventTopology(pdg=pdg, n_initial=n_initial, masses=(0.0,) * len(pdg))


@pytest.mark.parametrize(
    ("pdg", "latex", "file"),
    [
        (-6, r"\overline{t}", "t_bar"),
        (24, "W^{+}", "W_plus"),
        (23, "Z", "Z"),
        (32, r"Z^{\prime}", "Zprime"),
        (25, "H", "H"),
        (-12, r"\overline{\nu}_{e}", "nu_e_bar"),
        (4122, r"\Lambda_{c}^{+}", "Lambda_c_plus"),
        (987654321, r"\mathrm{PDG}_{987654321}", "pdg987654321"),
        (-9900099, r"\mathrm{PDG}_{-9900099}", "pdg_anti_9900099"),
    ],
)
def test_names_of_particles(pdg, latex, file):
    assert particle_name(pdg) == Name(latex, file)


def test_every_particle_of_the_model_has_its_own_file_name():
    pdgs = {p.pdg for p in load_model("sm").particles.values()}
    files = {particle_name(pdg).file for pdg in pdgs}
    assert len(files) == len(pdgs)
    assert all(re.fullmatch(r"\w+", file) for file in files)


def test_a_leg_that_differs_between_subprocesses_has_a_common_name():
    assert common_name([21, 21]) == particle_name(21)
    assert common_name([1, -2, 21]).latex == "j"
    assert common_name([11, 13]).latex == r"\ell"
    assert common_name([12, 14]).latex == r"\nu"
    assert common_name([11, 22]).latex == "X"


def test_equal_particles_are_numbered():
    a, b = Name("a", "a"), Name("b", "b")
    assert numbered([a, b, a]) == (Name("{a}_{1}", "a1"), b, Name("{a}_{2}", "a2"))


def test_labels_of_processes():
    assert process_label([topology(11, -11, 13, -13)]) == r"$e^{-}\,e^{+} \to \mu^{-}\,\mu^{+}$"
    assert process_label([topology(6, 24, 5, n_initial=1)]) == r"$t \to W^{+}\,b$"
    both = [topology(11, -11, 1, -1), topology(11, -11, 2, -2)]
    assert process_label(both) == r"$e^{-}\,e^{+} \to j\,j$"


def pdg_of(name):
    model = load_model("sm")
    resolved = model.resolve(name)
    return None if resolved is None else model.particle(resolved).pdg


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("e+ e- > mu+ mu-", r"$e^{+}$ $e^{-}$ $\to$ $\mu^{+}$ $\mu^{-}$"),
        (
            "g g > t t~, t > w+ b, t~ > w- b~",
            r"$g$ $g$ $\to$ $t$ $\overline{t}$, $t$ $\to$ $W^{+}$ $b$, "
            r"$\overline{t}$ $\to$ $W^{-}$ $\overline{b}$",
        ),
        (
            "e+ e- > t t~, (t > w+ b, w+ > l+ vl)",
            r"$e^{+}$ $e^{-}$ $\to$ $t$ $\overline{t}$, ($t$ $\to$ $W^{+}$ $b$, "
            r"$W^{+}$ $\to$ $\ell^{+}$ $\nu_{\ell}$)",
        ),
        (
            "p j > z > l- vl~ / h a $$ t $ w+ QED=2 QCD==0 @3",
            r"$p$ $j$ $\to$ $Z$ $\to$ $\ell^{-}$ $\overline{\nu_{\ell}}$ / $H$ $\gamma$ "
            r"\$\$ $t$ \$ $W^{+}$ QED$\leq$2 QCD$=$0 @3",
        ),
        (
            "e+ e- > my_q my_q~",
            r"$e^{+}$ $e^{-}$ $\to$ $\mathrm{my\_q}$ $\overline{\mathrm{my\_q}}$",
        ),
        ("e+ e- > z | a > j j", r"$e^{+}$ $e^{-}$ $\to$ $Z$ | $\gamma$ $\to$ $j$ $j$"),
    ],
)
def test_a_process_in_full(line, text):
    assert process_text(line, pdg_of) == text


def test_the_text_of_a_process_can_be_drawn():
    from fabgen.plot.style import new_figure, wrapped

    text = process_text("p my_q~ > z > l- vl~ / h $$ t $ w+ QED=2 @3", pdg_of)
    figure = new_figure(1.0)
    assert wrapped(figure, text, 0.5).replace("\n", " ") == text
    assert all(piece.count("$") - piece.count(r"\$") in (0, 2) for piece in text.split(" "))
