"""From a card to its integrand: what is put together, and what is refused."""

from __future__ import annotations

import dataclasses
import math

import pytest

from fabgen.beams import FixedScales
from fabgen.build import build_integrand
from fabgen.build.checks import cut_class, cut_legs, numeric_parameters
from fabgen.card import card_of_process, load_card
from fabgen.card.parser import card_from_table
from fabgen.errors import InputError
from fabgen.integrand.component import ResonanceWindow
from fabgen.model import ZERO, load_model
from fabgen.phasespace.cuts import CutLeg
from fabgen.phasespace.rambo import Rambo
from fabgen.phasespace.tree_map import TreeMap
from fabgen.process.event_topology import Resonance
from fabgen.process.subprocesses import find_subprocesses

CHAIN = "e+ e- > t t~, t > w+ b, t~ > w- b~"


def build(*processes, energy=None, **table):
    """The integrand of a card; energy: GeV per beam."""
    if energy is not None:
        table["beams"] = {"energy": energy if isinstance(energy, list) else [energy, energy]}
    return build_integrand(card_from_table({"process": list(processes), **table}))


def test_settings_are_blamed_for_their_own_keys(cards):
    for setting, file in (("beams.energy=[10, 10]", "--set"), ("training.seed=2", None)):
        card = load_card(cards / "ee_wwz.toml", [setting])
        wrong = dataclasses.replace(card, beams=dataclasses.replace(card.beams, energy=(10, 10)))
        with pytest.raises(InputError) as error:
            build_integrand(wrong)
        assert error.value.key == "beams.energy"
        assert error.value.file == (file or card.file)


# -- what is put together ---------------------------------------------------------------------


def test_the_demo(cards):
    integrand = build_integrand(load_card(cards / "ee_ttbar.toml"))
    assert integrand.dim == 8
    (component,) = integrand.components
    assert isinstance(component.channels[0].mapping, TreeMap)
    assert component.resonances == (("MT", "WT"),)
    assert component.windows == (
        ResonanceWindow((2, 3), "MT", "WT", 15.0, True),
        ResonanceWindow((4, 5), "MT", "WT", 15.0, True),
    )
    (topology,) = integrand.topologies
    assert topology.pdg == (-11, 11, 24, 5, -24, -5)
    assert topology.resonances == (Resonance(6, (2, 3)), Resonance(-6, (4, 5)))
    assert topology.flows == (((0, 0), (0, 0), (0, 0), (1, 0), (0, 0), (0, 1)),)
    assert topology.masses == pytest.approx((0, 0, 80.419002, 4.7, 80.419002, 4.7), rel=1e-7)
    assert integrand.scales == FixedScales(91.188, 91.188)


def test_flat_mapping():
    (component,) = build(CHAIN, phase_space={"mapping": "rambo"}).components
    assert component.channels[0].mapping == Rambo(4)
    assert component.resonances == ()
    assert len(component.windows) == 2  # part of f for every map


def test_no_windows():
    (component,) = build(CHAIN, phase_space={"bw_cutoff": math.inf}).components
    assert component.windows == ()


def test_nested_chain():
    (component,) = build("t > w+ b, w+ > e+ ve").components
    assert component.windows == (ResonanceWindow((1, 2), "MW", "WW", 15.0, True),)
    assert component.resonances == (("MW", "WW"),)


def test_vetoes():
    (component,) = build("e+ e- > mu+ vm w- $ w+", phase_space={"bw_cutoff": 7.0}).components
    assert component.windows == (ResonanceWindow((2, 3), "MW", "WW", 7.0, False),)
    (component,) = build("e+ e- > mu+ mu- $ a").components
    assert component.windows == ()  # a particle without width has no mass shell to avoid


def test_masses_and_scales():
    integrand = build(
        "e+ e- > z h",
        parameters={"MH": 120.0},
        scales={"renormalization": 50.0},
        energy=[300.0, 200.0],
    )
    assert integrand.topologies[0].masses == (0.0, 0.0, 91.188, 120.0)
    assert integrand.scales == FixedScales(50.0, 91.188)
    assert integrand.beam_energies == (300.0, 200.0)
    assert integrand.beam_particles == (-11, 11)


def test_decays_have_no_beams():
    integrand = build("t > w+ b")
    assert integrand.beam_energies == ()
    assert integrand.unit == "GeV"
    assert integrand.topologies[0].flows == (((1, 0), (0, 0), (1, 0)),)


