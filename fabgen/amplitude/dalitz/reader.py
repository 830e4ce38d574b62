"""Amplitude models from their data files (TOML): numbers and names, nothing that is executed.

The shipped models are the files of fabgen/data/amplitude_models; lc2pkpi.toml shows every key.
"""

from __future__ import annotations

import functools
import itertools
import math
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fabgen.amplitude.dalitz.angles import pair_of
from fabgen.amplitude.dalitz.lineshapes import LINE_SHAPES
from fabgen.amplitude.dalitz.model import (
    RADIUS_DECAY,
    RADIUS_PRODUCTION,
    AmplitudeModel,
    Coupling,
    DecayParticle,
    Resonance,
)
from fabgen.amplitude.dalitz.spins import (
    couplings,
    is_projection,
    orbital_momenta,
    projections,
    sign,
)
from fabgen.errors import InputError
from fabgen.inputs import read_input

_TOP = ("process", "order", "reference", "square_dalitz", "radii", "particles", "resonances")
_RESONANCE = ("name", "products", "spin", "parity", "line_shape", "couplings")
_RESONANCE_OPTIONS = ("sign", "decay", "coupled", "orbital_production", "orbital_decay")
#: Of a model; the largest shipped one has 5 kB.
_MAX_BYTES = 1 << 20
_NUMBER, _TEXT, _LIST, _TABLE, _INTEGER = "a number", "a string", "a list", "a table", "an integer"
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    _NUMBER: (int, float),
    _TEXT: str,
    _LIST: list,
    _TABLE: dict,
    _INTEGER: int,
}


@functools.cache
def load_amplitude_model(name: str) -> AmplitudeModel:
    """A shipped model by its name. Raises InputError for an unknown one."""
    folder = resources.files("fabgen") / "data" / "amplitude_models"
    known = sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name[0] != ".")
    if name not in known:
        raise InputError(
            "unknown amplitude model", key="model", found=name, allowed=", ".join(known)
        )
    return parse_amplitude_model((folder / f"{name}.toml").read_text(encoding="utf-8"), name)


