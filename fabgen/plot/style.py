"""One look for all pictures: the width of a paper's column, text of 7 to 8 pt, Okabe-Ito colours.

Figures are made without pyplot's global state and know no display.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
import mplhep  # noqa: F401  (brings the font TeX Gyre Heros)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Widths in inches: of a column, and of both columns of a page.
COLUMN, PAGE = 3.4, 7.0
DPI = 300

# Colours that the colour-blind can tell apart (M. Okabe, K. Ito, Color Universal Design): one for
# each thing, the same in every picture.
TARGET = "#0072B2"  # blue: estimates of f
SURROGATE = "#D55E00"  # vermillion: q itself
UNTRAINED = REFERENCE = "#000000"  # black: what they are compared with
BAND = "#BBBBBB"  # errors of the reference

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["TeX Gyre Heros", "DejaVu Sans"],
    "mathtext.fontset": "custom",
    "mathtext.rm": "TeX Gyre Heros",
    "mathtext.it": "TeX Gyre Heros:italic",
    "mathtext.bf": "TeX Gyre Heros:bold",
    "mathtext.cal": "TeX Gyre Heros",  # never used, but looked up
    "mathtext.fallback": "stixsans",
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.formatter.useoffset": False,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.major.size": 4.0,
    "ytick.major.size": 4.0,
    "xtick.minor.size": 2.0,
    "ytick.minor.size": 2.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.borderaxespad": 0.4,
    "lines.linewidth": 1.0,
    "lines.markersize": 2.5,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "pdf.fonttype": 42,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Inside, what matplotlib draws looks like this module says."""
    with matplotlib.rc_context(_STYLE):
        yield


def new_figure(height: float, width: float = COLUMN, *, arranged: bool = True) -> Figure:
    """An empty figure, width and height in inches; `arranged`: its axes find their own place."""
    figure = Figure(figsize=(width, height), layout="constrained" if arranged else None)
    FigureCanvasAgg(figure)
    return figure


def encode(figure: Figure, file_format: str) -> bytes:
    """The file of a figure ("png" or "pdf"): the same figure gives the same bytes."""
    file = io.BytesIO()
    metadata = {"CreationDate": None} if file_format == "pdf" else None
    figure.savefig(file, format=file_format, metadata=metadata)
    return file.getvalue()


def wrapped(figure: Figure, text: str, width: float) -> str:
    """A text broken at its blanks into lines of at most `width` inches; formulas stay whole."""
    drawn = figure.text(0.0, 0.0, "")

    def fits(line: str) -> bool:
        drawn.set_text(line)
        return drawn.get_window_extent().width <= width * figure.dpi

    lines = []
    for paragraph in text.split("\n"):
        first, *words = paragraph.split(" ")
        lines.append(first)
        for word in words:
            longer = f"{lines[-1]} {word}"
            if fits(longer):
                lines[-1] = longer
            else:
                lines.append(word)
    drawn.remove()
    return "\n".join(lines)


#: Height of a line of a title, and what labels take from its width, in inches.
TITLE_LINE, BESIDE_TITLE = 0.14, 0.65


def set_title(axes: Axes, title: str) -> None:
    """The title above axes at the left, on as many lines as it needs: the figure grows by them."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches()
    lines = wrapped(figure, title, width - BESIDE_TITLE)
    axes.set_title(lines)
    figure.set_size_inches(width, height + TITLE_LINE * lines.count("\n"))


def mark_break(first: Axes, second: Axes, along: Literal["x", "y"]) -> None:
    """Neighbours that are one axis with a piece left out: slanted strokes where they are cut.

    first: the left or the upper one. Both lose the spine and the ticks at the cut.
    """
    end, start = ("right", "left") if along == "x" else ("bottom", "top")
    for axes, side in ((first, end), (second, start)):
        axes.spines[side].set_visible(False)
        axes.tick_params(axis="y" if along == "x" else "x", which="both", **{side: False})
        at = 1.0 if side in ("right", "top") else 0.0
        x, y = ([at, at], [0.0, 1.0]) if along == "x" else ([0.0, 1.0], [at, at])
        slant = [(-0.6, -1.0), (0.6, 1.0)] if along == "x" else [(-1.0, -0.6), (1.0, 0.6)]
        axes.plot(
            x, y, ls="none", marker=slant, ms=5.0, color="black", mew=0.6,
            transform=axes.transAxes, clip_on=False, scalex=False, scaley=False,
        )  # fmt: skip


def legend_above(axes: Axes) -> float:
    """A legend in the upper corner, with room made for it above everything drawn there.

    Returns the height of the axes that is left below it, as a share.
    """
    legend = axes.legend(loc="upper right")
    legend.set_in_layout(False)  # it may be wider than one part of a broken axis
    figure = axes.get_figure(root=True)
    assert figure is not None
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)  # the height of the axes is known only then
    below = (legend.get_window_extent().y0 - axes.bbox.y0) / axes.bbox.height
    share = max(below - 0.02, 0.3)
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        axes.set_ylim(low, low * (high / low) ** (1.0 / share))
    else:
        axes.set_ylim(low, low + (high - low) / share)
    return share


def log_ticks(axis: Axis, low: float, high: float) -> None:
    """Numbers on a logarithmic axis that spans too little for powers of ten; others stay."""
    if high / low > 300.0:
        return
    steps: tuple[float, ...] = (1.0, 3.0)
    if high / low < 50.0:
        steps = (1.0, 2.0, 5.0)
    if high / low < 5.0:
        steps = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    if high / low < 1.6:  # as good as linear
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(lambda value, position: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())
        return
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [a * 10.0**k for k in range(first, last + 1) for a in steps]
    inside = [tick for tick in ticks if low <= tick <= high]
    axis.set_major_locator(FixedLocator(inside))
    axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in inside]))
    axis.set_minor_formatter(NullFormatter())


def power_of_ten(value: float) -> int:
    """The exponent to take out of numbers up to `value`: 0 where they read well as they are."""
    if not math.isfinite(value) or value <= 0.0:
        return 0
    exponent = math.floor(math.log10(value))
    return exponent if exponent < -1 or exponent > 3 else 0


def bracket(unit: str, exponent: int = 0) -> str:
    """The unit of an axis whose numbers were divided by 10^exponent: " [10^-3 pb]" in LaTeX."""
    factor = f"$10^{{{exponent}}}$" if exponent else ""
    inside = " ".join(part for part in (factor, unit) if part)
    return f" [{inside}]" if inside else ""
