"""Errors that reach the user as one message, never as a traceback."""

from __future__ import annotations

import os

from fabgen.plain_text import LONGEST, shortened, visible

#: Characters of what is allowed that a message shows: the longest list of keys has fewer.
_LONGEST_ALLOWED = 6000
#: Lines of what was found.
_MOST_LINES = 40


class FabgenError(Exception):
    """A run that failed: the command ends with exit code 1.

    Its text is fit for a terminal, whatever names and values it quotes.
    """

    exit_code = 1

    def __str__(self) -> str:
        return visible(super().__str__())


class InputError(FabgenError):
    """Wrong input (card, process, option, file): the command ends with exit code 2.

    `problem` says what is wrong in one sentence. The optional fields name the place and the cure:
    the file, the key in it, what was found (a list: on a line each), what is allowed (it may have
    several lines). Long texts are shortened, characters that are not seen are written as escapes.
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: str | os.PathLike[str] | None = None,
        key: str | None = None,
        found: object = None,
        allowed: str | None = None,
        hint: str | None = None,
    ):
        self.problem = problem
        self.file = os.fspath(file) if file is not None else None
        self.key = key
        self.found = found
        self.allowed = allowed
        self.hint = hint
        super().__init__(str(self))

    def with_place(
        self, *, file: str | os.PathLike[str] | None = None, key: str | None = None
    ) -> InputError:
        """The same error with file and key filled in where they were not known before."""
        return InputError(
            self.problem,
            file=self.file if self.file is not None else file,
            key=self.key if self.key is not None else key,
            found=self.found,
            allowed=self.allowed,
            hint=self.hint,
        )

    def __str__(self) -> str:
        found = self.found if isinstance(self.found, list) else [self.found]
        lines = [_shown(self.problem)]
        for name, values in (
            ("file", [self.file]),
            ("key", [self.key]),
            ("found", found[:_MOST_LINES]),
            ("allowed", self.allowed.split("\n") if self.allowed else []),
            ("hint", [self.hint]),
        ):
            longest = _LONGEST_ALLOWED if name == "allowed" else LONGEST
            shown = [_shown(value, longest) for value in values if value is not None]
            if name == "found" and len(found) > _MOST_LINES:
                shown.append(f"... {len(found) - _MOST_LINES} more")
            if shown:
                lines.append(f"  {name + ':':<9}" + ("\n" + 11 * " ").join(shown))
        return "\n".join(lines)


def _shown(value: object, longest: int = LONGEST) -> str:
    return visible(shortened(str(value), longest))


def not_available(
    what: str, *, key: str | None = None, found: object = None, allowed: str | None = None
) -> InputError:
    """The error for a documented feature of a later version; allowed: what there is now."""
    return InputError(f"{what}: not available yet", key=key, found=found, allowed=allowed)
