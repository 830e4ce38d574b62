"""The names of the cuts: all that the `[cuts]` table of a card may hold.

Names and meanings are MadGraph's (run_card), with the rapidity y where it says eta. Most
quantities have a minimum `x` and a maximum `xmax`; for eta it is `etajmin` and `etaj`, and where
MadGraph writes `xmin` and `xmax` so do we. Cuts by PDG number are tables, as in
`mxx_min_pdg = {"6" = 500.0}`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from fabgen.card.option import Option

#: A bound, a switch, or bounds by PDG number.
CutValue = float | bool | Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class CutKey:
    """One bound on one quantity; `partner` is the key of the opposite bound, if there is one.

    may_exclude: a maximum below the minimum leaves out what lies between them.
    """

    name: str
    quantity: str
    is_maximum: bool
    partner: str | None
    unit: str
    doc: str
    may_exclude: bool = False


@dataclasses.dataclass(frozen=True)
class CutOption:
    """A key of `[cuts]` that is no bound: a switch, or a number within limits."""

    default: bool | float
    option: Option


_CLASSES = {"j": "light jet", "b": "massive b", "l": "charged lepton", "a": "photon"}
_PAIRS = ("jj", "bb", "ll", "aa", "bj", "jl", "bl", "aj", "ab", "al")
_RANKS = {1: "hardest", 2: "second", 3: "third", 4: "fourth"}
_NUMBERS = {2: "two", 3: "three", 4: "four"}


def _both(
    minimum: str, maximum: str, quantity: str, unit: str, doc: str, *, may_exclude: bool = False
) -> Iterator[CutKey]:
    yield CutKey(minimum, quantity, False, maximum, unit, f"minimum {doc}", may_exclude)
    yield CutKey(maximum, quantity, True, minimum, unit, f"maximum {doc}", may_exclude)


def _least(name: str, unit: str, doc: str) -> CutKey:
    return CutKey(name, name, False, None, unit, f"minimum {doc}")


def _table() -> Iterator[CutKey]:
    for c, name in _CLASSES.items():
        yield from _both(f"pt{c}", f"pt{c}max", f"pt{c}", "GeV", f"pT of each {name}")
    yield from _both("misset", "missetmax", "misset", "GeV", "pT of the summed neutrinos")
    yield _least("ptheavy", "GeV", "pT of at least one particle heavier than 10 GeV")
    for c, name in _CLASSES.items():
        yield _least(f"xpt{c}", "GeV", f"pT of at least one {name}")
    for c, name in _CLASSES.items():
        yield from _both(f"e{c}", f"e{c}max", f"e{c}", "GeV", f"energy of each {name}")
    for c, name in _CLASSES.items():
        yield from _both(f"eta{c}min", f"eta{c}", f"eta{c}", "", f"|y| of each {name}")
    for pair in _PAIRS:
        doc = f"sqrt(dy^2 + dphi^2) of every pair {pair}"
        yield from _both(f"dr{pair}", f"dr{pair}max", f"dr{pair}", "", doc)
    yield from _masses()
    doc = "pT of every pair of l+ l- of one flavour, lepton and neutrino, or neutrinos"
    yield from _both("ptllmin", "ptllmax", "ptll", "GeV", doc)
    yield from _jets()
    for k, rank in _RANKS.items():
        doc = f"pT of the {rank} charged lepton"
        yield from _both(f"ptl{k}min", f"ptl{k}max", f"ptl{k}", "GeV", doc)
    yield _least("ptgmin", "GeV", "pT of each photon, with isolation in place of pta and draj")


def _masses() -> Iterator[CutKey]:
    for pair in ("jj", "bb", "aa"):
        doc = f"invariant mass of every pair {pair}"
        yield from _both(f"mm{pair}", f"mm{pair}max", f"mm{pair}", "GeV", doc, may_exclude=True)
    doc = "invariant mass of every same-flavour opposite-sign lepton pair"
    yield from _both("mmll", "mmllmax", "mmll", "GeV", doc, may_exclude=True)
    doc = "invariant mass of all leptons and neutrinos"
    yield from _both("mmnl", "mmnlmax", "mmnl", "GeV", doc)
    doc = "invariant mass of all final particles"
    yield from _both("dsqrt_shat", "dsqrt_shatmax", "sqrt(s-hat)", "GeV", doc)


def _jets() -> Iterator[CutKey]:
    for k, rank in _RANKS.items():
        doc = f"pT of the {rank} jet"
        yield from _both(f"ptj{k}min", f"ptj{k}max", f"ptj{k}", "GeV", doc)
    for k, number in _NUMBERS.items():
        doc = f"summed pT of the {number} hardest jets"
        yield from _both(f"ht{k}min", f"ht{k}max", f"ht{k}", "GeV", doc)
    yield from _both("htjmin", "htjmax", "htj", "GeV", "summed pT of all jets")
    yield from _both("ihtmin", "ihtmax", "iht", "GeV", "summed pT of all jets and massive b")
    doc = "of the two hardest jets, which fly into opposite hemispheres"
    yield _least("xetamin", "", f"|y| of each {doc}")
    yield _least("deltaeta", "", f"|y_1 - y_2| {doc}")


def _pdg_table() -> Iterator[CutKey]:
    of_each = "of each particle and antiparticle by PDG number"
    for name, quantity, unit in (("pt", "pT", "GeV"), ("E", "energy", "GeV"), ("eta", "|y|", "")):
        doc = f"{quantity} {of_each}"
        yield from _both(f"{name}_min_pdg", f"{name}_max_pdg", quantity, unit, doc)
    doc = "minimum invariant mass of every pair of particles or antiparticles by PDG number"
    yield CutKey("mxx_min_pdg", "mass of pairs", False, None, "GeV", doc)


#: Every bound by its key, in the order of the documentation.
CUT_KEYS: dict[str, CutKey] = {key.name: key for key in _table()}

#: The keys whose values are tables of bounds by PDG number.
PDG_CUT_KEYS: dict[str, CutKey] = {key.name: key for key in _pdg_table()}

#: Particles that have cuts of their class; those by PDG number are for others.
PDG_OF_CLASSES: dict[int, str] = {
    **dict.fromkeys((1, 2, 3, 4, 21), "ptj, ej, etaj"),
    5: "ptb, eb, etab",
    **dict.fromkeys((11, 13, 15), "ptl, el, etal"),
    22: "pta, ea, etaa",
}

#: Whether products of decays are cut as well.
CUT_DECAYS = "cut_decays"

#: The keys that are no bounds.
CUT_OPTIONS: dict[str, CutOption] = {
    CUT_DECAYS: CutOption(False, Option("products of decays are cut as well")),
    "r0gamma": CutOption(0.4, Option("radius of the isolation of photons", above=0.0, at_most=3.0)),
    "xn": CutOption(1.0, Option("power of the isolation of photons", at_least=0.0)),
    "epsgamma": CutOption(1.0, Option("share of the isolation of photons, in their pT", above=0.0)),
    "isoem": CutOption(
        True, Option("photons are isolated from photons and charged leptons as well")
    ),
    "mxx_only_part_antipart": CutOption(
        False, Option("mxx_min_pdg holds for pairs of particle and antiparticle only")
    ),
}
