"""The blocks <init> and <event> of an LHE file as lines of fields, without an XML parser.

Many files of generators are no XML, or XML of another shape than the standard's. The numbers of
these blocks are all that is used: headers, comments, CDATA and the elements within a block
(weights, scales, generators) are passed over, whatever they hold. Entities are not expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

#: Bytes of one block, and of what stands between two blocks: longer ones are no events.
MAX_BLOCK = 1 << 24
MAX_BETWEEN = 1 << 28
_CHUNK = 1 << 20
#: Bytes that a tag may have: as many are kept to see the whole of one.
_MAX_TAG = 1 << 14

_ATTRIBUTES = rb"""(?:[^<>"']|"[^<"]*"|'[^<']*')*+"""
_TOKEN = re.compile(
    rb"<!--|<!\[CDATA\[|<(/?)(header|init|event|LesHouchesEvents)(?=[\s/>])" + _ATTRIBUTES + rb">"
)
_ELEMENT = re.compile(rb"<(/?)([A-Za-z_][\w.:-]*)" + _ATTRIBUTES + rb">")
_CLOSING = re.compile(rb"</([A-Za-z_][\w.:-]*)\s*>")
#: What is left out of the lines of a block. Within an element a # has no meaning.
_LEFT_OUT = re.compile(rb"#[^\r\n]*|" + _ELEMENT.pattern)
_END_OF_LINE = re.compile(rb"[\r\n]|\Z")
_PASSED_OVER = {b"<!--": re.compile(rb"-->"), b"<![CDATA[": re.compile(rb"\]\]>")}
_READ = (b"init", b"event")
_ROOT = b"LesHouchesEvents"

#: The fields of the lines of a block, blank lines and comments (#) left out.
Lines = list[list[str]]


def blocks(stream: BinaryIO) -> Iterator[tuple[str, Lines]]:
    """("init" or "event", its lines) in the order of the file, in bounded memory.

    Raises ValueError for a file that ends early, has blocks within blocks or goes on without any;
    what the stream raises comes through.
    """
    place, parts, size, begun, ended = b"", list[bytes](), 0, False, False
    for text, length, token in _tokens(stream):
        size += length
        if place in _READ:
            parts.append(text)
        most = MAX_BLOCK if place in _READ else MAX_BETWEEN
        if size > most:
            where = f"in one <{place.decode()}>" if place in _READ else "without an event"
            raise ValueError(f"more than {most:,} bytes {where}")
        if token is None:
            continue
        closes, name = bool(token[1]), token[2]
        if place == b"header":
            place = b"" if closes and name == b"header" else place
        elif closes and place and name == place:
            yield name.decode(), _lines(b"".join(parts))
            place, size = b"", 0
        elif place or ended or (closes and name != _ROOT) or (name == _ROOT and begun != closes):
            raise ValueError(f"{_short(token[0])} where no such tag can be")
        elif name == _ROOT:
            begun, ended = True, closes
        elif not token[0].endswith(b"/>"):
            place, parts, size = name, [], 0 if name in _READ else size
    if place or not ended:
        raise ValueError("the file ends before </LesHouchesEvents>")


def _tokens(stream: BinaryIO) -> Iterator[tuple[bytes, int, re.Match[bytes] | None]]:
    """The text up to the next tag of interest, its length in the file, and that tag (None: there is
    more to come before it). Comments and CDATA are left out of the text."""
    buffer, at = b"", 0
    outer: re.Pattern[bytes] | None = None  # what ends the comment or CDATA that we are in
    while True:
        match = (outer or _TOKEN).search(buffer, at)
        data = b"" if match else stream.read(_CHUNK)
        stop = match.start() if match else len(buffer)
        if data:  # the end of the buffer may be the beginning of a tag
            stop = max(at, stop - _MAX_TAG)
        text = b"" if outer else buffer[at:stop]
        if match is None:
            yield text, stop - at, None
            if not data:
                if outer:
                    raise ValueError("the file ends within a comment")
                return
            buffer, at = buffer[stop:] + data, 0
            continue
        token = match if outer is None and match[0] not in _PASSED_OVER else None
        yield text, match.end() - at, token
        at = match.end()
        outer = None if outer else _PASSED_OVER.get(match[0])


def _lines(block: bytes) -> Lines:
    """The fields of its lines; comments and elements are left out.

    What is written as an element but never closed (`by <name@place>`) ends with its line.
    """
    last = {tag[1]: tag.end() for tag in _CLOSING.finditer(block)}
    kept, at = list[bytes](), 0
    while found := _LEFT_OUT.search(block, at):
        kept.append(block[at : found.start()])
        at, name = found.end(), found[2]
        if name is None or found[1] or found[0].endswith(b"/>"):
            continue
        if last.get(name, 0) > at:
            at = _behind(block, name, at, last[name])
        elif end := _END_OF_LINE.search(block, at):
            at = end.start()
    kept.append(block[at:])
    text = b"".join(kept).decode("utf-8", "replace").replace("\r", "\n")
    return [fields for line in text.split("\n") if (fields := line.split())]


def _behind(block: bytes, name: bytes, start: int, last: int) -> int:
    """Where an element ends whose content begins at `start`; last: where the last one of its name
    does. Others within it need not be closed."""
    depth = 1
    for tag in _ELEMENT.finditer(block, start, last):
        if tag[2] == name and not tag[0].endswith(b"/>"):
            depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
    return last


def _short(tag: bytes) -> str:
    return tag[:40].decode("utf-8", "replace")
