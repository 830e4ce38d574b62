"""The name of the run directory of a process that was given in the place of a card."""

from __future__ import annotations

import hashlib
import re

from fabgen.card.toys import is_toy
from fabgen.errors import InputError
from fabgen.process.parser import parse_process

_READABLE = 40


def run_name(process: str) -> str:
    """A name for the files of a process: `e+e-_mu+mu-_` and eight digits of its hash.

    The digits are those of the text without regard to blanks and capitals (SHA-256), so that other
    processes have other names. Letters, digits, `+`, `-` and `_` only; `~` is written x, as in tx.
    Raises InputError for anything but a process.
    """
    try:
        text = process.strip() if is_toy([process]) else str(parse_process(process))
    except InputError as error:
        raise error.with_place(key="process") from None
    digits = hashlib.sha256(text.lower().encode()).hexdigest()[:8]
    initial, _, final = text.lower().replace("~", "x").replace(":", "-").partition(">")
    parts = (re.sub(r"[^a-z0-9+-]+", "", part) for part in (initial, final.split(",")[0]))
    readable = "_".join(part for part in parts if part)[:_READABLE].lstrip("+-")
    return f"{readable}_{digits}"
