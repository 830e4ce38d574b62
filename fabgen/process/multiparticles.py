"""Names that stand for several particles: `p`, `j`, `l+`, ... and those of the card."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Protocol

from fabgen.errors import InputError
from fabgen.process.other_names import meant
from fabgen.process.parser import is_name

#: Definitions on the way from a multiparticle to its particles.
_MAX_DEPTH = 50


class ParticleNames(Protocol):
    """The names of a model that process syntax needs."""

    @property
    def known_names(self) -> Sequence[str]:
        """Canonical names of all particles and antiparticles, once each."""
        ...

    @property
    def multiparticles(self) -> Mapping[str, tuple[str, ...]]:
        """The model's own multiparticles: lower-case name -> canonical names."""
        ...

    def resolve(self, name: str) -> str | None:
        """The canonical name of a particle, case-insensitively; None for an unknown name."""
        ...


def multiparticles(
    own: Mapping[str, str | Sequence[str]], model: ParticleNames
) -> dict[str, tuple[str, ...]]:
    """All multiparticles: lower-case name -> canonical names of its members, each once, in order.

    own: the card's, each a text ("e+ mu+ ta+") or a sequence of names. A member may be another
    multiparticle. Those of the model may be redefined, also in terms of themselves: p = "p b b~".
    Raises InputError, with the key in the card, for a name that is a particle's, an empty list, an
    unknown member, and a multiparticle that contains itself.
    """
    defaults = model.multiparticles
    definitions: dict[str, tuple[str, ...]] = {}
    table_of: dict[str, tuple[str, ...]] = {}  # of definitions that are done
    for typed, value in own.items():
        name = _checked_name(typed, model)
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
        if len(path) > _MAX_DEPTH:
            raise InputError(
                "Multiparticles are defined by one another too often.",
                key=_key(path[0]),
                found=" -> ".join(path),
                allowed=f"at most {_MAX_DEPTH} steps to particles",
            )
        if (particle := model.resolve(name)) is not None:
            return (particle,)
        if name in definitions and name not in path:
            if name not in table_of:
                found = (members(i, name, (*path, name)) for i in definitions[name])
                table_of[name] = tuple(dict.fromkeys(chain.from_iterable(found)))
            return table_of[name]
        if name in path and not (name == path[-1] and name in defaults):
            raise InputError(
                "A multiparticle contains itself.",
                key=_key(path[0]),
                found=" -> ".join((*path, name)),
                allowed="particles and multiparticles that do not lead back",
            )
        if name in defaults:
            return defaults[name]
        raise unknown_name(name, model, (*defaults, *definitions), key=_key(key))

    table = dict(defaults)
    for name in definitions:
        table[name] = tuple(members(name, name, ()))
    return table


def unknown_name(
    name: str,
    model: ParticleNames,
    multiparticle_names: Iterable[str],
    *,
    found: str | None = None,
    key: str | None = None,
) -> InputError:
    """The error for a name that is neither a particle nor a multiparticle; found: where it is."""
    groups = sorted(set(multiparticle_names))
    known = [*model.known_names, *groups]
    if particle := model.resolve(meant(name) or ""):
        close = [particle]
    else:
        lower = [each.lower() for each in known]
        close = difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
    return InputError(
        f"'{name}' is not a particle of the model, nor a multiparticle.",
        key=key,
        found=found or name,
        allowed=f"particles {' '.join(model.known_names)}; multiparticles {' '.join(groups)}",
        hint=f"did you mean {' or '.join(dict.fromkeys(close))}?" if close else None,
    )


def _key(name: str) -> str:
    return f"multiparticles.{name}"


def _checked_name(typed: str, model: ParticleNames) -> str:
    if not is_name(typed):
        raise InputError(
            "This cannot be the name of a multiparticle.",
            key=_key(typed),
            found=repr(typed),
            allowed="letters, digits and + - ~ * ' . _ without blanks",
        )
    if (particle := model.resolve(typed)) is not None:
        raise InputError(
            "A multiparticle has the name of a particle.",
            key=_key(typed),
            found=typed,
            allowed=f"a name that the model does not use (it has {particle})",
        )
    return typed.lower()


def _listed(name: str, value: str | Sequence[str]) -> tuple[str, ...]:
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise InputError(
            "A multiparticle is a text or a list of names.",
            key=_key(name),
            found=repr(value),
            allowed='"e+ mu+ ta+" or ["e+", "mu+", "ta+"]',
        )
    words = [word.lower() for part in parts for word in part.split()]
    if not words:
        raise InputError(
            "A multiparticle is empty.",
            key=_key(name),
            found=repr(value),
            allowed="at least one particle",
        )
    return tuple(words)
