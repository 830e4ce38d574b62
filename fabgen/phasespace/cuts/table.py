"""All cuts that there are: their keys, and the groups of legs that they hold for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .bounds import CutLeg

_LETTERS = ("j", "b", "l", "a")
PAIRS = ("jj", "bb", "ll", "aa", "bj", "aj", "jl", "ab", "bl", "al")
#: How many jets, counted from the hardest, the cuts on leading jets and on HT know.
_LEADING = (1, 2, 3, 4)

#: Key of the minimum, key of the maximum, quantity, groups of legs it holds for, rank.
Row = tuple[str, str, str, list[tuple[int, ...]], int]


def rows(legs: tuple[CutLeg, ...], classes: Mapping[str, list[int]]) -> Iterator[Row]:
    """Every cut there is, with the groups of legs it applies to in this process."""

    def of(kind: str) -> list[int]:
        return classes.get(kind, [])

    def whole(group: list[int], at_least: int = 1) -> list[tuple[int, ...]]:
        return [tuple(sorted(group))] if len(group) >= at_least else []

    for c in _LETTERS:
        singles: list[tuple[int, ...]] = [(leg,) for leg in of(c)]
        yield f"pt{c}", f"pt{c}max", "pt", singles, 0
        yield f"e{c}", f"e{c}max", "energy", singles, 0
        yield f"eta{c}min", f"eta{c}", "rapidity", singles, 0
    yield "misset", "missetmax", "summed pt", whole(of("missing")), 0
    yield "ptheavy", "", "any pt", whole(of("heavy")), 0
    for pair in PAIRS:
        legs_of_pair = _pairs(of(pair[0]), of(pair[1]))
        yield f"dr{pair}", f"dr{pair}max", "delta r", legs_of_pair, 0
    for c in ("j", "b", "a"):
        yield f"mm{c}{c}", f"mm{c}{c}max", "mass", _pairs(of(c), of(c)), 0
    same_flavour = [p for p in _pairs(of("l"), of("l")) if legs[p[0]].pdg == -legs[p[1]].pdg]
    yield "mmll", "mmllmax", "mass", same_flavour, 0
    yield "mmnl", "mmnlmax", "mass", whole(of("l") + of("missing"), at_least=2), 0
    for k in _LEADING:
        yield f"ptj{k}min", f"ptj{k}max", "ranked pt", whole(of("j"), at_least=k), k
    for k in _LEADING[1:]:
        yield f"ht{k}min", f"ht{k}max", "ht", whole(of("j"), at_least=k), k
    yield "htjmin", "htjmax", "ht", whole(of("j")), 0


def _pairs(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, ...]]:
    """All unordered pairs of different legs, one of each class."""
    return sorted({(min(i, j), max(i, j)) for i in first for j in second if i != j})
