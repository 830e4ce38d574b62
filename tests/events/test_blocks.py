"""Blocks of LHE files of every kind: all forms say the same event, and are read alike."""

from __future__ import annotations

import gzip
import io
import os
import re

import numpy as np
import pylhe
import pytest

from fabgen.errors import InputError
from fabgen.events import blocks as module
from fabgen.events.blocks import blocks
from fabgen.events.lhe import write_lhe
from fabgen.events.reader import read_lhe

INFO = " 4 1  5.25e+00  9.1188e+01  7.5e-03  1.18e-01"
PARTICLES = [
    " -11 -1 0 0 0 0  0.0  0.0  5.0e+01  5.0e+01  0.0 0. 9.",
    "  11 -1 0 0 0 0  0.0  0.0 -5.0e+01  5.0e+01  0.0 0. 9.",
    " -13  1 1 2 0 0  3.0e+01 0.0  4.0e+01  5.0e+01  0.0 0. 9.",
    "  13  1 1 2 0 0 -3.0e+01 0.0 -4.0e+01  5.0e+01  0.0 0. 9.",
]
EVENT = "\n".join([INFO, *PARTICLES])
INIT = " -11 11 5.0e+01 5.0e+01 0 0 0 0 3 1\n 5.3 0.27 1.5 1"
MOMENTA = [[50, 0, 0, 50], [50, 0, 0, -50], [50, 30, 0, 40], [50, -30, 0, -40]]


def text(event=EVENT, init=INIT, header="<header>\n</header>\n", tag="<event>", between="") -> str:
    return (
        f'<LesHouchesEvents version="3.0">\n{header}<init>\n{init}\n</init>\n{between}'
        f"{tag}\n{event}\n</event>\n<event>\n{EVENT}\n</event>\n</LesHouchesEvents>\n"
    )


IN_THE_EVENT = {
    "no weights": EVENT,
    "wgt without id": f"{EVENT}\n<rwgt>\n<wgt> 5.2 </wgt>\n</rwgt>",
    "rwgt of nothing": f"{EVENT}\n<rwgt/>",
    "weights": f"{EVENT}\n<weights>\n 5.29 5.1\n</weights>",
    "weights that look like a particle": f"{EVENT}\n<weights>\n{PARTICLES[0]}\n</weights>",
    "scales": f"{EVENT}\n<scales muf='a>b' mur=\"1\"></scales>",
    "unknown elements": f"<x><y z='1'/>1 2</x>\n{EVENT}\n<mgrwt>\n<r> 0 0.1E+04</r>\n</mgrwt>",
    "between particles": "\n".join([INFO, "<x>\n1 2 3\n</x>", *PARTICLES]),
    "blank lines": "\n\n".join(["", INFO, *PARTICLES, "", ""]),
    "lines of blanks": "\n \t \n".join([INFO, *PARTICLES]),
    "comments": "\n# 1 2 3\n".join(["", INFO, *PARTICLES, ""]),
    "comments of XML": "\n<!-- </event> 7 <event> -->\n".join(["", INFO, *PARTICLES, ""]),
    "comment of many lines": f"<!--\n{PARTICLES[2]}\n-->{EVENT}",
    "cdata": f"{EVENT}\n<x><![CDATA[</event>]]></x>",
    "amcatnlo": f"{EVENT}\n#aMCatNLO 2 5 3 3 1 0.45E+02 0.45E+02 9 0 0 0.1E+01 0.2E+00 0 0 0 0 0",
    "text behind the numbers": "\n".join(f"{line}   # text" for line in EVENT.split("\n")),
    "address in a comment": f"# by <info@x.org>\n{EVENT}",
    "elements in a comment": f"# use <p>\n# cut x<y and y>z\n  # </x> 'a <x b='>\n{EVENT}",
    "elements in text behind": f"{EVENT}# f(0) text <b> 12".replace("\n", "# <b> 'x\n"),
    "comment like an element": f"# <weights>\n{EVENT}\n<weights>\n 5.29 # </weights>",
    "comment like two elements": f"# <x> </x> <x>\n{EVENT}\n# </x>",
    "number sign in an element": f"<x a='#'>\n# 1 2 </x>{EVENT}\n<y># </y>",
    "glued comments": EVENT.replace("\n", "#text\n"),
    "never closed": "<b> 1\n".join(["", INFO + " ", *PARTICLES, "<rwgt>\n<wgt> 1 </wgt>"]),
    "never closed in an element": f"<x>\n<y>\n1 2\n</x>{EVENT}",
    "closed too rarely": f"<x>\n<x> 1\n</x>{EVENT}<x>\n",
    "closed too often": f"<x><x/></x></x></y>\n{EVENT}",
    "free text behind particles": f"{EVENT}\nthese were the particles, 4 < 5\n7 7\nmore & more",
    "fortran": re.sub(r"e(?=[+-])", "D", EVENT),
    "lower d": re.sub(r"e(?=[+-])", "d", EVENT),
    "upper e": EVENT.upper(),
    "three digits": EVENT.replace("5.25e+00", "0.0525+002"),
    "integers as numbers": EVENT.replace("-13  1 1 2", "-13.0 1. 1.0 2"),
    "signs": EVENT.replace(" 13 ", "+13 "),
    "overflow where nothing is used": EVENT.replace("0.0 0. 9.", "***** ***** NaN"),
    "without spins": EVENT.replace("0.0 0. 9.", "0.0"),
    "without couplings": EVENT.replace(INFO, " 4 1 5.25"),
    "crlf": EVENT.replace("\n", "\r\n"),
    "cr": EVENT.replace("\n", "\r"),
    "tabs": EVENT.replace(" ", "\t"),
}