def test_subprocesses_of_equal_value_are_evaluated_once():
    light = ["u", "c", "d", "s", "u~", "c~", "d~", "s~"]
    integrand = build("q q > mu+ mu-", multiparticles={"q": light})
    assert [served(c) for c in integrand.components] == [
        [(0, False), (1, False), (4, True), (5, True)],
        [(2, False), (3, False), (6, True), (7, True)],
    ]
    assert [sub.flavours for sub in integrand.components[1].subprocesses] == [
        (1, -1),
        (3, -3),
        (-1, 1),
        (-3, 3),
    ]
    assert len({id(c.element) for c in integrand.components}) == 2
    assert len(integrand.topologies) == 8


def served(component):
    """Numbers of the subprocesses, and whether their beams are exchanged."""
    return [(sub.number, sub.exchanged) for sub in component.subprocesses]


def test_exchanged_beams_of_different_masses_are_a_component_of_their_own():
    integrand = build("b u > b u", "u b > b u", cuts={"ptj": 2.0})
    assert [served(c) for c in integrand.components] == [[(0, False)], [(1, True)]]
    first, second = integrand.components
    assert first.element is second.element


def test_different_cuts_are_different_components():
    """A pair of one flavour, and none: the same |M|^2."""
    processes = ("u u~ > z z, z > e+ e-, z > mu+ mu-", "u u~ > z z, z > mu+ mu-, z > ve ve~")
    integrand = build(*processes, energy=250.0, cuts={"ptl": 5.0})
    assert [served(c) for c in integrand.components] == [[(0, False)], [(1, False)]]


def test_flavours_of_leptons_share_a_value():
    """Cuts see flavours only where they pair them."""
    (component,) = build("u u~ > e+ e-", "u u~ > mu+ mu-", cuts={"mmll": 20.0}).components
    assert served(component) == [(0, False), (1, False)]


def test_components_by_matrix_elements():
    """In the order of the card, one channel for each; masses are theirs."""
    integrand = build("e+ e- > mu+ mu-", "e+ e- > t t~", "e+ e- > u u~", "e+ e- > ta+ ta-")
    assert [c.masses[2:] for c in integrand.components] == [
        (ZERO, ZERO),
        ("MT", "MT"),
        (ZERO, ZERO),
        ("MTA", "MTA"),
    ]
    assert [served(c) for c in integrand.components] == [[(n, False)] for n in range(4)]
    assert integrand.component_of_channel == (0, 1, 2, 3)


def test_numbers_of_processes():
    """Subprocesses know what event files call the line that they are of."""
    integrand = build("e+ e- > l+ l- @4", "e+ e- > t t~", "e+ e- > j j", cuts={"ptl": 10.0})
    assert [t.process for t in integrand.topologies] == [4, 4, 2, 3, 3, 3, 3]
    assert [t.process for t in build("e+ e- > l+ l-", cuts={"ptl": 10.0}).topologies] == [1, 1]


def test_colour_lines_of_swapped_beams():
    integrand = build("u g > u g", "g u > u g", cuts={"ptj": 20.0})
    first, second = integrand.topologies
    assert first.pdg == (2, 21, 2, 21)
    assert second.pdg == (21, 2, 2, 21)
    swapped = {(flow[1], flow[0], *flow[2:]) for flow in second.flows}
    assert swapped == set(first.flows)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("g", "j"),
        ("u", "j"),
        ("s~", "j"),
        ("b", "b"),
        ("b~", "b"),
        ("e+", "l"),
        ("ta-", "l"),
        ("ve", "missing"),
        ("vt~", "missing"),
        ("a", "a"),
        ("t", "other"),
        ("z", "other"),
        ("w-", "other"),
        ("h", "other"),
    ],
)
def test_classes_of_cuts(name, kind):
    assert cut_class(load_model("sm").particle(name)) == kind


def test_light_b_quarks_are_jets():
    assert cut_class(load_model("sm-no_b_mass").particle("b")) == "j"


def test_b_quarks_without_mass_are_jets():
    heavy = load_model("sm")
    (sub,), _ = find_subprocesses(heavy, ["b b~ > b b~"])
    for mass, kind in ((4.7, "b"), (0.0, "j")):
        model = heavy.at({"MB": mass})
        values = numeric_parameters(model, model.parameters({"MB": mass}))
        assert [leg.kind for leg in cut_legs(model, sub.tree, values)] == [kind, kind]
    integrand = build("b g > b g", energy=50.0, parameters={"MB": 0.0}, cuts={"ptj": 10.0})
    assert [leg.kind for leg in integrand.components[0].cuts.legs] == ["j", "j"]


