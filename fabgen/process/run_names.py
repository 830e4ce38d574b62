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
    if is_toy([process]):
        text = readable = process.strip().lower().replace(":", "-")
    else:
        try:
            line = parse_process(process)
        except InputError as error:
            raise error.with_place(key="process") from None
        text = str(line).lower()
        readable = f"{''.join(line.core.initial)}_{''.join(line.core.final)}".replace("~", "x")
    digits = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^a-z0-9+_-]+', '', readable)[:_READABLE].lstrip('+-_')}_{digits}"
