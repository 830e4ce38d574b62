"""The `fabgen` command, and `python -m fabgen`.

Signals are handled before the command line is imported, which takes a while.
"""

from __future__ import annotations

from fabgen import interrupts


def main() -> None:
    """Entry point of the `fabgen` command."""
    interrupts.install()
    try:
        from fabgen.cli import main

        main()
    except KeyboardInterrupt:  # a second signal, before the work has begun
        interrupts.leave()


if __name__ == "__main__":
    main()