def test_products_of_decays_are_marked():
    model = load_model("sm")
    (sub,), _ = find_subprocesses(model, ["e+ e- > t t~, t > w+ b"])
    values = numeric_parameters(model, model.parameters({"MB": 30.0}))
    assert cut_legs(model, sub.tree, values) == (
        CutLeg("other", 24, True, values["MW"]),
        CutLeg("b", 5, True, 30.0),
        CutLeg("other", -6, False, 173.0),
    )


def test_numbers():
    model = load_model("sm")
    values = numeric_parameters(model, model.parameters({"MT": 170.0}))
    assert values[ZERO] == 0.0
    assert values["MT"] == 170.0
    assert values["MW"] == pytest.approx(80.419002, rel=1e-7)
    assert "gs" not in values  # complex couplings


# -- what is refused --------------------------------------------------------------------------


def refused(*processes, **table) -> InputError:
    with pytest.raises(InputError) as error:
        build(*processes, **table)
    return error.value


def test_below_threshold():
    error = refused("e+ e- > t t~", energy=100.0)
    assert "threshold of e+ e- > t t~" in error.problem
    assert error.key == "beams.energy"
    assert "346" in error.allowed
    build("e+ e- > t t~", energy=[400.0, 75.0])  # 346.4 GeV in the rest frame
    assert "threshold" in refused("e+ e- > t t~", energy=[475.0, 25.0]).problem
    assert "threshold" in refused("e+ e- > mu+ mu-", "e+ e- > t t~", energy=100.0).problem


def test_threshold_of_decayed_particles():
    """Within bw_cutoff they may be lighter, but not lighter than their products."""
    build(CHAIN, energy=170.0)
    assert "threshold" in refused(CHAIN, energy=150.0).problem
    assert "threshold" in refused(CHAIN, energy=170.0, phase_space={"bw_cutoff": 1.0}).problem
    build(CHAIN, energy=90.0, phase_space={"bw_cutoff": math.inf})


@pytest.mark.parametrize("energy", [[1e31, 1.0], [1.0, 1e-31], [1e200, 1e-200]])
def test_energies_beyond_numbers(energy):
    with pytest.raises(InputError, match="beyond what can be computed") as error:
        build("e+ e- > mu+ mu-", energy=energy)
    assert error.value.key == "beams.energy"


def test_beams_slower_than_their_masses():
    error = refused("ta+ ta- > z h", energy=[500.0, 1.0])
    assert error.problem == "the beam energy is below the mass of ta-"
    assert (error.key, error.found) == ("beams.energy", "1 GeV")


def test_two_to_one():
    error = refused("u u~ > z")
    assert "a single particle" in error.problem
    assert error.found == "u u~ > z"
    energies = {"energy": [45.6, 45.6]}
    build("u u~ > z, z > mu+ mu-", beams=energies)  # two final particles


def test_closed_decays():
    error = refused("h > w+ w-")
    assert "decay is closed" in error.problem
    assert "160.8" in error.allowed
    assert "the products of w+ and w-" in error.hint
    build("h > w+ w-", parameters={"MH": 400.0})
    build("h > w+ e- ve~")


@pytest.mark.parametrize(
    ("process", "particle", "model"),
    [
        ("mu- > vm e- ve~", "mu-", "sm"),
        ("b > t e- ve~", "b", "sm-no_b_mass"),
        ("ve > e- w+", "ve", "sm"),
        ("a > e+ e-", "a", "sm"),
        ("e+ e- > mu+ mu-, mu- > vm e- ve~", "mu-", "sm"),
        ("e+ e- > mu+ mu- a, a > e+ e-", "a", "sm"),
    ],
)
@pytest.mark.parametrize("mapping", ["channels", "rambo"])
def test_massless_particles_cannot_decay(process, particle, model, mapping):
    error = refused(process, model=model, phase_space={"mapping": mapping})
    assert error.problem == f"{particle} is massless in this model and cannot decay"
    assert f"model {model}" in error.found
    assert " t " in f"{error.allowed} "
    assert (" b" in error.allowed) == (model == "sm")


