"""LHE files: layout, momenta, mothers, colours, bytes, completeness."""

from __future__ import annotations

import gzip
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylhe
import pytest

from fabgen.errors import FabgenError, InputError
from fabgen.events.layout import LHE_FORMAT
from fabgen.events.lhe import Earlier, decay_beams, write_lhe
from fabgen.events.record import EventBatch, EventTopology, Resonance

GOLDEN = Path(__file__).with_name("golden.lhe")


@pytest.fixture(params=["events.lhe", "events.lhe.gz"])
def path(request, tmp_path):
    return tmp_path / request.param


def entries(event) -> np.ndarray:
    """E, px, py, pz, m of every entry, (n_entries, 5)."""
    return np.array([[p.e, p.px, p.py, p.pz, p.m] for p in event.particles])


def test_golden_file(tmp_path, file_info) -> None:
    """e+ e- > a z, z > u u~ with momenta that are whole numbers."""
    topology = EventTopology(
        pdg=(-11, 11, 22, 2, -2),
        n_initial=2,
        masses=(0.0,) * 5,
        resonances=(Resonance(23, (3, 4)),),
        flows=(((0, 0), (0, 0), (0, 0), (1, 0), (0, 1)),),
    )
    beams = [[500, 0, 0, 500], [500, 0, 0, -500]]
    final = [[320, 0, 192, 256], [340, 300, -96, -128], [340, -300, -96, -128]]
    turned = [[320, 0, -192, -256], [340, -300, 96, 128], [340, 300, 96, 128]]
    zero, one = np.zeros(2, dtype=int), np.ones(2)
    batch = EventBatch(
        momenta=np.array([beams + final, beams + turned], dtype=float),
        topology=zero,
        flow=zero,
        weight=np.array([0.125, 0.25]),
        scale=91.188 * one,
        aqed=one / 128,
        aqcd=0.118 * one,
    )
    path = tmp_path / "golden.lhe"
    write_lhe(path, file_info(process="e+ e- > a z, z > u u~"), (topology,), [batch])
    assert path.read_text("utf-8") == GOLDEN.read_text("utf-8")


def test_round_trip_through_pylhe(path, file_info, tops, top_batch) -> None:
    batch = top_batch(50)
    written = write_lhe(
        path, file_info(), (tops,), [batch.take(slice(0, 30)), batch.take(slice(30, 50))]
    )
    content = pylhe.LHEFile.fromfile(path, generator=False)
    info = content.init.initInfo
    assert (info.beamA, info.beamB, info.energyA, info.energyB) == (-11, 11, 500.0, 500.0)
    assert (info.PDFgroupA, info.PDFsetB, info.weightingStrategy, info.numProcesses) == (
        0,
        0,
        -4,
        1,
    )
    (process,) = content.init.procInfo
    assert (process.xSection, process.error) == (0.15989, 0.0003)
    assert process.unitWeight == pytest.approx(np.max(batch.weight), rel=1e-14)
    (generator,) = content.init.generators
    assert (generator.name, generator.version) == ("fabgen", "0.1.0")
    assert content.version == "3.0"
    assert written.events == len(content.events) == 50
    assert written.mean_weight == pytest.approx(np.mean(batch.weight))
    weights = [e.eventinfo.weight for e in content.events]
    assert weights == pytest.approx(batch.weight, rel=1e-14)
    assert content.events[0].eventinfo.scale == 91.188
    assert content.events[0].eventinfo.aqcd == 0.118
    finals = [entries(e)[-5:] for e in content.events]
    assert np.array(finals)[..., :4] == pytest.approx(batch.momenta[:, 2:], rel=1e-14, abs=1e-11)


def test_pylhe_writes_the_same_bytes(tmp_path, file_info, tops, top_batch) -> None:
    """The fast text of an event is what pylhe makes of the same event."""
    path = tmp_path / "events.lhe"
    write_lhe(path, file_info(), (tops,), [top_batch(20)])
    body = path.read_text("utf-8").split("</init>\n")[1]
    events = pylhe.LHEFile.fromfile(path, generator=False).events
    assert body == "".join(e.tolhe(LHE_FORMAT) + "\n" for e in events) + "</LesHouchesEvents>\n"


