"""Made-up grids and their files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from fabgen.beams.pdf import Grid

FLAVOURS = (-2, -1, 1, 2, 21, 22)
HEAD = "PdfType: central\nFormat: lhagrid1\n"


def made_up(sizes: tuple[int, ...], seed: int = 0) -> Grid:
    """A grid of subgrids with `sizes` knots in Q: no smooth function, of either sign, with tiny
    values and jumps at thresholds."""
    random = np.random.default_rng(seed)
    x = np.concatenate([np.geomspace(1e-4, 0.1, 5), np.linspace(0.2, 1.0, 4)])
    all_q = 1.3 * np.exp(np.cumsum(random.uniform(0.05, 0.6, sum(sizes) - len(sizes) + 1)))
    starts = np.concatenate([[0], np.cumsum(np.array(sizes) - 1)])
    q = np.concatenate([all_q[a : a + n] for a, n in zip(starts, sizes, strict=False)])
    values = random.uniform(-0.3, 1.0, (len(x), len(q), len(FLAVOURS)))
    values *= np.where(random.random(values.shape) < 0.1, 1e-7, x[:, None, None] ** -0.3)
    return Grid(x, q, sizes, FLAVOURS, values)


def text_of(grid: Grid, head: str = HEAD) -> str:
    """The file of a grid, all digits written."""
    blocks, start = [head], 0
    for size in grid.sizes:
        own = slice(start, start + size)
        rows = grid.values[:, own].reshape(-1, len(grid.flavours))
        lines = [grid.x, grid.q[own], grid.flavours, *rows]
        blocks.append("".join(" ".join(map(repr, map(_plain, line))) + "\n" for line in lines))
        start += size
    return "---\n".join([*blocks, ""])


def _plain(number: object) -> object:
    return number if isinstance(number, int) else float(number)


@pytest.fixture
def write_set(tmp_path: Path):
    """Writes a set into a folder: write_set(name, info keys, grid, where=...) -> its folder."""

    def write(
        name: str,
        keys: str = "",
        grid: Grid | None = None,
        where: Path = tmp_path,
        packed: bool = False,
        head: str = HEAD,
    ) -> Path:
        folder = where / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.info").write_text(f"SetIndex: 12\nNumMembers: 1\n{keys}")
        text = text_of(grid or made_up((4, 5)), head).encode()
        if packed:
            (folder / f"{name}_0000.dat.gz").write_bytes(gzip.compress(text))
        else:
            (folder / f"{name}_0000.dat").write_bytes(text)
        return folder

    return write
