"""Particles by other names than the models': words, names with `bar` or `anti`, and PDG ids."""

from __future__ import annotations

#: (particle, its antiparticle): what else the particle is called. The names that `bar` or `anti`
#: are put to are among them; what may mean either of two, such as w, is not.
_NAMES = {
    ("d", "d~"): "d down 1",
    ("u", "u~"): "u up 2",
    ("s", "s~"): "s strange 3",
    ("c", "c~"): "c charm 4",
    ("b", "b~"): "b bottom beauty 5",
    ("t", "t~"): "t top 6",
    ("e-", "e+"): "electron 11",
    ("ve", "ve~"): "ve nu nue neutrino 12",
    ("mu-", "mu+"): "muon 13",
    ("vm", "vm~"): "vm numu 14",
    ("ta-", "ta+"): "tau tau- 15",
    ("vt", "vt~"): "vt nutau nuta 16",
    ("g", "g"): "gluon 21",
    ("a", "a"): "gamma photon 22",
    ("z", "z"): "z0 23",
    ("w+", "w-"): "wplus 24",
    ("h", "h"): "higgs h0 25",
    ("zp", "zp"): "z' zprime 32",
    ("e+", "e-"): "positron",
    ("mu+", "mu-"): "muon+",
    ("ta+", "ta-"): "tau+",
    ("w-", "w+"): "wminus",
}
_PAIR_OF = {name: pair for pair, names in _NAMES.items() for name in names.split()}


def meant(name: str) -> str | None:
    """The name in the models of the particle that is meant; None if none is."""
    plain = name.lower().replace("_", "")
    if plain in _PAIR_OF:
        return _PAIR_OF[plain][0]
    for other in (
        plain.removeprefix("-") if plain[1:].isdigit() else "",
        plain.removeprefix("anti-").removeprefix("anti"),
        plain.removesuffix("~").removesuffix("bar"),
    ):
        if other != plain and other in _PAIR_OF:
            return _PAIR_OF[other][1]
    return None
