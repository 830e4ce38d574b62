"""Names that stand for several particles: `p`, `j`, `l+`, ... and those of the card."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from fabgen.errors import InputError
from fabgen.process.parser import is_name

_PARTONS = ("g", "u", "c", "d", "s", "u~", "c~", "d~", "s~")
# As MadGraph defines them for its sm: no tau among the leptons, all three neutrinos.
_DEFAULTS = {
    "p": _PARTONS,
    "j": _PARTONS,
    "l+": ("e+", "mu+"),
    "l-": ("e-", "mu-"),
    "vl": ("ve", "vm", "vt"),
    "vl~": ("ve~", "vm~", "vt~"),
}


class ParticleNames(Protocol):
    """What process syntax needs to know of a model."""

    @property
    def names(self) -> Sequence[str]:
        """Canonical names of all particles and antiparticles, once each."""
        ...

    def resolve(self, name: str) -> str | None:
        """The canonical name of a particle, case-insensitively; None for an unknown name."""
        ...


def default_multiparticles(
    names: ParticleNames, *, massless_b: bool = False
) -> dict[str, tuple[str, ...]]:
    """MadGraph's multiparticles, of the particles that the model has.

    massless_b: whether b and b~ belong to p and j, as in sm-no_b_mass.
    """
    table = {}
    for name, members in _DEFAULTS.items():
        extra = ("b", "b~") if massless_b and name in ("p", "j") else ()
        known = tuple(found for m in members + extra if (found := names.resolve(m)) is not None)
        if known and names.resolve(name) is None:
            table[name] = known
    return table


def multiparticles(
    own: Mapping[str, str | Sequence[str]],
    names: ParticleNames,
    *,
    massless_b: bool = False,
) -> dict[str, tuple[str, ...]]:
    """All multiparticles: lower-case name -> canonical names of its members, each once, in order.

    own: the card's, each a text ("e+ mu+ ta+") or a sequence of names. A member may be another
    multiparticle. A default may be redefined, also in terms of itself: p = "p b b~" adds to it.
    Raises InputError, with the key in the card, for a name that is a particle's, an empty list, an
    unknown member, and a multiparticle that contains itself.
    """
    defaults = default_multiparticles(names, massless_b=massless_b)
    definitions: dict[str, tuple[str, ...]] = {}
    for typed, value in own.items():
        name = _checked_name(typed, names)
        if name in definitions:
            raise InputError(
                "A multiparticle is defined twice (names are not case-sensitive).",
                key=_key(typed),
                found=typed,
                allowed="each name once",
            )
        definitions[name] = _listed(typed, value)

    def members(name: str, key: str, path: tuple[str, ...]) -> Iterable[str]:
        """Concrete members of one listed name; path: the definitions that led here."""
        if (particle := names.resolve(name)) is not None:
            return (particle,)
        if name in definitions and name not in path:
            listed = definitions[name]
            return [m for inner in listed for m in members(inner, name, (*path, name))]
        if name in path and not (name == path[-1] and name in defaults):
            raise InputError(
                "A multiparticle contains itself.",
                key=_key(path[0]),
                found=" -> ".join((*path, name)),
                allowed="particles and multiparticles that do not lead back",
            )
        if name in defaults:
            return defaults[name]
        raise unknown_name(name, names, (*defaults, *definitions), key=_key(key))

    table = dict(defaults)
    for name in definitions:
        table[name] = tuple(dict.fromkeys(members(name, name, ())))
    return table


def unknown_name(
    name: str,
    names: ParticleNames,
    multiparticle_names: Iterable[str],
    *,
    found: str | None = None,
    key: str | None = None,
) -> InputError:
    """The error for a name that is neither a particle nor a multiparticle; found: where it is."""
    groups = sorted(set(multiparticle_names))
    known = [*names.names, *groups]
    close = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=3, cutoff=0.5)
    return InputError(
        f"'{name}' is not a particle of the model, nor a multiparticle.",
        key=key,
        found=found or name,
        allowed=f"particles {' '.join(names.names)}; multiparticles {' '.join(groups)}",
        hint=f"did you mean {' or '.join(dict.fromkeys(close))}?" if close else None,
    )


def _key(name: str) -> str:
    return f"multiparticles.{name}"


def _checked_name(typed: str, names: ParticleNames) -> str:
    if not is_name(typed):
        raise InputError(
            "This cannot be the name of a multiparticle.",
            key=_key(typed),
            found=repr(typed),
            allowed="letters, digits and + - ~ * ' . _ without blanks",
        )
    if (particle := names.resolve(typed)) is not None:
        raise InputError(
            "A multiparticle has the name of a particle.",
            key=_key(typed),
            found=typed,
            allowed=f"a name that the model does not use (it has {particle})",
        )
    return typed.lower()


def _listed(name: str, value: str | Sequence[str]) -> tuple[str, ...]:
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise InputError(
            "A multiparticle is a text or a list of names.",
            key=_key(name),
            found=repr(value),
            allowed='"e+ mu+ ta+" or ["e+", "mu+", "ta+"]',
        )
    if not words:
        raise InputError(
            "A multiparticle is empty.",
            key=_key(name),
            found=repr(value),
            allowed="at least one particle",
        )
    return tuple(word.strip().lower() for word in words)
