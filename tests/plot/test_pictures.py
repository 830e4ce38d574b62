"""The pictures themselves: sizes in print, letters that can be read, nothing over one another."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from fabgen.plot import style
from fabgen.plot.cube import corner_plot
from fabgen.plot.dalitz import dalitz_plot
from fabgen.plot.distributions import distribution
from fabgen.plot.observables import Observable, observables
from fabgen.plot.sample import Samples
from fabgen.plot.training import After, training_curve
from fabgen.plot.weights import weight_picture
from fabgen.process.event_topology import EventTopology

from .conftest import make_samples

TOPOLOGIES = (EventTopology(pdg=(4122, 2212, -321, 211), n_initial=1, masses=(2.0, 0.5, 0.3, 0.2)),)
TITLE, LABEL = r"$\Lambda_{c}^{+} \to p\,K^{-}\,\pi^{+}$", "trained flow"
LONG = "; ".join([r"$e^{+}$ $e^{-}$ $\to$ $t$ $\overline{t}$ $Z$, $t$ $\to$ $W^{+}$ $b$"] * 6)
FLOW = [
    {"loss": 1.0 / n, "eps": 1.0 - 0.5 / n, "target_evaluations": 1000 * n} for n in range(1, 20)
]
GRID = [
    {
        "loss": None,
        "eps": None,
        "target_evaluations": 1000 * n,
        "integral": 1.0 + 0.1 / n,
        "integral_error": 0.1 / n,
        "average": 1.0,
        "average_error": 0.05 / n,
    }
    for n in range(1, 10)
]


def distribution_of(samples, unit="GeV", title=TITLE):
    [(_, figure)] = distribution(observables(TOPOLOGIES)[0], samples, unit, title, LABEL)
    return figure


def narrow(samples):
    """A spectrum of 125 GeV within some MeV."""
    mass = Observable("x", "m", "H", "GeV", lambda momenta: 125.0 + 1e-3 * momenta[:, 1, 3])
    [(_, figure)] = distribution(mass, samples, "pb", TITLE, LABEL)
    return figure


def corner_of(change, most=8):
    """The corner plot of small samples with their points u changed."""
    both = make_samples(n=500)
    one, *others = (replace(part, u=change(part.u)) for part in both.parts)
    return corner_plot(Samples(one, tuple(others)), TITLE, LABEL, most)


PICTURES = {
    "training": (lambda s: training_curve(FLOW, TITLE, "pb", After(20_000, 0.99, 0.5)), 3.4, 3.0),
    "broken training": (
        lambda s: training_curve(FLOW[9:], TITLE, "", After(20_000, 1.0, 0.1)),
        3.4,
        3.0,
    ),
    "training alone": (lambda s: training_curve(FLOW[:1], TITLE, "pb"), 3.4, 3.0),
    "training of a grid": (lambda s: training_curve(GRID, TITLE, "pb"), 3.4, 3.0),
    "weights": (
        lambda s: weight_picture(s.surrogate.log_weights, s.untrained, 0.001, TITLE, LABEL),
        3.4,
        2.6,
    ),
    "equal weights": (lambda s: weight_picture(np.zeros(999), None, 0.001, TITLE, LABEL), 3.4, 2.6),
    "hypercube": (lambda s: corner_plot(s, f"{TITLE}\nchannel 2 of 12", LABEL), 3.4, 3.78),
    "line": (lambda s: corner_of(lambda u: u[:, :1]), 3.4, 3.64),
    "six dimensions": (lambda s: corner_of(lambda u: np.tile(u, 3), most=4), 7.0, 7.38),
    "long title": (lambda s: distribution_of(s, title=LONG), 3.4, 3.28),
    "long title of a cube": (lambda s: corner_plot(s, LONG, LABEL), 3.4, 3.92),
    "dalitz": (lambda s: dalitz_plot(s, TOPOLOGIES, "", TITLE, LABEL), 3.4, 3.4),
    "mass": (distribution_of, 3.4, 3.0),
    "mass of a narrow resonance": (lambda s: narrow(s), 3.4, 3.0),
    "mass without reference": (
        lambda s: distribution_of(make_samples(reference=False), ""),
        3.4,
        2.4,
    ),
}


@functools.cache
def picture_of(name):
    """A figure as drawn, its size in inches, its file; whether matplotlib is what it was."""
    before = dict(matplotlib.rcParams)
    draw, width, height = PICTURES[name]
    with style.style():
        figure = draw(make_samples())
        file = style.encode(figure, "png")
    return figure, (width, height), file, dict(matplotlib.rcParams) == before


@pytest.fixture(params=PICTURES)
def picture(request):
    return picture_of(request.param)


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def texts(figure) -> list[Text]:
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]


def test_pictures_have_the_size_of_a_column_or_a_page(picture):
    figure, (width, height), png, _ = picture
    assert figure.get_size_inches() == pytest.approx((width, height))
    assert size_of(png) == (round(300 * width), round(300 * height))
    assert len(png) > 10_000


def test_letters_have_seven_points_at_least(picture):
    figure, *_ = picture
    assert texts(figure)
    assert min(text.get_fontsize() for text in texts(figure)) >= 7.0


def test_no_text_leaves_the_picture(picture):
    figure, *_ = picture
    drawn = figure.bbox.padded(1.0)
    unseen = {
        text
        for axis in axes_of(figure)
        for tick in [*axis.majorTicks, *axis.minorTicks]
        for text in (tick.label1, tick.label2)
        if text not in numbers(axis)
    }
    for text in texts(figure):
        if text not in unseen:
            box = text.get_window_extent()
            assert drawn.containsx(box.x0) and drawn.containsx(box.x1), text
            assert drawn.containsy(box.y0) and drawn.containsy(box.y1), text


def test_numbers_of_an_axis_do_not_touch(picture):
    figure, *_ = picture
    for axis in axes_of(figure):
        boxes = [text.get_window_extent() for text in numbers(axis)]
        ends = sorted((b.x0, b.x1) if axis.axis_name == "x" else (b.y0, b.y1) for b in boxes)
        for (_, end), (start, _) in itertools.pairwise(ends):
            assert end <= start, (axis, ends)


def axes_of(figure):
    """All axes with ticks, those along x and those along y."""
    return [axis for axes in figure.axes if axes.axison for axis in (axes.xaxis, axes.yaxis)]


def numbers(axis) -> list[Text]:
    """The texts at the ticks within the limits of an axis."""
    low, high = sorted(axis.get_view_interval())
    room = 1e-9 * (high - low)
    # Lists of ticks hold more than are drawn; what is left over has old places and texts.
    ticks = [
        *axis.get_major_ticks(len(axis.get_majorticklocs())),
        *axis.get_minor_ticks(len(axis.get_minorticklocs())),
    ]
    seen = [tick for tick in ticks if low - room <= tick.get_loc() <= high + room]
    return [t.label1 for t in seen if t.label1.get_visible() and t.label1.get_text()]


def test_the_same_figure_gives_the_same_file():
    with style.style():
        figure = style.new_figure(1.0, arranged=False)  # arranging takes several rounds
        figure.subplots().plot([0.0, 1.0], label=TITLE)
        for file_format, head in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
            files = [style.encode(figure, file_format) for _ in range(2)]
            assert files[0] == files[1]
            assert files[0].startswith(head)


def test_the_legend_covers_no_data():
    figure, *_ = picture_of("mass")
    main = figure.axes[0]
    legend = main.get_legend().get_window_extent()
    for line in main.lines:
        points = main.transData.transform(line.get_xydata())
        assert not legend.count_contains(points)


def test_drawing_leaves_matplotlib_as_it_was(picture):
    from matplotlib import pyplot

    *_, unchanged = picture
    assert unchanged
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("name", ["long title", "long title of a cube"])
def test_a_long_title_is_whole(name):
    figure, *_ = picture_of(name)
    titles = [text.get_text().replace("\n", " ") for text in texts(figure)]
    assert LONG in titles


def test_lines_break_at_blanks_only():
    figure = style.new_figure(1.0)
    assert style.wrapped(figure, "$a$ $b$", 3.0) == "$a$ $b$"
    assert style.wrapped(figure, "aaaa bbbb cc", 0.4).split("\n") == ["aaaa", "bbbb", "cc"]
    assert style.wrapped(figure, "a\nb", 3.0) == "a\nb"
    assert texts(figure) == []


def test_numbers_are_written_in_full():
    """Not as distances from an offset at the end of the axis."""
    figure, *_ = picture_of("mass of a narrow resonance")
    axis = figure.axes[-1].xaxis
    assert axis.get_offset_text().get_text() == ""
    assert all(text.get_text().startswith("12") for text in numbers(axis))
    assert 2 <= len(numbers(axis)) <= 5
