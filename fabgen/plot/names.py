"""Names of particles in pictures (LaTeX) and in their file names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from particle import InvalidParticle, Particle, ParticleNotFound

from fabgen.process.event_topology import EventTopology
from fabgen.process.parser import parse_process


@dataclass(frozen=True)
class Name:
    """A particle as LaTeX (without dollars) and as a piece of a file name."""

    latex: str
    file: str

    def numbered(self, number: int) -> Name:
        """The number-th of several equal particles."""
        return Name(f"{{{self.latex}}}_{{{number}}}", f"{self.file}{number}")


#: Where subprocesses differ in a leg: the PDG ids it may have, and what it is called then.
_CLASSES = (
    (frozenset({1, 2, 3, 4, 5, 21}), Name("j", "j")),
    (frozenset({11, 13, 15}), Name(r"\ell", "l")),
    (frozenset({12, 14, 16}), Name(r"\nu", "nu")),
)
# PDG's names carry the charge of every boson; papers write Z and H.
_SHORT = {23: Name("Z", "Z"), 25: Name("H", "H"), 32: Name(r"Z^{\prime}", "Zprime")}


def particle_name(pdg: int) -> Name:
    """The name of a particle by its PDG id; a particle that PDG does not know goes by its id."""
    if pdg in _SHORT:
        return _SHORT[pdg]
    try:
        particle = Particle.from_pdgid(pdg)
    except (ParticleNotFound, InvalidParticle):
        return Name(rf"\mathrm{{PDG}}_{{{pdg}}}", f"pdg{pdg}".replace("-", "_anti_"))
    return Name(particle.latex_name, re.sub(r"\W+", "", particle.programmatic_name))


def common_name(pdgs: Sequence[int]) -> Name:
    """One name for a leg that is one of several particles, in different subprocesses."""
    different = sorted(set(pdgs))
    if len(different) == 1:
        return particle_name(different[0])
    for ids, name in _CLASSES:
        if {abs(pdg) for pdg in different} <= ids:
            return name
    return Name("X", "x")


def leg_names(topologies: Sequence[EventTopology]) -> tuple[Name, ...]:
    """Names of the external legs, those of equal final particles not yet numbered."""
    return tuple(common_name(pdgs) for pdgs in zip(*(t.pdg for t in topologies), strict=True))


def numbered(names: Sequence[Name]) -> tuple[Name, ...]:
    """The names with numbers where they occur more than once, in their order."""
    counts, seen = Counter(names), Counter[Name]()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name.numbered(seen[name]) if counts[name] > 1 else name)
    return tuple(result)


def process_label(topologies: Sequence[EventTopology]) -> str:
    """The process as LaTeX with dollars: incoming particles, an arrow, final ones."""
    names = [name.latex for name in leg_names(topologies)]
    n_initial = topologies[0].n_initial
    left, right = r"\,".join(names[:n_initial]), r"\,".join(names[n_initial:])
    return rf"${left} \to {right}$"


#: Signs of process syntax in LaTeX.
_SIGNS = {">": r"$\to$", "$": r"\$", "$$": r"\$\$"}
_WORD = re.compile(r"(\(*)(.*?)([),]*)")
_ORDER = re.compile(r"([A-Z]+)([<=]+)(\d+)")
_SPECIAL = {"l": r"\ell", "vl": r"\nu_{\ell}"}


def process_text(line: str, pdg_of: Callable[[str], int | None]) -> str:
    """One line of process syntax in LaTeX, decays, exclusions and orders included.

    pdg_of: the PDG id of a name, None for a multiparticle. Every particle is a formula of its own,
    so that the line can be broken at its blanks.
    """
    words = []
    for word in str(parse_process(line)).split():
        opened, middle, closed = _WORD.fullmatch(word).groups()  # type: ignore[union-attr]
        words.append(f"{opened}{_in_latex(middle, pdg_of)}{closed}")
    return " ".join(words)


def _in_latex(word: str, pdg_of: Callable[[str], int | None]) -> str:
    if word in _SIGNS:
        return _SIGNS[word]
    if order := _ORDER.fullmatch(word):
        name, sign, value = order.groups()
        relation = r"\leq" if sign == "<=" else "="
        return rf"{name}${relation}${value}"
    if word in ("|", "/") or word.startswith("@"):
        return word
    pdg = pdg_of(word)
    return f"${multiparticle_latex(word) if pdg is None else particle_name(pdg).latex}$"


def multiparticle_latex(name: str) -> str:
    """A multiparticle by its name: l+, vl~, p, j, or one of the card."""
    stem = name.rstrip("+-~")
    latex = _SPECIAL.get(stem, stem if len(stem) == 1 else rf"\mathrm{{{stem}}}")
    latex = latex.replace("_", r"\_") if stem not in _SPECIAL else latex
    sign = name[len(stem) :]
    if sign == "~":
        return rf"\overline{{{latex}}}"
    return rf"{latex}^{{{sign}}}" if sign else latex