def test_a_mass_of_zero_is_not_the_models():
    error = refused("t > w+ b", parameters={"MT": 0.0})
    assert error.problem == "t cannot decay: its mass MT is 0"


def test_closed_decays_in_chains():
    error = refused("e+ e- > z h, h > z z")
    assert "decay of h is closed within bw_cutoff" in error.problem
    assert "h > z z" in error.found
    error = refused("e+ e- > w+ w-, w+ > t b~")
    assert "decay of w+ is closed" in error.problem
    build("e+ e- > w+ w-, w+ > t b~", phase_space={"bw_cutoff": 60.0})


def test_decayed_particles_need_a_width():
    error = refused("e+ e- > t t~, t > w+ b", parameters={"WT": 0.0})
    assert error.problem == "a particle that decays needs a width"
    assert "t (width 0 GeV)" in error.found
    assert "a width" in refused("e+ e- > ta+ ta-, ta- > vt e- ve~").problem


def test_vetoes_need_a_width_of_the_veto():
    error = refused("e+ e- > mu+ vm w- $ w+", phase_space={"bw_cutoff": math.inf})
    assert error.key == "phase_space.bw_cutoff"
    assert error.found == "inf"


def test_different_numbers_of_particles():
    error = refused("e+ e- > w+ w-", "e+ e- > w+ w- z")
    assert "several numbers of final particles" in error.problem
    assert error.found == "2 and 3"
    error = refused("t > b e+ ve", "u u~ > t t~")
    assert "same number of incoming particles" in error.problem


def test_widths_of_different_particles():
    error = refused("z > mu+ mu-", "h > ta+ ta-")
    assert "do not add up" in error.problem
    assert "h > ta+ ta-" in error.found


def test_divergences():
    assert "diverges" in refused("e+ e- > mu+ mu- a").problem


@pytest.mark.parametrize(
    ("parameters", "key", "text"),
    [
        ({"MZ": -91.0}, "parameters.MZ", "MZ is negative"),
        ({"WT": -1.0}, "parameters.WT", "WT is negative"),
        ({"aEWM1": 10.0}, "parameters", "no finite value of MW"),
        ({"Gf": 0.0}, "parameters", "no finite value"),
        ({"aEWM1": 0.0}, "parameters", "no finite value"),
        ({"MW": 80.0}, "parameters.MW", "not an external parameter"),
    ],
)
def test_wrong_parameters(parameters, key, text):
    error = refused("e+ e- > mu+ mu-", parameters=parameters)
    assert error.key == key
    assert text in error.problem


def test_negative_yukawa_couplings_are_allowed():
    build("e+ e- > t t~ h", parameters={"ymt": -173.0})


def test_no_diagrams():
    error = refused("e+ e- > mu+ e-")
    assert error.problem == "the process has no diagrams"


def test_the_file_is_named(write_card):
    path = write_card('process = "e+ e- > t t~"\n[beams]\nenergy = [100.0, 100.0]\n')
    with pytest.raises(InputError, match="threshold") as error:
        build_integrand(load_card(path))
    assert error.value.file == str(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(("energy", "refused"), [(500.0, True), (45.6, False), (25.0, True)])
def test_a_single_particle_that_decays_needs_an_energy_in_its_window(energy, refused):
    card = card_of_process("e+ e- > z, z > mu+ mu-", (f"beams.energy=[{energy}, {energy}]",))
    if not refused:
        assert build_integrand(card).dim == 2
        return
    with pytest.raises(InputError) as error:
        build_integrand(card)
    assert error.value.key == "beams.energy"
    assert "GeV" in error.value.allowed


@pytest.mark.parametrize(
    ("process", "prior", "taken"),
    [
        ("e+ e- > w+ w- z", "auto", "densities"),
        ("e+ e- > w+ w- z z", "auto", "invariants"),  # 77 channels
        ("e+ e- > w+ w- z", "invariants", "invariants"),
        ("e+ e- > w+ w- z z", "densities", "densities"),
        ("e+ e- > z h", "auto", ""),
    ],
)
def test_many_channels_are_weighted_roughly(process, prior, taken):
    table = {"process": process, "channels": {"use": "all", "prior": prior}}
    integrand = build_integrand(card_from_table(table))
    assert (integrand.n_channels > 50) == ("z z" in process)
    assert integrand.channel_prior == taken
