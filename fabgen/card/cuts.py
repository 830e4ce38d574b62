"""The names of the cuts: all that the `[cuts]` table of a card may hold.

Names and meanings are MadGraph's (run_card), with the rapidity y where it says eta. Most
quantities have a minimum `x` and a maximum `xmax`; for eta it is `etajmin` and `etaj`, and where
MadGraph writes `xmin` and `xmax` so do we.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class CutKey:
    """One bound on one quantity; `partner` is the key of the opposite bound, if there is one."""

    name: str
    quantity: str
    is_maximum: bool
    partner: str | None
    unit: str
    doc: str


_CLASSES = {"j": "light jet", "b": "massive b", "l": "charged lepton", "a": "photon"}
_PAIRS = ("jj", "bb", "ll", "aa", "bj", "jl", "bl", "aj", "ab", "al")


def _both(minimum: str, maximum: str, quantity: str, unit: str, doc: str) -> Iterator[CutKey]:
    yield CutKey(minimum, quantity, False, maximum, unit, f"minimum {doc}")
    yield CutKey(maximum, quantity, True, minimum, unit, f"maximum {doc}")


def _table() -> Iterator[CutKey]:
    for c, name in _CLASSES.items():
        yield from _both(f"pt{c}", f"pt{c}max", f"pt{c}", "GeV", f"pT of each {name}")
    yield from _both("misset", "missetmax", "misset", "GeV", "pT of the summed neutrinos")
    doc = "minimum pT of at least one heavy particle"
    yield CutKey("ptheavy", "ptheavy", False, None, "GeV", doc)
    for c, name in _CLASSES.items():
        yield from _both(f"e{c}", f"e{c}max", f"e{c}", "GeV", f"energy of each {name}")
    for c, name in _CLASSES.items():
        yield from _both(f"eta{c}min", f"eta{c}", f"eta{c}", "", f"|y| of each {name}")
    for pair in _PAIRS:
        doc = f"sqrt(dy^2 + dphi^2) of every pair {pair}"
        yield from _both(f"dr{pair}", f"dr{pair}max", f"dr{pair}", "", doc)
    for pair in ("jj", "bb", "aa"):
        doc = f"invariant mass of every pair {pair}"
        yield from _both(f"mm{pair}", f"mm{pair}max", f"mm{pair}", "GeV", doc)
    doc = "invariant mass of every same-flavour opposite-sign lepton pair"
    yield from _both("mmll", "mmllmax", "mmll", "GeV", doc)
    doc = "invariant mass of all leptons and neutrinos"
    yield from _both("mmnl", "mmnlmax", "mmnl", "GeV", doc)
    for name, doc in {
        "ptj1": "pT of the leading jet",
        "ptj2": "pT of the second jet",
        "ht2": "HT of the two leading jets",
        "htj": "HT of all jets",
    }.items():
        yield from _both(f"{name}min", f"{name}max", name, "GeV", doc)


#: Every bound by its key, in the order of the documentation.
CUT_KEYS: dict[str, CutKey] = {key.name: key for key in _table()}

#: The one key of `[cuts]` that is no bound: whether decay products are cut as well (default false).
CUT_DECAYS = "cut_decays"
