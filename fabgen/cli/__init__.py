"""The command line: the only folder that prints."""

from fabgen.cli.commands import main

__all__ = ["main"]
