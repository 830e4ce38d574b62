"""All cuts that there are: their keys, and the groups of legs that they hold for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .bounds import CutLeg

_LETTERS = ("j", "b", "l", "a")
PAIRS = ("jj", "bb", "ll", "aa", "bj", "aj", "jl", "ab", "bl", "al")
#: How many particles, counted from the hardest, the cuts on leading ones and on HT know.
_LEADING = (1, 2, 3, 4)
#: Keys of the minima whose maximum may lie below: then the values between are left out.
EXCLUDING = ("mmjj", "mmbb", "mmaa", "mmll")

Groups = list[tuple[int, ...]]


class Row(NamedTuple):
    """A cut with the groups of legs that it holds for in one process."""

    low: str  #: key of the minimum
    high: str  #: key of the maximum, "" if there is none
    quantity: str
    groups: Groups
    rank: int = 0


class Classes:
    """The legs of each class, without products of decays unless these are cut as well."""

    def __init__(self, legs: Sequence[CutLeg], cut_decays: bool):
        self.legs, self.cut_decays = legs, cut_decays
        self.seen = [i for i, leg in enumerate(legs) if cut_decays or not leg.from_decay]

    def all(self, *kinds: str) -> list[int]:
        """Those that count, whatever their mass."""
        return [i for i in self.seen if self.legs[i].kind in kinds]

    def cut(self, kind: str) -> list[int]:
        """Those that the cuts on each of a class, or each pair, hold for."""
        return [i for i in self.all(kind) if self.legs[i].is_cut]

    def heavy(self) -> list[int]:
        return [i for i in self.seen if self.legs[i].is_heavy]

    def numbered(self, pdg: int) -> list[int]:
        """Those of a PDG number and their antiparticles."""
        return [i for i in self.seen if abs(self.legs[i].pdg) == pdg]

    def are_opposite(self, pair: tuple[int, ...]) -> bool:
        """Whether they are a particle and its antiparticle."""
        first, second = (self.legs[i].pdg for i in pair)
        return first == -second


def rows(classes: Classes) -> Iterator[Row]:
    """Every cut but those by PDG number and the isolation of photons."""
    yield from _of_each(classes)
    yield from _of_pairs(classes)
    yield from _of_several(classes)
    yield from _of_leading(classes)


def _of_each(classes: Classes) -> Iterator[Row]:
    for c in _LETTERS:
        singles = _singles(classes.cut(c))
        yield Row(f"pt{c}", f"pt{c}max", "pt", singles)
        yield Row(f"e{c}", f"e{c}max", "energy", singles)
        yield Row(f"eta{c}min", f"eta{c}", "rapidity", singles)
    yield Row("ptgmin", "", "pt", _singles(classes.all("a")))


def _of_pairs(classes: Classes) -> Iterator[Row]:
    for pair in PAIRS:
        groups = _pairs(classes.cut(pair[0]), classes.cut(pair[1]))
        yield Row(f"dr{pair}", f"dr{pair}max", "delta r", groups)
    for c in ("j", "b", "a"):
        yield Row(f"mm{c}{c}", f"mm{c}{c}max", "mass", _pairs(classes.cut(c), classes.cut(c)))
    leptons = classes.cut("l")
    groups = [pair for pair in _pairs(leptons, leptons) if classes.are_opposite(pair)]
    yield Row("mmll", "mmllmax", "mass", groups)
    leptons, missing = classes.all("l"), classes.all("missing")
    groups = [pair for pair in _pairs(leptons, leptons) if classes.are_opposite(pair)]
    groups += _pairs(leptons, missing) + _pairs(missing, missing)
    yield Row("ptllmin", "ptllmax", "summed pt", groups)


def _of_several(classes: Classes) -> Iterator[Row]:
    yield Row("misset", "missetmax", "summed pt", _whole(classes.all("missing")))
    yield Row("mmnl", "mmnlmax", "mass", _whole(classes.all("l", "missing"), at_least=2))
    yield Row("dsqrt_shat", "dsqrt_shatmax", "mass", _whole(range(len(classes.legs))))
    yield Row("ptheavy", "", "any pt", _whole(classes.heavy()))
    for c in _LETTERS:
        yield Row(f"xpt{c}", "", "any pt", _whole(classes.all(c)))
    two_jets = _whole(classes.all("j"), at_least=2)
    yield Row("xetamin", "", "hemispheres", two_jets)
    yield Row("deltaeta", "", "gap", two_jets)


def _of_leading(classes: Classes) -> Iterator[Row]:
    for c in ("j", "l"):
        for k in _LEADING:
            groups = _whole(classes.all(c), at_least=k)
            yield Row(f"pt{c}{k}min", f"pt{c}{k}max", "ranked pt", groups, k)
    jets = classes.all("j")
    for k in _LEADING[1:]:
        yield Row(f"ht{k}min", f"ht{k}max", "ht", _whole(jets, at_least=k), k)
    yield Row("htjmin", "htjmax", "ht", _whole(jets))
    yield Row("ihtmin", "ihtmax", "ht", _whole(classes.all("j", "b")))


def rows_of_pdg(classes: Classes, pdg: int, *, opposite_only: bool) -> Iterator[Row]:
    """The cuts on the particles of a PDG number, whatever their mass.

    opposite_only: those on pairs are of a particle and its antiparticle.
    """
    legs = classes.numbered(pdg)
    for name, quantity in (("pt", "pt"), ("E", "energy"), ("eta", "rapidity")):
        yield Row(f"{name}_min_pdg", f"{name}_max_pdg", quantity, _singles(legs))
    pairs = _pairs(legs, legs)
    if opposite_only:
        pairs = [pair for pair in pairs if classes.are_opposite(pair)]
    yield Row("mxx_min_pdg", "", "mass", pairs)


def isolated(classes: Classes, *, from_leptons: bool) -> Groups:
    """Each photon with what it is isolated from: the jets, and apart from these, photons and
    charged leptons."""
    photons = classes.all("a")
    others = [classes.all("j")]
    if from_leptons:
        others.append(classes.all("a", "l"))
    groups = [
        (photon, *(leg for leg in group if leg != photon)) for photon in photons for group in others
    ]
    return [group for group in groups if len(group) > 1]


def _singles(legs: Sequence[int]) -> Groups:
    return [(leg,) for leg in legs]


def _whole(legs: Sequence[int], at_least: int = 1) -> Groups:
    """All legs as one group, if there are as many."""
    return [tuple(legs)] if len(legs) >= at_least else []


def _pairs(first: Sequence[int], second: Sequence[int]) -> Groups:
    """All unordered pairs of different legs, one of each class."""
    return sorted({(min(i, j), max(i, j)) for i in first for j in second if i != j})


#: Tables of a card whose keys are PDG numbers.
PDG_KEYS = tuple(
    key
    for row in rows_of_pdg(Classes((), True), 0, opposite_only=False)
    for key in (row.low, row.high)
    if key
)
