"""`python -m fabgen` is the `fabgen` command."""

from __future__ import annotations

from fabgen.cli import main

main()