@pytest.mark.parametrize("event", IN_THE_EVENT.values(), ids=IN_THE_EVENT)
def test_events_of_every_form(tmp_path, event):
    check(tmp_path, text(event))


AROUND = {
    "nothing": {"header": ""},
    "no markup": {"header": "<header>\n a < b & c <rough> <event> \x07\n</header>"},
    "cdata": {"header": "<header><MG5><![CDATA[<init> </header> <event>]]></MG5></header>"},
    "empty header": {"header": "<header/>"},
    "comments": {"header": "<!-- POWHEG\n<init>\n-- -->\n<header></header><!-- and -->\n"},
    "bad groups": {"header": "<header><initrwgt><weightgroup combine='a'/></initrwgt></header>"},
    "initrwgt in init": {"init": f"{INIT}\n<initrwgt>\n<weight id='1'> 2 </weight>\n</initrwgt>"},
    "generator": {"init": f"{INIT}\n<generator name='a'>1 2 3 4</generator>"},
    "lines in init": {"init": f"\n# a\n{INIT}\n\n<!-- c -->\n"},
    "fortran in init": {"init": INIT.replace("e+01", "D+01").replace("5.3", "5.3D0")},
    "address in init": {"init": f"# see <https://x.y>\n{INIT}"},
    "address behind beams": {"init": INIT.replace("\n", "  # by <a@b.c>\n")},
    "attributes": {"tag": "<event npLO=' -1 ' npNLO='a>b'\n x=\"'\">"},
    "event group": {"between": "<eventgroup n='1'>\n"},
    "elements between": {"between": "<clustering>\n1 2\n</clustering>\n7 8\n"},
}


@pytest.mark.parametrize("parts", AROUND.values(), ids=AROUND)
def test_everything_around_events(tmp_path, parts):
    check(tmp_path, text(**parts))


def test_versions_declarations_and_byte_order(tmp_path):
    for start in ("<?xml version='1.0'?>\n", "﻿", "<!DOCTYPE x [<!ENTITY a 'b'>]>\n"):
        for version in ('version="1.0"', "version='2.0'", "", 'version="3.0" more="1"'):
            check(tmp_path, start + text().replace('version="3.0"', version))


def test_a_header_in_latin_1(tmp_path):
    path = tmp_path / "e.lhe"
    path.write_bytes(text(header="<header>\n\xe9\n</header>").encode("latin-1"))
    assert np.array_equal(read_lhe(path).momenta[0], MOMENTA)


def check(tmp_path, content):
    """Reads the file plain and zipped, and with the smallest chunks; numbers are those above."""
    path = tmp_path / "e.lhe"
    path.write_text(content, newline="")
    zipped = tmp_path / "e.lhe.gz"
    zipped.write_bytes(gzip.compress(content.encode()))
    for file in (path, zipped):
        events = read_lhe(file)
        assert events.beams == (-11, 11) and events.energies == (50.0, 50.0)
        assert (events.cross_section, events.error, events.max_weight) == (5.3, 0.27, 1.5)
        assert events.weight.tolist() == [5.25, 5.25]
        assert events.pdg.tolist() == [[-11, 11, -13, 13]] * 2
        assert events.momenta.tolist() == [MOMENTA] * 2


def test_pieces_of_a_file_may_end_anywhere(monkeypatch):
    data = text(IN_THE_EVENT["comments of XML"], header=AROUND["cdata"]["header"]).encode()
    whole = list(blocks(io.BytesIO(data)))
    assert [name for name, _ in whole] == ["init", "event", "event"]
    for size in (1, 7, 64):
        monkeypatch.setattr(module, "_CHUNK", size)
        monkeypatch.setattr(module, "_MAX_TAG", 64)
        assert list(blocks(io.BytesIO(data))) == whole


def test_what_pylhe_reads_is_read_alike(tmp_path, file_info, tops, top_batch):
    path = tmp_path / "e.lhe.gz"
    write_lhe(path, file_info(), (tops,), [top_batch(30)])
    events, other = read_lhe(path), pylhe.LHEFile.fromfile(path)
    for ours, theirs in zip(range(30), other.events, strict=True):
        external = [p for p in theirs.particles if p.status != 2]
        assert events.pdg[ours].tolist() == [p.id for p in external]
        assert events.momenta[ours].tolist() == [[p.e, p.px, p.py, p.pz] for p in external]
        info = theirs.eventinfo
        assert events.weight[ours] == info.weight
        assert (events.scale[ours], events.aqed[ours]) == (info.scale, info.aqed)
    assert events.cross_section == other.init.procInfo[0].xSection