def test_momenta_of_an_event(path, file_info, tops, top_batch) -> None:
    write_lhe(path, file_info(), (tops,), [top_batch(30)])
    for event in pylhe.LHEFile.fromfile(path).events:
        p = entries(event)
        energy = p[0, 0] + p[1, 0]
        final = np.array([q.status == 1 for q in event.particles])
        assert np.max(np.abs(p[final, :4].sum(0) - p[:2, :4].sum(0))) <= 1e-10 * energy
        square = p[:, 0] ** 2 - np.sum(p[:, 1:4] ** 2, axis=1)
        assert np.all(np.abs(square - p[:, 4] ** 2) <= 1e-10 * p[:, 0] ** 2)
        for i, particle in enumerate(event.particles):
            if particle.status != 2:
                continue
            daughters = [j for j, d in enumerate(event.particles) if d.mother1 == i + 1]
            assert len(daughters) == 2
            assert p[daughters, :4].sum(0) == pytest.approx(p[i, :4], rel=1e-13, abs=1e-11)
            assert p[i, 4] == pytest.approx(np.sqrt(square[i]))


def test_mothers_status_colours_and_helicities(path, file_info, tops, top_batch) -> None:
    write_lhe(path, file_info(), (tops,), [top_batch(1)])
    (event,) = pylhe.LHEFile.fromfile(path).events
    table = [(q.id, q.status, q.mother1, q.mother2, q.color1, q.color2) for q in event.particles]
    assert table == [
        (-11, -1, 0, 0, 0, 0),
        (11, -1, 0, 0, 0, 0),
        (6, 2, 1, 2, 501, 0),
        (24, 2, 3, 3, 0, 0),
        (-6, 2, 1, 2, 0, 501),
        (-11, 1, 4, 4, 0, 0),
        (12, 1, 4, 4, 0, 0),
        (5, 1, 3, 3, 501, 0),
        (-24, 1, 5, 5, 0, 0),
        (-5, 1, 5, 5, 0, 501),
    ]
    assert all(q.spin == 9.0 and q.lifetime == 0.0 for q in event.particles)
    assert event.eventinfo.nparticles == 10


