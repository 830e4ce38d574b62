"""The channels of a process: one map of phase space for each distinct set of propagators.

Diagrams whose propagators have the same places and shapes (a photon and a gluon, say) have the same
map and are one channel. Channels that differ by a permutation of identical final particles are
mirrors of each other: their maps differ by the names of the legs, and one surrogate serves all.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from fabgen.process.resonances import Diagram

from .mapping import Mapping
from .topology import LegSet, MapContext, decays, ladder, root_of, time_like, with_root
from .tree import Propagator
from .tree_map import TreeMap

#: One number for each final particle: leg i plays the part of leg permutation[i] of the original.
Permutation = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Mirror:
    """How a channel follows from an earlier one."""

    original: int  #: its number
    permutation: Permutation


@dataclasses.dataclass(frozen=True)
class Channel:
    """A map of phase space built from the propagators of some diagrams.

    resonances: names of the masses and widths that the map's indices of resonances stand for.
    exchanged: names of the masses of exchanged particles. Both are the same for all channels of a
    process, so that one Kinematics serves them all. diagrams: numbers of the diagrams with these
    propagators. mirror: of an earlier channel, of which this one is the mirror image, or None.
    """

    mapping: Mapping
    resonances: tuple[tuple[str, str], ...]
    exchanged: tuple[str, ...]
    diagrams: tuple[int, ...]
    mirror: Mirror | None = None


class _Shape(NamedTuple):
    """All that the map of a diagram depends on."""

    decays: frozenset[tuple[LegSet, Propagator]]
    #: from the first beam on: the final legs on its side, and the index of the mass
    exchanges: tuple[tuple[LegSet, int | None], ...]
    #: of all final particles, for beams of variable energy
    root: Propagator = Propagator()

    def permuted(self, permutation: Permutation) -> _Shape:
        """With leg permutation[i] called i."""

        def renamed(legs: LegSet) -> LegSet:
            return frozenset(i for i, leg in enumerate(permutation) if leg in legs)

        return _Shape(
            frozenset((renamed(legs), block) for legs, block in self.decays),
            tuple((renamed(legs), index) for legs, index in self.exchanges),
            self.root,
        )

    def rounded(self) -> _Shape:
        """Without the last digits of bounds: they depend on the order of sums."""
        return self._replace(
            decays=frozenset(
                (legs, dataclasses.replace(block, minimum=float(f"{block.minimum:.9g}")))
                for legs, block in self.decays
            )
        )


def find_channels(setting: MapContext, diagrams: Sequence[Diagram]) -> tuple[Channel, ...]:
    """The channels of the diagrams of a process, in the order in which the diagrams first ask.

    Channel.diagrams are positions in `diagrams`.
    """
    resonances: list[tuple[str, str]] = []
    exchanged: list[str] = []
    members: dict[_Shape, list[int]] = {}
    exact: dict[_Shape, _Shape] = {}
    for number, diagram in enumerate(diagrams):
        shape = _shape(setting, diagram, resonances, exchanged)
        exact.setdefault(shape.rounded(), shape)
        members.setdefault(shape.rounded(), []).append(number)
    masses = [setting.values[name] for name in exchanged]
    common = tuple(resonances), tuple(exchanged)
    permutations = _permutations(setting)
    images: dict[_Shape, Mirror] = {}
    channels: list[Channel] = []
    maps: list[TreeMap] = []
    for shape, numbers in members.items():
        mirror = images.get(shape)
        if mirror is not None:
            mapping = maps[mirror.original].renamed(mirror.permutation)
        else:
            mapping = _mapping(setting, exact[shape], masses)
            for permutation in permutations:
                image = Mirror(len(channels), permutation)
                images.setdefault(shape.permuted(permutation), image)
        maps.append(mapping)
        channels.append(Channel(mapping, *common, tuple(numbers), mirror))
    return tuple(channels)


def _shape(
    setting: MapContext, diagram: Diagram, resonances: list[tuple[str, str]], exchanged: list[str]
) -> _Shape:
    """The shape of a diagram; names of masses and widths are added to the lists."""
    exchanges = []
    for propagator in diagram.spacelike:  # in the order of the number of legs, which are nested
        particle = setting.model.particle(propagator.particle)
        index = None
        if not particle.is_massless:
            if particle.mass not in exchanged:
                exchanged.append(particle.mass)
            index = exchanged.index(particle.mass)
        exchanges.append((setting.legs(propagator), index))
    blocks = [(setting.legs(p), time_like(setting, p, resonances)) for p in diagram.propagators]
    root = root_of(setting, diagram, resonances)
    return _Shape(frozenset(blocks), tuple(exchanges), root)


def _mapping(setting: MapContext, shape: _Shape, masses: Sequence[float]) -> TreeMap:
    blocks = dict(shape.decays)
    if not shape.exchanges:
        tree, from_second = decays(setting, blocks), False
    else:
        tree, from_second = ladder(setting, blocks, shape.exchanges, masses)
    return TreeMap(with_root(tree, shape.root), setting.n_final, from_second)


def _permutations(setting: MapContext) -> list[Permutation]:
    """All permutations of identical final particles, those that move few of them first."""

    def moved(permutation: Permutation) -> int:
        return sum(i != leg for i, leg in enumerate(permutation))

    return sorted(_all_permutations(setting), key=moved)


def _all_permutations(setting: MapContext) -> Iterator[Permutation]:
    groups: dict[Hashable, list[int]] = {}
    for leg, label in enumerate(setting.final):
        groups.setdefault(label, []).append(leg)
    legs = list(itertools.chain.from_iterable(groups.values()))
    for images in itertools.product(*(itertools.permutations(legs) for legs in groups.values())):
        places = dict(zip(legs, itertools.chain.from_iterable(images), strict=True))
        yield tuple(places[leg] for leg in range(setting.n_final))
