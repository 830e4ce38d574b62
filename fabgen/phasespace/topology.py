"""From the diagrams of a process to trees of blocks: rules for propagators, and the joining.

One diagram gives one tree: its time-like propagators become branches; what it exchanges becomes a
ladder of scatterings. For the map of a single channel, the most resonant diagram is taken.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence

from fabgen.model import ZERO, Model
from fabgen.phasespace.invariants import NU_OF_BEAMS
from fabgen.phasespace.tree import Branch, Exchange, Kind, Leaf, Node, Propagator, flat_tree
from fabgen.phasespace.tree_map import TreeMap
from fabgen.process import resonances
from fabgen.process.resonances import Diagram, Legs

#: Widths beyond the range of an invariant from which on a resonance is no peak in it.
REACH = 3.0
#: A bound in GeV on the invariant mass of some final particles, by position behind the beams.
MassBound = Callable[[Legs], float]
#: Final particles by position behind the beams.
LegSet = frozenset[int]


@dataclasses.dataclass(frozen=True)
class ChannelMap:
    """A map and the names of masses and widths that its resonance indices stand for."""

    mapping: TreeMap
    resonances: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class MapContext:
    """What the maps of a process depend on besides its diagrams.

    values: masses and widths by name, for decisions alone; maps follow traced values. sqrt_s: GeV,
    the largest one if the energy is_variable.
    final: one label for each final particle; those with the same label are identical. minimum_mass,
    maximum_mass, minimum_pt, maximum_rapidity: bounds that hold wherever the integrand is not zero,
    for some final particles or a single one by position behind the beams; GeV, and |y| in the lab.
    bw_cutoff: decayed particles of a chain stay within this many widths. is_decayed: the final
    particles are the decay products of one particle.
    """

    model: Model
    values: Mapping[str, float]
    sqrt_s: float
    n_initial: int
    final: tuple[Hashable, ...]
    minimum_mass: MassBound
    maximum_mass: MassBound = lambda legs: float("inf")
    minimum_pt: Callable[[int], float] = lambda leg: 0.0
    maximum_rapidity: Callable[[int], float] = lambda leg: float("inf")
    bw_cutoff: float = float("inf")
    nu: float = 1.4
    is_variable: bool = False
    is_decayed: bool = False
    #: whether minimum_mass bounds the invariants that stand for no propagator, too
    bound_flat: bool = True

    def flat_minimum(self, legs: Legs) -> float:
        """Lower bound in GeV on an invariant that stands for no propagator."""
        return self.minimum_mass(tuple(sorted(legs))) if self.bound_flat else 0.0

    @property
    def n_final(self) -> int:
        return len(self.final)

    def legs(self, propagator: resonances.Propagator) -> LegSet:
        """The final particles of a propagator, by position behind the beams."""
        return frozenset(self.legs_of(propagator))

    def legs_of(self, propagator: resonances.Propagator) -> Legs:
        """The same in the order of the process, as bounds on masses want them."""
        return tuple(leg - self.n_initial for leg in propagator.legs)

    def highest_mass(self, propagator: resonances.Propagator) -> float:
        """Upper bound in GeV on the invariant mass of a propagator."""
        return min(self.sqrt_s, self.maximum_mass(self.legs_of(propagator)))

    def is_reachable(self, propagator: resonances.Propagator) -> bool:
        """Whether the particle has a width and its mass lies within `REACH` of phase space."""
        particle = self.model.particle(propagator.particle)
        if particle.width == ZERO or not self.values[particle.width] > 0:
            return False
        mass, reach = self.values[particle.mass], REACH * self.values[particle.width]
        lowest = self.minimum_mass(self.legs_of(propagator))
        return lowest - reach < mass < self.highest_mass(propagator) + reach


def most_resonant(setting: MapContext, diagrams: Sequence[Diagram]) -> Diagram:
    """The diagram with most resonances that can be on shell, then with most time-like propagators.

    Values of masses are for the decision alone; the map itself follows traced values.
    """

    def rank(diagram: Diagram) -> tuple[int, int, int]:
        whole = whole_of(setting, diagram) if setting.is_variable else None
        propagators = (*diagram.propagators, *([whole] if whole else []))
        resonant = [p for p in propagators if setting.is_reachable(p)]
        return len(resonant), len(diagram.propagators), -len(diagram.spacelike)

    return max(diagrams, key=rank)


def channel_map(setting: MapContext, diagram: Diagram) -> ChannelMap:
    """The map of decays along one diagram, for a process that has one channel only.

    What the diagram exchanges is left out: its ends are joined with flat invariants.
    """
    setting = dataclasses.replace(setting, bound_flat=False)
    names: list[tuple[str, str]] = []
    blocks = {setting.legs(p): time_like(setting, p, names) for p in diagram.propagators}
    tree = with_root(decays(setting, blocks), root_of(setting, diagram, names))
    return ChannelMap(TreeMap(tree, setting.n_final), tuple(names))


def whole_of(setting: MapContext, diagram: Diagram) -> resonances.Propagator | None:
    """The propagator of all final particles together, or None."""
    if diagram.total is None:
        return None
    legs = tuple(range(setting.n_initial, setting.n_initial + setting.n_final))
    return resonances.Propagator(diagram.total, legs, setting.is_decayed)


def root_of(setting: MapContext, diagram: Diagram, names: list[tuple[str, str]]) -> Propagator:
    """How beams of variable energy draw s: along a resonance of all final particles, or s^-nu."""
    if not setting.is_variable:
        return Propagator()
    whole = whole_of(setting, diagram)
    if whole is not None:
        found = time_like(setting, whole, names)
        if found.resonance is not None:
            return dataclasses.replace(found, maximum=setting.highest_mass(whole))
    legs = tuple(range(setting.n_final))
    minimum, maximum = setting.minimum_mass(legs), setting.maximum_mass(legs)
    maximum = min(setting.sqrt_s, maximum)
    return Propagator("power", nu=NU_OF_BEAMS, minimum=minimum, maximum=maximum)


def with_root(tree: Branch, root: Propagator) -> Branch:
    """The tree with another propagator of its root."""
    return dataclasses.replace(tree, propagator=root)


def time_like(
    setting: MapContext, propagator: resonances.Propagator, names: list[tuple[str, str]]
) -> Propagator:
    """The block of a time-like propagator. names: of (mass, width) of resonances, added to."""
    particle = setting.model.particle(propagator.particle)
    legs = setting.legs_of(propagator)
    minimum, maximum = setting.minimum_mass(legs), setting.maximum_mass(legs)
    window = None
    if propagator.decayed and setting.bw_cutoff != float("inf"):
        window = setting.bw_cutoff
    if window is None and not setting.is_reachable(propagator):
        highest = setting.highest_mass(propagator)
        above = not particle.is_massless and setting.values[particle.mass] >= highest
        shape: Kind = "flat" if above else "power"
        return Propagator(shape, nu=setting.nu, minimum=minimum, maximum=maximum)
    pair = (particle.mass, particle.width)
    if pair not in names:
        names.append(pair)
    kind: Kind = "breit-wigner-tail" if window is None else "breit-wigner"
    return Propagator(
        kind, resonance=names.index(pair), window=window, minimum=minimum, maximum=maximum
    )


def decays(setting: MapContext, blocks: Mapping[LegSet, Propagator]) -> Branch:
    """The tree of decays into the legs of each block; what no block joins is joined flat."""
    nodes = _joined(setting, blocks)
    if len(nodes) == 1:
        (tree,) = nodes.values()
    else:
        parts = [nodes[part] for part in sorted(nodes, key=min)]
        tree = flat_tree(parts, minimum_mass=setting.flat_minimum)
    assert isinstance(tree, Branch)
    return tree


def ladder(
    setting: MapContext,
    blocks: Mapping[LegSet, Propagator],
    exchanged: Sequence[tuple[LegSet, int | None]],
    masses: Sequence[float],
) -> tuple[Branch, bool]:
    """The tree of scatterings along a chain of exchanged particles, and from which beam it starts.

    exchanged: from the first beam on, the final legs on its side and the index of the particle's
    mass (None: massless). masses: by index, GeV. True: it starts from the second beam.

    It starts from the end that a cut on pT bounds best, since bounds on t are exact there, then
    from that of the lighter exchanged particle, then from the first beam.
    """
    everything = frozenset(range(setting.n_final))
    nodes = _joined(setting, blocks)
    ends: list[LegSet] = [frozenset(), *(legs for legs, _ in exchanged), everything]
    blobs = [_blob(setting, nodes, b - a) for a, b in itertools.pairwise(ends)]
    indices = [index for _, index in exchanged]

    def preference(outer: Node, inner: Sequence[Node], index: int | None) -> tuple[float, float]:
        nodes = [outer, *(inner if len(inner) == 1 else ())]
        pt = max((node.minimum_pt for node in nodes if isinstance(node, Leaf)), default=0.0)
        return pt, -masses[index] if index is not None else 0.0

    from_second = preference(blobs[-1], blobs[:-1], indices[-1]) > preference(
        blobs[0], blobs[1:], indices[0]
    )
    if from_second:
        blobs, indices = blobs[::-1], indices[::-1]
    tree = blobs[-1]
    for number in reversed(range(len(indices))):
        first = blobs[number]
        propagator = Propagator()
        if number > 0:
            propagator = Propagator(minimum=setting.flat_minimum((*first.legs, *tree.legs)))
        exchange = Exchange(indices[number], setting.nu)
        tree = Branch((first, tree), propagator, exchange)
    assert isinstance(tree, Branch)
    return tree, from_second


def _joined(setting: MapContext, blocks: Mapping[LegSet, Propagator]) -> dict[LegSet, Node]:
    """The nodes that are left when every block has joined its legs."""
    nodes: dict[LegSet, Node] = {
        frozenset([leg]): Leaf(leg, setting.minimum_pt(leg), setting.maximum_rapidity(leg))
        for leg in range(setting.n_final)
    }
    # From the smallest sets of legs to the largest: each joins what it contains.
    for legs in sorted(blocks, key=lambda legs: (len(legs), sorted(legs))):
        inside = [nodes.pop(part) for part in sorted(nodes, key=min) if part <= legs]
        nodes[legs] = flat_tree(inside, blocks[legs], setting.flat_minimum)
    return nodes


def _blob(setting: MapContext, nodes: Mapping[LegSet, Node], legs: LegSet) -> Node:
    """What is emitted between two exchanged particles: several nodes at a vertex of four."""
    inside = [nodes[part] for part in sorted(nodes, key=min) if part <= legs]
    if len(inside) == 1:
        return inside[0]
    minimum = setting.flat_minimum(tuple(legs))
    return flat_tree(inside, Propagator(minimum=minimum), setting.flat_minimum)
