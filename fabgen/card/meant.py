"""Meanings of keys that no card has: names of MadGraph's cards, and common slips."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fabgen.card.cuts import CUT_KEYS, CUT_OPTIONS, PDG_CUT_KEYS

#: The external parameters of the Standard Model, which `[parameters]` may hold.
SM_PARAMETERS = (
    *("aEWM1", "Gf", "aS", "MZ", "MT", "MB", "MTA", "MH", "ymb", "ymt", "ymtau"),
    *("WT", "WZ", "WW", "WH"),
)
_ENERGY = "beams.energy = [500.0, 500.0] (GeV per beam, here sqrt(s) = 1000 GeV)"
#: The key, or keys, that other names stand for.
_KEYS = {
    "generation.events": "events nevents n_events nevent nev num_events number_of_events nunwgt",
    "generation.seed or training.seed": "iseed rseed random_seed rng_seed python_seed",
    _ENERGY: "energy ebeam ebeam1 ebeam2 beam_energy energies sqrts sqrt_s roots ecm e_cm "
    "cm_energy com_energy",
    "phase_space.bw_cutoff": "bwcutoff bw_cut",
    "scales.renormalization": "scale mur mu_r ren_scale fixed_ren_scale alphas_scale",
    'scales.renormalization and scales.factorization: "transverse_energy" for 1, "transverse_mass" '
    'for 2, "half_transverse_mass" for 3, "partonic_energy" for 4, "ckkw" for -1': (
        "dynamical_scale_choice"
    ),
    "scales.factor": "scalefact scale_factor",
    "scales.factorization": "dsqrt_q2fact1 dsqrt_q2fact2 muf mu_f fac_scale fixed_fac_scale "
    "fixed_fac_scale1 fixed_fac_scale2",
    "cuts.mmll": "mll m_ll mllmin",
    "cuts.mmjj": "mjj m_jj mjjmin",
    "cuts.mmbb": "mbb m_bb",
    "cuts.mmaa": "maa m_aa",
    "cuts.misset": "met missinget etmiss ptmiss",
    "cuts.ptj, ptb, ptl or pta": "pt pt_min ptmin min_pt",
    "cuts.etaj, etab, etal or etaa": "eta eta_max etamax max_eta y ymax rapidity",
    "cuts.drjj, drll, drjl, ...": "dr deltar delta_r drmin",
    "model (sm-no_b_mass: b quarks are light and part of p and j)": "maxjetflavor asrwgtflavor",
    "parameters.MT, parameters.MZ, ...": "mass masses width widths param_card",
    "multiparticles": "define multiparticle",
    "process": "generate add_process proc processes",
    "--run DIR on the command line": "output outdir output_dir run_tag run_name",
    "training.method": "loss objective",
    "evaluation.samples": "n_samples nsamples points npoints ncall",
}
#: What fabgen does not have.
_ABSENT = {
    'beams.kind = "proton"; else the process names the beams': "lpp lpp1 lpp2 beam_type beam1 "
    "beam2",
    "beams.pdf, a set of densities by its name": "pdlabel pdlabel1 pdlabel2 lhaid lhapdf pdfset "
    "pdf_set",
    "systematic variations of scales and densities are not available yet": "use_syst "
    "systematics_program systematics_arguments sys_scalefact sys_alpsfact sys_matchscale sys_pdf",
    "matching and merging with a shower are not available": "ickkw xqcut ktdurham ptlund "
    "dparameter alpsfact chcluster pdfwgt auto_ptj_mjj",
    "polarized beams are not available": "polbeam1 polbeam2 nhel",
    "fabgen has no such setting, and needs none": "gridpack event_norm lhe_version clusinfo "
    "time_of_flight sde_strategy hel_recycling bypass_check custom_fcts bias_module "
    "bias_parameters mode nb_core job_strategy gseed",
}


def _by_name(table: dict[str, str]) -> dict[str, str]:
    return {name: text for text, names in table.items() for name in names.split()}


_KEY_OF, _ABSENCE_OF = _by_name(_KEYS), _by_name(_ABSENT)
#: All names of MadGraph's run card that are known here, and the names of its cuts.
KNOWN_NAMES = frozenset(
    {*_KEY_OF, *_ABSENCE_OF, *CUT_KEYS, *CUT_OPTIONS, *(name.lower() for name in PDG_CUT_KEYS)}
)
_PARTICLES = {"top": "t", "bottom": "b", "beauty": "b", "tau": "ta", "higgs": "h"}
_COUPLINGS = {
    "aS": "as alphas alphasmz asmz alphaqcd alphastrong aqcd gs",
    "aEWM1": "alpha alphaem alphaqed alphaew alphaewm1 aem aew aqed alpham1 inversealpha",
    "Gf": "gfermi fermiconstant gmu",
    "ymt": "yt ytop",
    "ymb": "yb ybottom",
    "ymtau": "yta ytau",
}
_COUPLING_OF = _by_name(_COUPLINGS)
_DERIVED = ("mw", "massw", "wmass", "sw2", "sw", "sin2thetaw", "sin2tw", "vev", "ee")


def meant(name: str) -> str | None:
    """A hint for the key `name` (without its table) that no card has; None if it says nothing."""
    lower = name.lower()
    if lower in _KEY_OF:
        return f"did you mean {_KEY_OF[lower]}?"
    if lower in _ABSENCE_OF:
        return _ABSENCE_OF[lower]
    if cut := _cut(lower):
        return f"did you mean cuts.{cut}?"
    return parameter_meant(name, SM_PARAMETERS, "parameters.")


def _cut(name: str) -> str | None:
    """The cut of a name with another way to say minimum or maximum."""
    plain = name.replace("_", "")
    short = plain.replace("min", "")
    wide = plain.replace("max", "") if plain.startswith("eta") else plain
    options = (name, plain, short, wide, f"{plain}min", f"{short}max")
    return next((option for option in options if option in CUT_KEYS), None)


def parameter_meant(name: str, known: Iterable[str], prefix: str = "") -> str | None:
    """A hint for a parameter that is none of `known`."""
    known = list(known)
    if _plain(name) in _DERIVED and {"MZ", "Gf", "aEWM1"} <= set(known):
        return f"{name} follows from {prefix}aEWM1, {prefix}Gf and {prefix}MZ"
    found = parameter_name(name, known)
    if found is None:
        return None
    inverse = " (the inverse of alpha)" if found == "aEWM1" else ""
    return f"did you mean {prefix}{found}{inverse}?"


def parameter_name(name: str, known: Iterable[str]) -> str | None:
    """Which of the known parameters goes by another name: mtop, m_t, top_mass, alphas, ..."""
    by_lower = {each.lower(): each for each in known}
    rest = plain = _plain(name)
    kind = ""
    for word, letter in (("mass", "m"), ("width", "w"), ("gamma", "w"), ("yukawa", "ym")):
        if word in rest:
            kind, rest = letter, rest.replace(word, "")
    if not kind and rest[:1] in ("m", "w"):
        kind, rest = rest[0], rest[1:]
    candidates = (plain, _COUPLING_OF.get(plain, "").lower(), kind + _PARTICLES.get(rest, rest))
    return next((by_lower[each] for each in candidates if each in by_lower), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