def read_amplitude_model(path: Path) -> AmplitudeModel:
    """The model of a file. Raises InputError that names the file."""
    try:
        return parse_amplitude_model(read_input(path, _MAX_BYTES).decode(), path.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the amplitude model: {error}", file=path) from None
    except InputError as error:
        raise error.with_place(file=path) from None


def parse_amplitude_model(text: str, name: str) -> AmplitudeModel:
    """The model that a TOML document describes. Raises InputError for anything wrong in it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not a TOML file: {error}") from None
    return _Reader(table).model(name)


class _Reader:
    def __init__(self, table: Mapping[str, Any]):
        self.table = table
        _known(table, "", _TOP)
        self.external: dict[str, float] = {}
        self.all = {
            name: self._particle(name, entry)
            for name, entry in _get(table, "particles", _TABLE).items()
        }

    def model(self, name: str) -> AmplitudeModel:
        process = _get(self.table, "process", _TEXT)
        initial, arrow, final = process.partition(" > ")
        order = _get(self.table, "order", _LIST)
        if not arrow or len(order) != 3 or sorted(order) != sorted(final.split()):
            raise InputError(
                "a model describes one decay into three different particles",
                key="order",
                found=f"{order} of {process!r}",
                allowed="the products of the process, each once",
            )
        self.names = [initial, *order]
        for particle in self.names:
            self._named(particle, "process", self.all)
        self.particles = tuple(self.all[particle] for particle in self.names)
        radii = _get(self.table, "radii", _TABLE)
        _known(radii, "radii", ("production", "decay"))
        self.external[RADIUS_PRODUCTION] = _number(radii, "production", "radii.")
        self.external[RADIUS_DECAY] = _number(radii, "decay", "radii.")
        resonances = tuple(
            self._resonance(entry, f"resonances[{n}].")
            for n, entry in enumerate(_get(self.table, "resonances", _LIST))
        )
        if not resonances:
            raise InputError("a model has at least one resonance", key="resonances")
        square = [self._number_of(n, "square_dalitz") for n in self._list("square_dalitz", 2)]
        return AmplitudeModel(
            name=name,
            process=process,
            particles=self.particles,
            resonances=resonances,
            external=MappingProxyType(self.external),
            reference=self._number_of(_get(self.table, "reference", _TEXT), "reference"),
            square_dalitz=(square[0], square[1], 6 - sum(square)),
        )

    def _list(self, key: str, length: int) -> list[Any]:
        entries = _get(self.table, key, _LIST)
        if len(entries) != length or len(set(entries)) != length:
            raise InputError(f"{length} different entries are needed", key=key, found=entries)
        return entries

    def _named(self, name: Any, key: str, known: Iterable[str]) -> None:
        if name not in known:
            raise InputError("unknown particle", key=key, found=name, allowed=", ".join(known))

    def _number_of(self, name: str, key: str) -> int:
        self._named(name, key, self.names[1:])
        return self.names.index(name)

    def _particle(self, name: str, entry: Mapping[str, Any]) -> DecayParticle:
        at = f"particles.{name}."
        _known(entry, at[:-1], ("pdg", "spin", "parity", "mass", "width"))
        self.external[f"M{name}"] = _number(entry, "mass", at)
        return DecayParticle(
            name=name,
            pdg=_get(entry, "pdg", _INTEGER, at),
            spin=_halves(_get(entry, "spin", _TEXT, at), at + "spin"),
            parity=_sign(entry, "parity", at),
            mass=f"M{name}",
            width=_number({"width": 0.0, **entry}, "width", at),
        )

    def _resonance(self, entry: Mapping[str, Any], at: str) -> Resonance:
        name = _get(entry, "name", _TEXT, at)
        at = f"resonances.{name}."
        shape_name = _get(entry, "line_shape", _TEXT, at)
        if shape_name not in LINE_SHAPES:
            raise InputError(
                "unknown line shape",
                key=at + "line_shape",
                found=shape_name,
                allowed=", ".join(LINE_SHAPES),
            )
        shape = LINE_SHAPES[shape_name]
        _known(entry, at[:-1], (*_RESONANCE, *_RESONANCE_OPTIONS, *shape.parameters))
        parameters = {}
        for key, prefix in shape.parameters.items():
            parameters[key] = f"{prefix}{name}"
            if parameters[key] in self.external:
                raise InputError("a resonance is listed twice", key=at[:-1])
            self.external[parameters[key]] = _number(entry, key, at)
        products = _get(entry, "products", _LIST, at)
        pair = [self._number_of(product, at + "products") for product in products]
        if len(set(pair)) != 2:
            raise InputError("a pair is needed", key=at + "products", found=products)
        k = 6 - sum(pair)
        spin = _halves(_get(entry, "spin", _TEXT, at), at + "spin")
        parity = _sign(entry, "parity", at)
        coupled: tuple[str, str] | None = None
        if shape.coupled:
            first, second = _get(entry, "coupled", _LIST, at)
            for particle in (first, second):
                self._named(particle, at + "coupled", self.all)
            coupled = (self.all[first].mass, self.all[second].mass)
        production, decay = self._orbital_momenta(k, spin, parity, at)
        return Resonance(
            name=name,
            spectator=k,
            spin=spin,
            parity=parity,
            line_shape=shape_name,
            parameters=MappingProxyType(parameters),
            sign=_sign({"sign": 1, **entry}, "sign", at),
            production=tuple(
                self._coupling(c, name, n, k, spin, f"{at}couplings[{n - 1}].")
                for n, c in enumerate(_get(entry, "couplings", _LIST, at), start=1)
            ),
            decay=self._decay(entry, pair, k, spin, parity, at),
            orbital_production=_get(
                {"orbital_production": production, **entry}, "orbital_production", _INTEGER, at
            ),
            orbital_decay=_get({"orbital_decay": decay, **entry}, "orbital_decay", _INTEGER, at),
            coupled=coupled,
        )

    def _orbital_momenta(self, k: int, spin: int, parity: int, at: str) -> tuple[int, int]:
        """The smallest ones: in the decay parity is conserved, in the production it is not."""
        i, j = pair_of(k)
        parent, first, second, spectator = (self.particles[n] for n in (0, i, j, k))
        even = parity == first.parity * second.parity
        decay = [
            orbital
            for orbital in orbital_momenta(spin, first.spin, second.spin)
            if (orbital % 2 == 0) == even
        ]
        production = list(orbital_momenta(parent.spin, spin, spectator.spin))
        if not decay or not production:
            raise InputError(
                "spins and parities forbid this resonance",
                key=at[:-1],
                found=f"2 J = {spin}, parity {parity:+d}",
            )
        return production[0], decay[0]

    def _coupling(
        self, entry: Mapping[str, Any], name: str, n: int, k: int, spin: int, at: str
    ) -> Coupling:
        _known(entry, at[:-1], ("helicities", "orbital", "value"))
        real, imaginary = f"Ar{name}{n}", f"Ai{name}{n}"
        value = _complex(entry, at)
        self.external[real], self.external[imaginary] = value.real, value.imag
        parent, spectator = self.particles[0].spin, self.particles[k].spin
        if "orbital" in entry:
            orbital, total_text = _pair(entry, "orbital", at)
            total = _halves(total_text, at + "orbital")
            if total not in couplings(spin, spectator) or 2 * orbital not in couplings(
                parent, total
            ):
                raise InputError(
                    "L and S do not fit the spins", key=at + "orbital", found=entry["orbital"]
                )
            return Coupling(real, imaginary, orbital=(orbital, total))
        first, second = (_halves(h, at + "helicities") for h in _pair(entry, "helicities", at))
        if not (
            is_projection(first, spin)
            and is_projection(second, spectator)
            and is_projection(first - second, parent)
        ):
            raise InputError(
                "the helicities do not fit the spins",
                key=at + "helicities",
                found=entry["helicities"],
                allowed="of the resonance and of the spectator, their difference one of the parent",
            )
        return Coupling(real, imaginary, helicities=(first, second))

    def _decay(
        self, entry: Mapping[str, Any], pair: list[int], k: int, spin: int, parity: int, at: str
    ) -> tuple[tuple[int, int, complex], ...]:
        """The couplings of R -> i j; those of opposite helicities follow from parity.

        h[-li, -lj] = P P_i P_j (-1)^(J - j_i - j_j) h[li, lj] (Jacob and Wick).
        """
        i, j = pair_of(k)
        first, second = self.particles[i], self.particles[j]
        mirror = parity * first.parity * second.parity * sign(spin - first.spin - second.spin)
        allowed = [
            (a, b)
            for a, b in itertools.product(projections(first.spin), projections(second.spin))
            if abs(a - b) <= spin and (a, b) >= (-a, -b) and ((a, b) != (0, 0) or mirror == 1)
        ]
        given: dict[tuple[int, int], complex] = {}
        for n, item in enumerate(_get({"decay": [], **entry}, "decay", _LIST, at)):
            here = f"{at}decay[{n}]."
            _known(item, here[:-1], ("helicities", "value"))
            halves = [_halves(h, here + "helicities") for h in _pair(item, "helicities", here)]
            at_pair = dict(zip(pair, halves, strict=True))
            given[at_pair[i], at_pair[j]] = _complex(item, here)
        if not given and len(allowed) == 1:
            given = {allowed[0]: 1.0 + 0.0j}
        if not given or not set(given) <= set(allowed):
            raise InputError(
                "the decay couplings are missing or do not fit the spins",
                key=at + "decay",
                found=entry.get("decay", "none"),
                allowed=f"in halves, of {first.name} and {second.name}: {allowed}",
            )
        both = {**{(-a, -b): mirror * value for (a, b), value in given.items()}, **given}
        return tuple((a, b, value) for (a, b), value in both.items())


def _get(table: Mapping[str, Any], key: str, kind: str, at: str = "") -> Any:
    if key not in table:
        raise InputError("a key is missing", key=at + key, allowed=kind)
    value = table[key]
    if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
        raise InputError(
            "a value has the wrong type", key=at + key, found=repr(value), allowed=kind
        )
    return value


def _known(table: Mapping[str, Any], at: str, keys: Iterable[str]) -> None:
    if not isinstance(table, Mapping):
        raise InputError("a value has the wrong type", key=at, found=repr(table), allowed=_TABLE)
    for key in table:
        if key not in keys:
            dotted = f"{at}.{key}" if at else key
            raise InputError("unknown key", key=dotted, found=key, allowed=", ".join(keys))


def _number(table: Mapping[str, Any], key: str, at: str) -> float:
    value = float(_get(table, key, _NUMBER, at))
    if not math.isfinite(value) or (value < 0.0 and key != "gamma"):
        raise InputError("a value is out of range", key=at + key, found=value, allowed=">= 0")
    return value


def _sign(table: Mapping[str, Any], key: str, at: str) -> int:
    value = _get(table, key, _INTEGER, at)
    if value not in (1, -1):
        raise InputError("a value is out of range", key=at + key, found=value, allowed="1 or -1")
    return value


def _halves(text: Any, key: str) -> int:
    """ "3/2" -> 3, "-1/2" -> -1, "1" -> 2."""
    allowed = 'a spin or helicity as a string: "0", "1/2", "-1", ...'
    if isinstance(text, str):
        top, slash, bottom = text.partition("/")
        digits = top.removeprefix("+").removeprefix("-")
        if digits.isascii() and digits.isdigit() and (not slash or bottom == "2"):
            return int(top) if slash else 2 * int(top)
    raise InputError("a value is no spin", key=key, found=repr(text), allowed=allowed)


def _pair(table: Mapping[str, Any], key: str, at: str) -> list[Any]:
    value = _get(table, key, _LIST, at)
    if len(value) != 2:
        raise InputError("two entries are needed", key=at + key, found=value)
    return value


def _complex(table: Mapping[str, Any], at: str) -> complex:
    value = _pair(table, "value", at)
    for part in value:
        if isinstance(part, bool) or not isinstance(part, int | float) or not math.isfinite(part):
            raise InputError(
                "a value has the wrong type",
                key=at + "value",
                found=value,
                allowed="[real part, imaginary part]",
            )
    return complex(*value)