def back_to_back(n: int, topology: np.ndarray, flow: np.ndarray, **more) -> EventBatch:
    rng = np.random.default_rng(3)
    unit = rng.normal(size=(n, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    momenta = np.full((n, 4, 4), 500.0)
    momenta[:, :2, 1:] = 0.0
    momenta[:, 0, 3], momenta[:, 1, 3] = 500.0, -500.0
    momenta[:, 2, 1:], momenta[:, 3, 1:] = 500 * unit, -500 * unit
    return EventBatch(momenta, topology, flow, np.arange(1.0, n + 1), *[np.ones(n)] * 3, **more)


def test_mixed_subprocesses_and_flows_keep_their_order(path, file_info, gluons) -> None:
    muons = EventTopology((-11, 11, -13, 13), 2, (0.0,) * 4)
    topology = np.array([0, 1, 1, 0, 1, 0])
    flow = np.array([0, 1, 0, 0, 1, 0])
    write_lhe(path, file_info(), (muons, gluons), [back_to_back(6, topology, flow)])
    events = list(pylhe.LHEFile.fromfile(path).events)
    assert [e.eventinfo.weight for e in events] == [1, 2, 3, 4, 5, 6]
    assert [e.particles[2].id for e in events] == [-13, 21, 21, -13, 21, -13]
    tags = [[(p.color1, p.color2) for p in e.particles] for e in events]
    assert tags[2] == [(501, 0), (0, 502), (501, 503), (503, 502)]
    assert tags[1] == [(501, 0), (0, 502), (503, 502), (501, 503)]


def test_known_helicities(path, file_info) -> None:
    muons = EventTopology((-11, 11, -13, 13), 2, (0.0,) * 4)
    zero = np.zeros(2, dtype=int)
    helicity = np.array([[1, -1, 1, -1], [-1, 1, 9, 0]])
    batch = back_to_back(2, zero, zero, helicity=helicity)
    write_lhe(path, file_info(), (muons,), [batch])
    events = pylhe.LHEFile.fromfile(path).events
    assert [[p.spin for p in e.particles] for e in events] == helicity.tolist()


def test_decay_of_one_particle(path, file_info, top_batch, tops) -> None:
    """t > w+ b at rest: one incoming entry, both daughters point to it."""
    mass, mw, mb = 173.0, 80.419, 4.7
    energy = (mass**2 + mw**2 - mb**2) / (2 * mass)
    k = np.sqrt(energy**2 - mw**2)
    momenta = np.array([[[mass, 0, 0, 0], [energy, 0, k, 0], [mass - energy, 0, -k, 0]]])
    topology = EventTopology((6, 24, 5), 1, (mass, mw, mb), flows=(((1, 0), (0, 0), (1, 0)),))
    one, zero = np.ones(1), np.zeros(1, dtype=int)
    batch = EventBatch(momenta, zero, zero, 1.5 * one, mass * one, one, one)
    beams, energies = decay_beams(6, mass)
    info = file_info(beams=beams, energies=energies, unit="GeV", cross_section=1.5)
    write_lhe(path, info, (topology,), [batch])
    content = pylhe.LHEFile.fromfile(path, generator=False)
    assert (content.init.initInfo.beamA, content.init.initInfo.beamB) == (6, 0)
    assert (content.init.initInfo.energyA, content.init.initInfo.energyB) == (mass, 0.0)
    particles = content.events[0].particles
    assert [(p.status, p.mother1, p.mother2) for p in particles] == [
        (-1, 0, 0),
        (1, 1, 1),
        (1, 1, 1),
    ]
    assert [(p.color1, p.color2) for p in particles] == [(501, 0), (0, 0), (501, 0)]
    assert "partial width" in content.header.extra_elements[0].text


def test_header_is_safe_xml(path, file_info, tops, top_batch) -> None:
    """Markup, CDATA ends, quotes and umlauts of a card survive; control characters do not."""
    card = 'process = "a & b > c"\n# <tag> ]]> -- \u00fc \x00\n'
    info = file_info(card=card, process="e+ e- > <x>", notes=("a < b", "and more"))
    write_lhe(path, info, (tops,), [top_batch(1)])
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    header = ET.fromstring(data).find("header")
    assert header.findtext("fabgen_card").strip("\n") == card.replace("\x00", "?").strip("\n")
    assert header.findtext("slha").strip("\n") == file_info().slha.strip("\n")
    assert "process: e+ e- > <x>" in header.findtext("fabgen")
    assert header.findtext("fabgen").endswith("\nnote: a < b\nnote: and more\n")
    assert pylhe.LHEFile.fromfile(path).header is not None


def test_same_events_same_bytes(tmp_path, file_info, tops, top_batch) -> None:
    batch = top_batch(100)
    first, second = tmp_path / "a.lhe.gz", tmp_path / "other_name.lhe.gz"
    write_lhe(first, file_info(), (tops,), [batch])
    write_lhe(second, file_info(), (tops,), [batch])
    assert first.read_bytes() == second.read_bytes()
    plain = tmp_path / "a.lhe"
    write_lhe(plain, file_info(), (tops,), [batch])
    assert gzip.decompress(first.read_bytes()) == plain.read_bytes()
    assert b"a.lhe" not in first.read_bytes() and first.read_bytes()[4:8] == bytes(4)


def test_batches_do_not_matter(tmp_path, file_info, tops, top_batch) -> None:
    batch = top_batch(60)
    one, many = tmp_path / "one.lhe", tmp_path / "many.lhe"
    write_lhe(one, file_info(), (tops,), [batch])
    write_lhe(many, file_info(), (tops,), (batch.take(slice(i, i + 7)) for i in range(0, 60, 7)))
    assert one.read_bytes() == many.read_bytes()


def test_complete_or_absent(path, file_info, tops, top_batch) -> None:
    """A run that breaks leaves the old file as it was and nothing beside it."""

    def broken():
        yield top_batch(10)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_lhe(path, file_info(), (tops,), broken())
    assert list(path.parent.iterdir()) == []
    write_lhe(path, file_info(), (tops,), [top_batch(3)])
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="stop"):
        write_lhe(path, file_info(), (tops,), broken())
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_directory_that_is_not_there(tmp_path, file_info, tops) -> None:
    with pytest.raises(InputError, match="Cannot write events") as error:
        write_lhe(tmp_path / "none" / "events.lhe", file_info(), (tops,), [])
    assert error.value.exit_code == 2


def test_no_events(path, file_info, tops) -> None:
    assert write_lhe(path, file_info(), (tops,), []).events == 0
    content = pylhe.LHEFile.fromfile(path, generator=False)
    assert content.events == [] and content.init.procInfo[0].unitWeight == 0.0


@pytest.mark.parametrize(
    ("leg", "shift", "message"),
    [
        (2, [1e-3, 0, 0, 1e-3], "conservation"),
        (2, [np.nan, 0, 0, 0], "not finite"),
        (0, [0, 1e-2, 0, 0], "conservation"),
    ],
)
def test_wrong_momenta_are_never_written(
    path, file_info, tops, top_batch, leg, shift, message
) -> None:
    batch = top_batch(3)
    momenta = batch.momenta.copy()
    momenta[1, leg] += shift
    with pytest.raises(FabgenError, match=message):
        write_lhe(path, file_info(), (tops,), [replace(batch, momenta=momenta)])
    assert list(path.parent.iterdir()) == []


def test_off_shell_external_leg_is_never_written(path, file_info, tops, top_batch) -> None:
    light = replace(tops, masses=(0.0, 0.0, 0.0, 0.0, 0.0, 80.419, 4.7))
    with pytest.raises(FabgenError, match="mass shell"):
        write_lhe(path, file_info(), (light,), [top_batch(3)])


def text_of(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def test_appended_events_stand_there_as_if_written_at_once(path, file_info) -> None:
    """Of two processes: their shares and largest weights are those of all events."""
    topologies = tuple(EventTopology((-11, 11, -i, i), 2, (0.0,) * 4, process=i) for i in (13, 15))
    kinds = np.arange(60) % 2
    batch = back_to_back(60, kinds, 0 * kinds)
    parts = [batch.take(slice(0, 35)), batch.take(slice(35, 60))]
    first, whole = path.with_name("a" + path.name), path.with_name("b" + path.name)
    earlier = Earlier(first, write_lhe(first, file_info(), topologies, parts[:1]).sums)
    written = write_lhe(path, file_info(), topologies, parts[1:], earlier=earlier)
    at_once = write_lhe(whole, file_info(), topologies, parts)
    assert text_of(path) == text_of(whole)
    assert written.sums == at_once.sums
    assert (written.events, written.max_weight) == (25, 60.0)
    lines = pylhe.LHEFile.fromfile(path).init.procInfo
    assert [line.unitWeight for line in lines] == [59.0, 60.0]
    assert len(pylhe.LHEFile.fromfile(path, generator=False).events) == 60
    # A second time, and nothing but the weights of the first file in the way.
    last = path.with_name("c" + path.name)
    write_lhe(last, file_info(), topologies, parts[:1], earlier=Earlier(path, written.sums))
    assert len(pylhe.LHEFile.fromfile(last, generator=False).events) == 95


def test_nothing_is_appended_to_another_file(path, file_info, tops, top_batch) -> None:
    first = path.with_name("a" + path.name)
    sums = write_lhe(first, file_info(), (tops,), [top_batch(5)]).sums
    for info in (file_info(card="another"), file_info(cross_section=2.0)):
        with pytest.raises(InputError, match="does not begin as this run"):
            write_lhe(path, info, (tops,), [top_batch(5)], earlier=Earlier(first, sums))
    first.write_bytes(first.read_bytes()[:-3])
    with pytest.raises(FabgenError, match="does not end as an event file"):
        write_lhe(path, file_info(), (tops,), [top_batch(5)], earlier=Earlier(first, sums))
    assert [p.name for p in path.parent.iterdir()] == [first.name]
