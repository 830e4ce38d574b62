"""What a process is made of, as text: `fabgen show`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fabgen.build import build_channels
from fabgen.card import Card
from fabgen.card.schema import AMPLITUDE_MODELS
from fabgen.card.toys import is_toy
from fabgen.components import Component
from fabgen.describe_dalitz import describe_dalitz
from fabgen.draw import draw
from fabgen.errors import InputError
from fabgen.integrand import Integrand
from fabgen.model import Model, load_model
from fabgen.phasespace.cascade import Branch, Cascade, Leaf, Node
from fabgen.phasespace.channels import Channel
from fabgen.process.graph import build_graph
from fabgen.process.resonances import Diagram, Propagator, diagrams
from fabgen.process.subprocesses import Diagrams, Subprocess, find_subprocesses
from fabgen.toys import build_toy

_MOST = 12  # lines of one list


def describe(card: Card) -> str:
    """Subprocesses, diagrams, channels and the dimension of a card's process.

    Raises InputError for a process that is wrong; one that cannot be integrated as the card says
    (energy, cuts) is described up to the channels, with the reason.
    """
    if is_toy(card.process):
        return _describe_toy(card)
    if card.model in AMPLITUDE_MODELS:
        return describe_dalitz(card)
    model = load_model(card.model)
    try:
        subprocesses, distinct = find_subprocesses(model, card.process, card.multiparticles)
    except InputError as error:
        raise error.with_place(file=card.file) from None
    return "\n".join(_lines(card, model, subprocesses, distinct))


def _describe_toy(card: Card) -> str:
    toy = build_toy(card)
    channels = ", ".join(
        c.map if c.map == c.prior else f"{c.map} (prior: {c.prior})" for c in toy.channels
    )
    parameters = ", ".join(f"{name} = {value:g}" for name, value in toy.parameters.items())
    return "\n".join(
        [
            f"{'process':<14}{card.process[0]}",
            f"{'dimension':<14}{toy.dim}",
            f"{'channels':<14}{channels}; prior {toy.prior}",
            f"{'parameters':<14}{parameters}",
        ]
    )


def _lines(
    card: Card,
    model: Model,
    subprocesses: tuple[Subprocess, ...],
    distinct: tuple[Diagrams, ...],
) -> Iterator[str]:
    for number, line in enumerate(card.process):
        yield f"{'process' if number == 0 else '':<14}{line}"
    yield f"{'model':<14}{card.model}"
    n_final = len(subprocesses[0].tree.final)
    yield f"{'dimension':<14}{3 * n_final - 4}"
    elements = f"{len(distinct)} different matrix element{'s' if len(distinct) > 1 else ''}"
    yield f"{'subprocesses':<14}{len(subprocesses)}, {elements}"
    members = Counter(sub.diagrams for sub in subprocesses)
    for number, entry in enumerate(distinct[:_MOST]):
        same = members[number] - 1
        yield ""
        title = f"{' '.join(entry.tree.initial)} > {' '.join(entry.tree.final)}"
        more = f"  (and {same} equal one{'s' if same > 1 else ''})" if same else ""
        yield f"  {title}{more}"
        single = diagrams(model, build_graph(model, entry.tree, entry.qed, merge=False), entry.tree)
        n_diagrams = entry.graph.n_diagrams
        yield f"  {n_diagrams} diagram{'s' if n_diagrams > 1 else ''}"
        for k, diagram in enumerate(single[:_MOST], start=1):
            yield f"  {k:>5}  {_diagram(diagram, entry)}"
        if len(single) > _MOST:
            yield f"         ... {len(single) - _MOST} more"
    if len(distinct) > _MOST:
        yield f"\n  ... {len(distinct) - _MOST} more matrix elements"
    yield ""
    yield from _channels(card)


def _diagram(diagram: Diagram, entry: Diagrams) -> str:
    names = (*entry.tree.initial, *entry.tree.final)

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


def _channels(card: Card) -> Iterator[str]:
    try:
        integrand, sets = build_channels(card)
    except InputError as error:
        if error.key not in ("beams.energy", "cuts"):
            raise
        yield f"{'channel':<14}none: {error.problem}"
        if error.allowed:
            yield f"{'':<14}{error.allowed}"
        return
    start = 0  # channels are counted in one row, as in reports
    for place, (component, (channels, drawn)) in enumerate(
        zip(integrand.components, sets, strict=True)
    ):
        if place > 0:
            yield ""
        external = _external(integrand, component)
        if not isinstance(component.mapping, Cascade):
            yield f"{'channel':<14}RAMBO on diet: {' '.join(external[integrand.n_initial :])}"
            continue
        own = [number for number, channel in enumerate(channels) if channel.mirror is None]
        mirrors = len(channels) - len(own)
        more = f", {mirrors} of them mirrors of others" if mirrors else ""
        yield f"{'channels':<14}{len(channels)}{more}"
        for number in own[:_MOST]:
            channel = channels[number]
            yield ""
            blocks = _propagators(channel, external[integrand.n_initial :])
            yield f"  {start + number + 1:>5}  {blocks}"
            images = [
                start + n
                for n, c in enumerate(channels, 1)
                if c.mirror and c.mirror.original == number
            ]
            if images:
                shown = " ".join(map(str, images[:_MOST])) + (" ..." if len(images) > _MOST else "")
                yield f"         mirrored as {shown}"
            examples = [drawn[n] for n in channel.diagrams]
            yield from (f"         {x}" for x in draw(examples, external, integrand.n_initial))
        if len(own) > _MOST:
            yield ""
            yield f"         ... {len(own) - _MOST} more"
        start += len(channels)


def _external(integrand: Integrand, component: Component) -> list[str]:
    """Names of the external particles, those of the first subprocess of several."""
    topology = integrand.topologies[component.terms[0].subprocesses[0]]
    names = {p.pdg: p.name for p in integrand.model.particles.values()}
    return [names[pdg] for pdg in topology.pdg]


def _propagators(channel: Channel, final: list[str]) -> str:
    """The blocks of a channel: systems that decay in brackets, <t> between what is scattered."""
    assert isinstance(channel.mapping, Cascade)

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
