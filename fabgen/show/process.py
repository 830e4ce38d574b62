"""Subprocesses, diagrams and channels of a process, as text: `fabgen show`."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Generator, Iterator

from fabgen.build import build_channels
from fabgen.build.channels import ComponentChannels
from fabgen.build.toys import build_toy
from fabgen.card import Card
from fabgen.card.messages import with_source
from fabgen.card.schema import AMPLITUDE_MODELS
from fabgen.card.toys import is_toy
from fabgen.errors import InputError
from fabgen.integrand.component import Component
from fabgen.integrand.process import ProcessIntegrand
from fabgen.model import Model, load_model
from fabgen.phasespace.channels import Channel
from fabgen.phasespace.single import Single
from fabgen.phasespace.tree import Branch, Leaf, Node
from fabgen.phasespace.tree_map import TreeMap
from fabgen.process.effort import Effort, unheard
from fabgen.process.graph import build_graph
from fabgen.process.resonances import Diagram, Propagator, diagrams
from fabgen.process.subprocesses import Diagrams, Found, Subprocess, find_subprocesses
from fabgen.show.dalitz import describe_dalitz
from fabgen.show.diagrams import draw

_MOST = 12  # lines of one list
_WIDTH, _INDENT = 80, 14
_NOTATION = (
    "(...)[how the mass of a system is distributed]; <t> or <t M>: scattered by a massless "
    "particle, by one of mass M"
)


def describe(card: Card, *, everything: bool = False, note: Callable[[str], None] = unheard) -> str:
    """Subprocesses, diagrams, channels and the dimension of a card's process.

    Lists end after 12 entries, unless `everything` is asked for. Raises InputError for a process
    that is wrong; one that cannot be integrated as the card says (energy, cuts) is described up to
    the channels, with the reason. note: is told of work that takes longer than ten seconds.
    """
    if is_toy(card.process):
        return _describe_toy(card)
    if card.model in AMPLITUDE_MODELS:
        return describe_dalitz(card)
    model = load_model(card.model).at(card.parameters)
    effort = Effort(card.limits.setup_minutes, note=note)
    try:
        subprocesses, distinct = find_subprocesses(model, card.process, card.multiparticles, effort)
    except InputError as error:
        raise with_source(error, card) from None
    most = sys.maxsize if everything else _MOST
    return "\n".join(_lines(card, model, subprocesses, distinct, most))


def _describe_toy(card: Card) -> str:
    try:
        toy = build_toy(card)
    except InputError as error:
        raise with_source(error, card) from None
    channels = ", ".join(
        c.map if c.map == c.prior else f"{c.map} (prior: {c.prior})" for c in toy.channels
    )
    parameters = ", ".join(f"{name} = {value:g}" for name, value in toy.parameters.items())
    return "\n".join(
        [
            f"{'process':<14}{card.process[0]}",
            f"{'dimension':<14}{toy.dim}",
            *_field("channels", f"{channels}; prior {toy.prior}"),
            *_field("parameters", parameters),
        ]
    )


def _field(name: str, text: str, indent: int = _INDENT) -> Iterator[str]:
    """A line that begins with a name, with as many behind it as the text needs."""
    lines = textwrap.wrap(text, _WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield f"{name if number == 0 else '':<{indent}}{line}"


def _lines(
    card: Card,
    model: Model,
    subprocesses: tuple[Subprocess, ...],
    distinct: tuple[Diagrams, ...],
    most: int,
) -> Iterator[str]:
    for number, line in enumerate(card.process):
        yield from _field("process" if number == 0 else "", line)
    yield f"{'model':<14}{card.model}"
    numbers = dict.fromkeys(len(sub.tree.final) for sub in subprocesses)
    of_beams = 2 if card.beams.kind == "proton" and len(subprocesses[0].tree.initial) == 2 else 0
    yield f"{'dimension':<14}{' and '.join(str(3 * n - 4 + of_beams) for n in numbers)}"
    several = "s, of which a point evaluates one" if len(distinct) > 1 else ""
    elements = f"{len(distinct)} different matrix element{several}"
    yield f"{'subprocesses':<14}{len(subprocesses)}, {elements}"
    members = Counter(sub.diagrams for sub in subprocesses)
    for number, entry in enumerate(distinct[:most]):
        same = members[number] - 1
        yield ""
        title = f"{' '.join(entry.tree.initial)} > {' '.join(entry.tree.final)}"
        more = f"  (and {same} equal one{'s' if same > 1 else ''})" if same else ""
        yield f"  {title}{more}"
        single = diagrams(model, build_graph(model, entry.tree, entry.qed, merge=False), entry.tree)
        n_diagrams = entry.graph.n_diagrams
        yield f"  {n_diagrams} diagram{'s' if n_diagrams > 1 else ''}"
        for k, diagram in enumerate(single[:most], start=1):
            yield from _field(f"  {k:>5}", _diagram(diagram, entry), 9)
        if len(single) > most:
            yield f"         ... {len(single) - most} more (--all shows them)"
    if len(distinct) > most:
        yield f"\n  ... {len(distinct) - most} more matrix elements (--all shows them)"
    yield ""
    yield from _channels(card, (subprocesses, distinct), most)


def _diagram(diagram: Diagram, entry: Diagrams) -> str:
    names = _numbered((*entry.tree.initial, *entry.tree.final), len(entry.tree.initial))

    def text(propagator: Propagator) -> str:
        return f"{propagator.particle}({' '.join(names[leg] for leg in propagator.legs)})"

    parts = []
    if diagram.total:
        parts.append(f"s-channel {diagram.total}")
    if diagram.propagators:
        parts.append("decays " + " ".join(map(text, diagram.propagators)))
    if diagram.spacelike:
        parts.append("t-channel " + " ".join(map(text, diagram.spacelike)))
    return ", ".join(parts) or "contact"


def _numbered(names: tuple[str, ...], n_initial: int) -> list[str]:
    """The names, with a number behind those that several final particles share."""
    final, seen = Counter(names[n_initial:]), Counter[str]()
    result = list(names[:n_initial])
    for name in names[n_initial:]:
        seen[name] += 1
        result.append(f"{name}#{seen[name]}" if final[name] > 1 else name)
    return result


def _channels(card: Card, found: Found, most: int) -> Iterator[str]:
    try:
        parts = build_channels(card, found)
    except InputError as error:
        if error.key not in ("beams.energy", "beams.kind", "cuts"):
            raise
        yield from _field("channel", f"none: {error.problem}")
        if error.allowed:
            yield from _field("", error.allowed)
        return
    has_blocks = False
    for place, (integrand, sets) in enumerate(parts):
        if place > 0:
            yield ""
        blocks = yield from _channels_of(card, most, integrand, sets)
        has_blocks |= blocks
    if has_blocks:
        yield ""
        yield from _field("", _NOTATION, 9)
    for warning in dict.fromkeys(text for integrand, _ in parts for text in integrand.warnings):
        yield ""
        yield from _field("warning", warning)


def _channels_of(
    card: Card, most: int, integrand: ProcessIntegrand, sets: tuple[ComponentChannels, ...]
) -> Generator[str, None, bool]:
    """Those of one number of final particles; whether any of them has blocks.

    Channels are counted in one row, as in reports.
    """
    start, has_blocks = 0, False
    for place, (component, (channels, drawn)) in enumerate(
        zip(integrand.components, sets, strict=True)
    ):
        if place > 0:
            yield ""
        external = _external(integrand, component)
        if isinstance(component.channels[0].mapping, Single):
            yield f"{'channel':<14}one particle on its mass shell: {external[-1]}"
            continue
        if not isinstance(component.channels[0].mapping, TreeMap):
            yield f"{'channel':<14}RAMBO on diet: {' '.join(external[integrand.n_initial :])}"
            continue
        own = [number for number, channel in enumerate(channels) if channel.mirror is None]
        mirrors = len(channels) - len(own)
        more = f", {mirrors} of them mirrors of others" if mirrors else ""
        if card.channels.use == "one":
            more = ", of the most resonant diagram"
        yield f"{'channels':<14}{len(channels)}{more}"
        subprocesses = component.subprocesses
        if len(subprocesses) > 1:
            first = " ".join(external[: integrand.n_initial])
            last = " ".join(external[integrand.n_initial :])
            others = len(subprocesses) - 1
            yield from _field("", f"|M|^2 of {first} > {last}; it serves {others} more")
        for number in own[:most]:
            channel = channels[number]
            yield ""
            blocks = _propagators(channel, external[integrand.n_initial :])
            has_blocks |= "[" in blocks or "<" in blocks
            yield from _field(f"  {start + number + 1:>5}", blocks, 9)
            images = [
                start + n
                for n, c in enumerate(channels, 1)
                if c.mirror and c.mirror.original == number
            ]
            if images:
                yield from _field("", f"mirrored as {' '.join(map(str, images))}", 9)
            examples = [drawn[n] for n in channel.diagrams]
            yield from (f"         {x}" for x in draw(examples, external, integrand.n_initial))
        if len(own) > most:
            yield ""
            yield f"         ... {len(own) - most} more (--all shows them)"
        start += len(channels)
    return has_blocks


def _external(integrand: ProcessIntegrand, component: Component) -> list[str]:
    """Names of the external particles in the order of |M|^2, of the first of its subprocesses."""
    first = component.subprocesses[0]
    names = {p.pdg: p.name for p in integrand.model.particles.values()}
    found = [names[pdg] for pdg in integrand.topologies[first.number].pdg]
    return [found[1], found[0], *found[2:]] if first.exchanged else found


def _propagators(channel: Channel, final: list[str]) -> str:
    """The blocks of a channel: systems that decay in brackets, <t> between what is scattered."""
    assert isinstance(channel.mapping, TreeMap)

    def text(node: Node) -> str:
        if isinstance(node, Leaf):
            return final[node.leg]
        inside = " ".join(text(child) for child in node.children)
        return f"({inside})[{_kind(node, channel)}]"

    def ladder(node: Node) -> str:
        if isinstance(node, Leaf) or node.exchange is None:
            return text(node)
        first, rest = node.children
        mass = node.exchange.mass
        name = "" if mass is None else f" {channel.exchanged[mass]}"
        return f"{text(first)} <t{name}> {ladder(rest)}"

    root = channel.mapping.tree
    if root.exchange is None:
        return " ".join(text(child) for child in root.children)
    start = "from the second beam: " if channel.mapping.from_second else ""
    return start + ladder(root)


def _kind(branch: Branch, channel: Channel) -> str:
    propagator = branch.propagator
    if propagator.resonance is None:
        return propagator.kind
    mass, width = channel.resonances[propagator.resonance]
    return f"{propagator.kind} {mass} {width}"
