"""load_card: defaults, overrides, and one clear message for everything that is wrong."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from fabgen.card import CUT_KEYS, Card, dump_card, load_card
from fabgen.card.cuts import CUT_OPTIONS, PDG_CUT_KEYS
from fabgen.errors import InputError

PROCESS = 'process = "e+ e- > mu+ mu-"\n'


def error_of(path: Path, *overrides: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load_card(path, overrides)
    assert caught.value.exit_code == 2
    return caught.value


def test_one_line_is_a_card(write_card):
    card = load_card(write_card(PROCESS, "mumu.toml"))
    default = Card(process=("e+ e- > mu+ mu-",))
    assert card == dataclasses.replace(
        default,
        generation=dataclasses.replace(default.generation, seed=1),
        training=dataclasses.replace(default.training, steps=10_000, skip_factor=float("inf")),
    )
    assert card.name == "mumu"
    assert card.beams.energy == (500.0, 500.0)
    assert card.surrogate.hidden == (64, 64)
    assert card.cuts == {}


def test_every_documented_card_loads(cards):
    paths = sorted(cards.glob("*.toml"))
    assert {"ee_ttbar", "t_wb"} <= {load_card(path).name for path in paths}
    assert len(paths) >= 9


def test_lists_numbers_and_aliases(write_card):
    text = (
        'process = ["e+ e- > mu+ mu-", "e+ e- > ta+ ta-"]\n'
        '[multiparticles]\nx = "u d"\n"l+" = ["e+", "mu+"]\n'
        "[parameters]\nMT = 172\n"
        '[beams]\nkind = "lepton"\nenergy = [100, 200.5]\n'
        "[cuts]\nptl = 10\ncut_decays = true\n"
        "[phase_space]\nbw_cutoff = inf\n"
    )
    card = load_card(write_card(text))
    assert card.process == ("e+ e- > mu+ mu-", "e+ e- > ta+ ta-")
    assert card.multiparticles == {"x": ("u", "d"), "l+": ("e+", "mu+")}
    assert card.parameters == {"MT": 172.0}
    assert isinstance(card.parameters["MT"], float)
    assert card.beams.kind == "fixed"
    assert card.beams.energy == (100.0, 200.5)
    assert card.cuts == {"ptl": 10.0, "cut_decays": True}
    assert math.isinf(card.phase_space.bw_cutoff)


def test_a_card_cannot_be_changed(write_card):
    card = load_card(write_card(PROCESS + "[cuts]\nptl = 10.0\n"))
    with pytest.raises(TypeError):
        card.cuts["ptl"] = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.model = "other"


def test_overrides_take_toml_values_and_plain_words(write_card):
    path = write_card(PROCESS)
    card = load_card(
        path,
        [
            "training.steps=7",
            "surrogate.kind=vegas",
            "surrogate.hidden=[8, 8]",
            "process=e+ e- > w+ w-",
            "training.fab.updates = 2",
            "surrogate.vegas={bins = 5}",
        ],
    )
    assert card.training.steps == 7
    assert card.surrogate.kind == "vegas"
    assert card.surrogate.hidden == (8, 8)
    assert card.process == ("e+ e- > w+ w-",)
    assert card.training.fab.updates == 2
    assert card.surrogate.vegas.bins == 5


def test_the_seed_option_sets_both_seeds(write_card):
    path = write_card(PROCESS)
    assert load_card(path, seed=5).training.seed == 5
    assert load_card(path, seed=5).generation_seed == 5
    assert load_card(path, ["training.seed=3"]).generation_seed == 3
    with pytest.raises(InputError, match="seed"):
        load_card(path, seed=-1)


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("[training]\nstps = 5\n", "training.stps", "did you mean training.steps?"),
        ("steps = 5\n", "steps", "did you mean training.steps?"),
        ("[trainning]\nsteps = 5\n", "trainning", "did you mean training?"),
        ("[cuts]\nptll = 5\n", "cuts.ptll", "did you mean cuts.ptl"),
        ("[surrogate.vegas]\nbin = 5\n", "surrogate.vegas.bin", "surrogate.vegas.bins"),
        ('[training]\nsteps = "many"\n', "training.steps", '"many" (a string)'),
        ("[training]\nsteps = 1.5\n", "training.steps", "an integer"),
        ("[training]\nsteps = true\n", "training.steps", "true (a boolean)"),
        ("[training]\nsteps = 0\n", "training.steps", ">= 1"),
        ("[training]\nlearning_rate = nan\n", "training.learning_rate", "nan"),
        ("[training]\nlearning_rate = inf\n", "training.learning_rate", "inf"),
        ("[training]\nlearning_rate = -1e-3\n", "training.learning_rate", "> 0"),
        ("[training]\nseed = -1\n", "training.seed", "4294967295"),
        ("[phase_space]\nbw_cutoff = nan\n", "phase_space.bw_cutoff", "or inf"),
        ("[phase_space]\nbw_cutoff = 0\n", "phase_space.bw_cutoff", "> 0"),
        ("[phase_space]\nsmall_width = -1e-6\n", "phase_space.small_width", ">= 0"),
        ("[phase_space]\nsmall_width = 1e-3\n", "phase_space.small_width", "<= 0.0001"),
        ('[surrogate]\nkind = "flwo"\n', "surrogate.kind", "did you mean flow?"),
        ("[surrogate]\nkind = 3\n", "surrogate.kind", "flow, vegas, uniform"),
        ("[surrogate]\nhidden = [64, 0]\n", "surrogate.hidden", "[64, 0]"),
        ("[surrogate]\nhidden = []\n", "surrogate.hidden", "one or more integers"),
        ("surrogate = 3\n", "surrogate", "a table"),
        ("[beams]\nenergy = [500.0]\n", "beams.energy", "a list of 2 numbers"),
        ("[beams]\nenergy = 500.0\n", "beams.energy", "a list of 2 numbers"),
        ("[beams]\nenergy = [500.0, -1.0]\n", "beams.energy", "> 0"),
        ("[beams]\nenergy = [500.0, nan]\n", "beams.energy", "nan"),
        ('[scales]\nrenormalization = "mass"\n', "scales.renormalization", "a number > 0"),
        ("[scales]\nrenormalization = 0\n", "scales.renormalization", "a number > 0"),
        ("[scales]\nfactor = 0\n", "scales.factor", "a number > 0"),
        ("[scales]\nfactor = 2\n", "scales.factor", "one dynamic scale"),
        ("[cuts]\nptl = nan\n", "cuts.ptl", "nan"),
        ("[cuts]\netaj = inf\n", "cuts.etaj", "a finite number >= 0"),
        ("[cuts]\nptl = -1\n", "cuts.ptl", ">= 0"),
        ("[cuts]\ncut_decays = 1\n", "cuts.cut_decays", "true or false"),
        ("[cuts]\nptl = 20\nptlmax = 10\n", "cuts.ptl", "ptl < ptlmax"),
        ("[cuts]\nmmnl = 20\nmmnlmax = 10\n", "cuts.mmnl", "mmnl < mmnlmax"),
        ("[cuts]\nmmll = 20\nmmllmax = 20\n", "cuts.mmll", "mmll < mmllmax, or > to exclude"),
        ("[cuts]\nr0gamma = 0\n", "cuts.r0gamma", "a number > 0"),
        ("[cuts]\nepsgamma = 0\n", "cuts.epsgamma", "a number > 0"),
        ("[cuts]\nxn = -1\n", "cuts.xn", ">= 0"),
        ("[cuts]\nisoem = 1\n", "cuts.isoem", "true or false"),
        ("[cuts]\npt_min_pdg = 100.0\n", "cuts.pt_min_pdg", 'such as {"6" = 100.0}'),
        ("[cuts]\npt_min_pdg = {t = 100.0}\n", "cuts.pt_min_pdg.t", "a table of bounds by PDG"),
        ("[cuts]\npt_min_pdg = {-6 = 100.0}\n", "cuts.pt_min_pdg.-6", "particle and antiparticle"),
        ("[cuts]\npt_min_pdg = {6 = -1.0}\n", "cuts.pt_min_pdg.6", "a number >= 0"),
        ("[cuts]\nmxx_min_pdg = {11 = 50.0}\n", "cuts.mxx_min_pdg.11", "ptl, el, etal"),
        ("[cuts]\nE_max_pdg.6 = 5\nE_min_pdg.6 = 6\n", "cuts.E_min_pdg.6", "E_min_pdg < E_max_pdg"),
        ("[cuts]\ne_min_pdg.6 = 5\n", "cuts.e_min_pdg", "did you mean cuts.E_min_pdg"),
        ("[cuts]\netaj = 1\netajmin = 2\n", "cuts.etajmin", "etajmin < etaj"),
        ("[parameters]\nMT = inf\n", "parameters.MT", "finite"),
        ('[parameters]\nMT = "heavy"\n', "parameters.MT", "a number"),
        ("[multiparticles]\nx = 5\n", "multiparticles.x", "names of particles"),
        ('model = "smm"\n', "model", "did you mean sm"),
        ("model = 5\n", "model", "sm-no_b_mass"),
        ("[training.fab]\nbuffer_minimum = 101\n", "training.fab.buffer_minimum", "100"),
        (
            '[training]\nmethod = "fab"\nschedule = "warmup-cosine"\nwarmup_steps = 400\n',
            "training.warmup_steps",
            "400",
        ),
        ("[generation]\nmax_overweight = 1.0\n", "generation.max_overweight", "< 1"),
        ('[generation]\nformat = "root"\n', "generation.format", "lhe.gz, lhe"),
        (f"[training]\nlearning_rate = {'9' * 400}\n", "training.learning_rate", "<= 10"),
        ("[training]\nsteps = 2020-01-01\n", "training.steps", "a date or time"),
    ],
)
def test_wrong_values_name_file_key_and_cure(write_card, text, key, message):
    path = write_card(PROCESS + text)
    error = error_of(path)
    assert error.key == key
    assert error.file == str(path)
    assert error.found is not None
    assert error.allowed is not None
    assert message in str(error)


@pytest.mark.parametrize(
    "text",
    [
        'model = "models/loop_sm"\n',
    ],
)
def test_keys_of_later_steps_are_not_available_yet(write_card, text):
    error = error_of(write_card(PROCESS + text))
    assert "not available yet" in str(error)
    assert error.key is not None


LAMBDA_C = 'process = "Lambda_c+ > p K- pi+"\nmodel = "lc2pkpi"\n'


@pytest.mark.parametrize("mapping", ["dalitz", "channels"])
def test_amplitude_models(write_card, mapping):
    text = f'{LAMBDA_C}[phase_space]\nmapping = "{mapping}"\n[parameters]\n"ML(1520)" = 1.52\n'
    card = load_card(write_card(text))
    assert (card.model, card.phase_space.mapping) == ("lc2pkpi", mapping)
    assert card.parameters == {"ML(1520)": 1.52}
    assert load_card(write_card(dump_card(card), "resolved.toml")) == card


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (PROCESS + '[phase_space]\nmapping = "dalitz"\n', "phase_space.mapping"),
        ('process = "t > b e+ ve"\n[phase_space]\nmapping = "dalitz"\n', "phase_space.mapping"),
        (LAMBDA_C + '[phase_space]\nmapping = "rambo"\n', "phase_space.mapping"),
        (LAMBDA_C + "[phase_space]\nbw_cutoff = 5.0\n", "phase_space.bw_cutoff"),
        (LAMBDA_C + "[phase_space]\nsmall_width = 0.0\n", "phase_space.small_width"),
        (LAMBDA_C + "[cuts]\nptj = 10.0\n", "cuts.ptj"),
        (LAMBDA_C + "[beams]\nenergy = [1.0, 2.0]\n", "beams.energy"),
        (LAMBDA_C + "[scales]\nrenormalization = 2.0\n", "scales.renormalization"),
        (LAMBDA_C + '[multiparticles]\nh = "p K-"\n', "multiparticles.h"),
    ],
)
def test_what_amplitude_models_do_not_have(write_card, text, key):
    path = write_card(text)
    error = error_of(path)
    assert (error.key, error.file) == (key, str(path))
    assert error.found is not None
    assert error.allowed is not None


TOY = 'process = "toy:camel-back"\n'


def test_toys(write_card):
    text = (
        f'{TOY}[channels]\nmaps = "left right"\nflows = "conditioned"\ndrop_below = 0.01\n'
        'trained_weights = false\n[surrogate]\ncoupling = "affine"\npermutation = "rotation"\n'
        '[training]\nmethod = "kl"\n[training.madnis]\nbuffer_gain = 5\nstratified = false\n'
    )
    card = load_card(write_card(text))
    assert (card.channels.prior, card.channels.drop_below) == ("densities", 0.01)
    assert card.training.madnis.buffer_gain == 5.0
    assert math.isinf(card.training.skip_factor)
    assert load_card(write_card(dump_card(card), "resolved.toml")) == card
    assert load_card(write_card('process = ["toy:camel-back"]\n')) == load_card(write_card(TOY))
    flat = load_card(write_card(f'{TOY}[channels]\nprior = "flat"\n', "flat.toml"))
    assert flat.channels.prior == "flat"


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ('process = "toy:camelback"\n', "process", '"toy:camel-back"'),
        ('process = ["toy:camel-back", "e+ e- > z h"]\n', "process", '"toy:camel-back"'),
        (f'{TOY}[channels]\nprior = "propagators"\n', "channels.prior", '"flat" or "densities"'),
        (f"{TOY}[cuts]\nptl = 5.0\n", "cuts.ptl", "no such key"),
        (f"{TOY}[beams]\nenergy = [1.0, 2.0]\n", "beams.energy", "no such key"),
        (f"{TOY}[multiparticles]\nq = ['u']\n", "multiparticles.q", "no such key"),
        (f'{TOY}[training]\nmethod = "fkld"\n', "training.method", "evaluates f"),
        (f"{TOY}[channels]\ndrop_below = 0.1\n", "channels.drop_below", '"variance" or "kl"'),
        (f"{TOY}[training.madnis]\nbuffer_gain = 1.5\n", "training.madnis.buffer_gain", "1, 2"),
        (f'{PROCESS}[channels]\nmaps = "ring"\n', "channels.maps", "no such key"),
        (f'{TOY}[channels]\nuse = "all"\n', "channels.use", '"one"'),
        (
            f'{PROCESS}[phase_space]\nmapping = "rambo"\n[channels]\nuse = "all"\n',
            *("channels.use", 'mapping = "channels"'),
        ),
    ],
)
def test_what_toys_and_channels_do_not_have(write_card, text, key, allowed):
    path = write_card(text)
    error = error_of(path)
    assert (error.key, error.file) == (key, str(path))
    assert error.found is not None
    assert allowed in error.allowed


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"# nothing but a comment\n", "empty"),
        (b"process = \n", "line 1"),
        (PROCESS.encode() + b"[training\n", "found:   [training"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"process = " + b"[" * 3000 + b"]" * 3000, "nest too deeply\n"),
        (b"x = " + b"{a=" * 3000 + b"1" + b"}" * 3000, "nest too deeply\n"),
        (b"y = 1\nx = -" + b"9" * 5000, "too many digits\n"),
        (b"x = [1, 1_" + b"9" * 5000 + b"]\n", "found:   x = [1, 1_999"),
        (b"x = " + b"9" * 5000, "at most 4300 digits"),
        (b"x = 2020-13-45\n", "found:   x = 2020-13-45"),
        (b"model = 'sm'\n", "names no process"),
        (b"process = ''\n", "process is empty"),
        (b"process = []\n", "process is empty"),
        (b"process = 5\n", "an integer"),
    ],
)
def test_files_that_are_no_cards(tmp_path, data, message):
    path = tmp_path / "card.toml"
    path.write_bytes(data)
    error = error_of(path)
    assert error.file == str(path)
    assert message in str(error)


def test_missing_file_and_directory(tmp_path):
    error = error_of(tmp_path / "none.toml")
    assert "does not exist" in str(error)
    assert error.hint is None
    error = error_of(Path("e+ e- > mu+ mu-"))
    assert error.hint.endswith('process = "e+ e- > mu+ mu-"')
    assert "directory" in str(error_of(tmp_path))


def test_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "card.toml"
    path.write_bytes(b"\xef\xbb\xbf" + PROCESS.encode())
    assert load_card(path).process == ("e+ e- > mu+ mu-",)


@pytest.mark.parametrize(
    "setting", ["steps", "=5", "training..steps=5", "process.x=5", "training.fkld.data="]
)
def test_settings_that_are_none(write_card, setting):
    assert error_of(write_card(PROCESS), setting).file == "--set"


def test_a_setting_without_a_value_is_no_empty_text(write_card):
    error = error_of(write_card(PROCESS), "training.fkld.data= ")
    assert "no value" in error.problem
    assert error.hint == "training.fkld.data='\"\"' is an empty text"
    assert load_card(write_card(PROCESS), ['training.fkld.data=""']).training.fkld.data == ""


def test_errors_in_settings_name_the_option(write_card):
    path = write_card(PROCESS)
    assert error_of(path, "training.steps=0").file == "--set"
    assert error_of(path, "surrogate={layers = 0}").file == "--set"
    assert error_of(path, "training.steps.x=5").file == "--set"
    assert error_of(path, "no.such.key=5").file == "--set"
    assert error_of(path, "training.steps=5", "training.fab.buffer_batches=5").file == str(path)


def test_a_setting_holds_one_key_only(write_card):
    card = load_card(write_card(PROCESS), ["process=e+ e- > z h\ntraining.steps = 5"])
    assert card.training.steps == 10_000


def test_cut_keys_have_partners():
    for keys in (CUT_KEYS, PDG_CUT_KEYS):
        for name, key in keys.items():
            if key.partner is not None:
                partner = keys[key.partner]
                assert partner.partner == name
                assert partner.is_maximum != key.is_maximum
                assert partner.quantity == key.quantity
                assert partner.may_exclude == key.may_exclude


def test_all_documented_cuts_are_known():
    documented = """ptj ptb ptl pta misset ptjmax ptbmax ptlmax ptamax missetmax ptheavy
        ej eb el ea ejmax ebmax elmax eamax etaj etab etal etaa etajmin etabmin etalmin etaamin
        drjj drbb drll draa drbj drjl drbl draj drab dral drjjmax drbbmax drllmax draamax drbjmax
        drjlmax drblmax drajmax drabmax dralmax mmjj mmbb mmaa mmjjmax mmbbmax mmaamax mmll mmnl
        mmllmax mmnlmax ptj1min ptj1max ptj2min ptj2max ht2min ht2max htjmin htjmax
        ptj3min ptj3max ptj4min ptj4max ht3min ht3max ht4min ht4max ihtmin ihtmax ptllmin ptllmax
        xptj xptb xptl xpta xetamin deltaeta ptgmin dsqrt_shat dsqrt_shatmax
        ptl1min ptl1max ptl2min ptl2max ptl3min ptl3max ptl4min ptl4max"""
    assert set(CUT_KEYS) == set(documented.split())
    by_number = "pt_min_pdg pt_max_pdg E_min_pdg E_max_pdg eta_min_pdg eta_max_pdg mxx_min_pdg"
    assert set(PDG_CUT_KEYS) == set(by_number.split())
    options = "cut_decays r0gamma xn epsgamma isoem mxx_only_part_antipart"
    assert set(CUT_OPTIONS) == set(options.split())


def test_cuts_by_number_and_windows(write_card):
    text = PROCESS + (
        "[cuts]\nmmll = 100\nmmllmax = 80\nisoem = false\nr0gamma = 0.7\n"
        'pt_min_pdg = {6 = 100, "25" = 50}\nmxx_min_pdg.6 = 500.0\n'
    )
    card = load_card(write_card(text), ["cuts.eta_max_pdg.6=2.5"])
    assert card.cuts == {
        "mmll": 100.0,
        "mmllmax": 80.0,
        "isoem": False,
        "r0gamma": 0.7,
        "pt_min_pdg": {"6": 100.0, "25": 50.0},
        "mxx_min_pdg": {"6": 500.0},
        "eta_max_pdg": {"6": 2.5},
    }
    again = load_card(write_card(dump_card(card)))
    assert again == card
    with pytest.raises(TypeError):
        card.cuts["pt_min_pdg"]["6"] = 0.0