ZEROS = " 4 1 0.0 0 0 0\n" + "\n".join(" 0 0 0 0 0 0 0 0 0 0 0 0 0" for _ in PARTICLES)


@pytest.mark.parametrize("event", [ZEROS, " 0 0 0.0E+00 0 0 0", " 0 0 -0.0 0. 0. 0.\n\n"])
def test_events_of_weight_zero_are_counted(tmp_path, event):
    path = tmp_path / "e.lhe"
    path.write_text(text(event))
    events = read_lhe(path)
    assert (len(events), events.zero_weight, events.number.tolist()) == (1, 1, [2])
    assert np.array_equal(events.momenta, [MOMENTA])


DAMAGE = {
    "inf as id": (("-13  1", "inf 1"), "event 1: 'inf' is not an integer"),
    "nan as id": (("-13  1", "nan 1"), "event 1: 'nan' is not an integer"),
    "5000 digits": (("-13  1", "1" * 5000 + " 1"), "more characters"),
    "a large id": (("-13  1", "3000000000 1"), "is not an integer"),
    "half an id": (("-13  1", "12.5 1"), "'12.5' is not an integer"),
    "inf as number": ((" 4 1  5.25", " inf 1 5.25"), "'inf' is not an integer"),
    "a word": (("3.0e+01", "three"), "'three' is not a number"),
    "underscores": (("3.0e+01", "3_0"), "'3_0' is not a number"),
    "glued": (("3.0e+01 0.0", "3.0e+01-0.0"), "not a number|particle"),
    "NUP too large": ((" 4 1  5", " 5 1  5"), "4 particles, and not NUP = 5"),
    "NUP too small": ((" 4 1  5", " 3 1  5"), "4 particles, and not NUP = 3"),
    "NUP negative": ((" 4 1  5", " -4 1  5"), "NUP = -4"),
    "a mother too many": (("-13  1 1 2", "-13 1 5 2"), "mothers 5 and 2 of 4"),
    "a negative mother": (("-13  1 1 2", "-13 1 -1 2"), "mothers -1 and 2"),
    "not UTF-8": (("3.0e+01", "\udce9"), "is not a number"),
    "no weight": ((" 4 1  5.25e+00  9.1188e+01  7.5e-03  1.18e-01", " 4 1"), "the weight"),
    "a short particle": ((" 5.0e+01  0.0 0. 9.", ""), "a particle of 9"),
    "no init": (("init", "other"), "no <init>"),
    "two inits": (("<init>", "<init>\n1 2 3 4\n</init><init>"), "a second <init>"),
    "inf as beam": ((" -11 11 5", " inf 11 5"), "'inf' is not an integer"),
    "event in event": (("</event>", ""), "where no such tag can be"),
    "cut off": (("</LesHouchesEvents>", ""), "the file ends before"),
    "cut off in a comment": (("</LesHouchesEvents>", "<!--"), "ends within a comment"),
    "two files": (("</LesHouchesEvents>", "</LesHouchesEvents>" + text()), "no such tag"),
    "no root": (('<LesHouchesEvents version="3.0">', ""), "no such tag"),
}


@pytest.mark.parametrize(("change", "told"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_files_are_one_message(tmp_path, change, told):
    path = tmp_path / "e.lhe"
    damaged = text().replace(*change)
    assert damaged != text()
    path.write_bytes(damaged.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=told) as caught:
        read_lhe(path)
    assert caught.value.file == str(path) and len(str(caught.value)) < 1000


def test_damaged_gzip(tmp_path, file_info, tops, top_batch):
    path = tmp_path / "e.lhe.gz"
    path.write_bytes(gzip.compress(text().encode()))
    data = path.read_bytes()
    for place in range(12, len(data), 5):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        with pytest.raises(InputError, match="the event file cannot be read"):
            read_lhe(path)
        path.write_bytes(data[:place])
        with pytest.raises(InputError, match="the event file cannot be read"):
            read_lhe(path)


def test_headers_and_events_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BLOCK", 10_000)
    monkeypatch.setattr(module, "MAX_BETWEEN", 20_000)
    path = tmp_path / "e.lhe"
    for parts in (
        {"header": f"<header>{' ' * 20_000}</header>"},
        {"header": "<header>" + "<!-- -->" * 2500 + "</header>"},
        {"header": f"<!--{' ' * 20_000}-->"},
        {"between": "x" * 20_000},
        {"event": EVENT + "\n#" + 10_000 * "x"},
        {"init": INIT + "\n#" + 10_000 * "x"},
    ):
        path.write_text(text(**parts))
        with pytest.raises(InputError, match=r"more than [12]0,000 bytes"):
            read_lhe(path)


@pytest.mark.parametrize("path", ["/dev/zero", "fifo", "", "missing", "a\0b"])
def test_what_is_no_file(tmp_path, path):
    if path == "fifo":
        os.mkfifo(tmp_path / path)
    with pytest.raises(InputError, match=r"a device|a pipe|directory|No such file"):
        read_lhe(path if path.startswith("/") else f"{tmp_path}/{path}")
