"""Fetching sets from LHAPDF's server into fabgen's own folder of them.

A set arrives in a folder beside its place, is looked over, and takes its place when it is complete.
Of an archive only plain files NAME/... are unpacked.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from fabgen.beams.pdf.sets import KEY, load_info, load_member, member_files, own_folder
from fabgen.errors import FabgenError, InputError
from fabgen.files import sync, writing

#: Where LHAPDF 6.5 fetches sets; LHAPDF_URLBASE names another place, as it does for LHAPDF.
SERVER = "https://lhapdfsets.web.cern.ch/current/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}")
#: Of an archive, and of what it unpacks to; the largest sets that there are have 0.5 GB.
_MAX_BYTES = 1 << 32
_CHUNK = 1 << 18
#: Seconds without a byte, and between two lines that tell how far the download is.
_TIMEOUT, _BETWEEN_NOTES = 30.0, 5.0


def install(name: str, note: Callable[[str], None]) -> Path:
    """Fetches a set and returns its folder; one that is there already is left as it is.

    note: is told what happens. Raises InputError for a name that no set has, and FabgenError where
    the server does not answer, or the set is not complete.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            "this is not the name of a set of densities",
            key="NAME",
            found=name,
            allowed="letters, digits and _ . + -, such as NNPDF40_lo_as_01180",
        )
    place = own_folder() / name
    if place.exists():
        note(f"{name} is there already")
        return place
    with writing(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
    with writing(place), tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{name}.") as new:
        folder = Path(new)
        archive = folder / "archive"
        with _answer(name) as (answer, url), archive.open("wb") as file:
            _download(answer, file, note, url)
        _unpack(archive, folder, name)
        _check(folder / name)
        sync(folder / name)
        (folder / name).rename(place)
        sync(place.parent)
    return place


@contextlib.contextmanager
def _answer(name: str) -> Iterator[tuple[io.BufferedIOBase, str]]:
    """The archive of a set as the server sends it, and its address."""
    base = os.environ.get("LHAPDF_URLBASE") or SERVER
    url = f"{base.rstrip('/')}/{name}.tar.gz"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            yield answer, url
    except urllib.error.HTTPError as error:
        if error.code != 404:
            _failed(url, f"{error.code} {error.reason}", error)
        raise InputError(
            "LHAPDF's server has no such set of densities",
            key="NAME",
            found=name,
            allowed="a set of https://www.lhapdf.org/pdfsets.html",
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # URLError is an OSError
        _failed(url, str(getattr(error, "reason", error)), error)


def _failed(url: str, reason: str, error: Exception) -> NoReturn:
    raise FabgenError(
        f"{url} cannot be fetched: {reason}; without a network, unpack the set's archive in "
        f"{own_folder()}, or name its folder in {KEY}"
    ) from error


def _download(
    answer: io.BufferedIOBase, file: io.BufferedIOBase, note: Callable[[str], None], url: str
) -> None:
    headers = getattr(answer, "headers", {})
    length = headers.get("Content-Length")
    note(f"fetching {url}" + (f" ({int(length) / 1e6:.1f} MB)" if length else ""))
    done, told = 0, time.monotonic()
    while chunk := answer.read(_CHUNK):
        done += file.write(chunk)
        if done > _MAX_BYTES:
            raise FabgenError(f"{url} is too long: more than {_MAX_BYTES:,} bytes")
        if time.monotonic() - told > _BETWEEN_NOTES:
            told = time.monotonic()
            note(f"{done / 1e6:.1f} MB")
    if length and done != int(length):
        raise FabgenError(f"{url} ended after {done:,} of {int(length):,} bytes; try again")


def _unpack(archive: Path, folder: Path, name: str) -> None:
    """The plain files NAME/... of an archive. Raises FabgenError for anything else in it."""
    left = _MAX_BYTES
    try:
        with tarfile.open(archive) as packed:
            for member in packed:
                parts = Path(member.name).parts
                if member.isdir() and parts == (name,):
                    continue
                if not member.isfile() or len(parts) != 2 or parts[0] != name or ".." in parts:
                    raise FabgenError(f"the archive of {name} has a strange entry: {member.name}")
                left -= member.size
                source = packed.extractfile(member)
                if left < 0 or source is None:
                    raise FabgenError(f"the archive of {name} unpacks to too much")
                (folder / name).mkdir(exist_ok=True)
                with (folder / name / parts[1]).open("xb") as file:
                    while chunk := source.read(_CHUNK):
                        file.write(chunk)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise FabgenError(f"the archive of {name} is damaged: {error}; try again") from error


def _check(folder: Path) -> None:
    """Raises FabgenError unless a set has what it says that it has."""
    name = folder.name
    try:
        info = load_info(folder)
        load_member(str(folder))
        missing = [n for n in range(info.members) if n not in member_files(folder, name)]
    except InputError as error:
        raise FabgenError(f"the set {name} that came is damaged: {error}") from error
    if missing:
        raise FabgenError(f"the set {name} came without {len(missing)} of its members; try again")
