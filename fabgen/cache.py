"""Where compiled programs are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def compilation_cache() -> Path | None:
    """Where compiled programs are kept between runs; None if nothing can be written there."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        cache = Path(base) / "fabgen" / "jax"
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: a user without a home, as in containers
        return None
    return cache if os.access(cache, os.W_OK) else None
