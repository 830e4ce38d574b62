"""Errors that reach the user as one message, never as a traceback."""

from __future__ import annotations

import os


class FabgenError(Exception):
    """A run that failed: the command ends with exit code 1."""

    exit_code = 1


class InputError(FabgenError):
    """Wrong input (card, process, option, file): the command ends with exit code 2.

    `problem` says what is wrong in one sentence. The optional fields name the place and the cure:
    the file, the key in it, what was found and what is allowed.
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
        lines = [self.problem]
        if self.file is not None:
            lines.append(f"  file:    {self.file}")
        if self.key is not None:
            lines.append(f"  key:     {self.key}")
        if self.found is not None:
            lines.append(f"  found:   {self.found}")
        if self.allowed is not None:
            lines.append(f"  allowed: {self.allowed}")
        if self.hint is not None:
            lines.append(f"  hint:    {self.hint}")
        return "\n".join(lines)


def not_available(
    what: str, *, key: str | None = None, found: object = None, allowed: str | None = None
) -> InputError:
    """The error for a documented feature of a later version; allowed: what there is now."""
    return InputError(f"{what}: not available yet", key=key, found=found, allowed=allowed)
