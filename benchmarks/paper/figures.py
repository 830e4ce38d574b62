"""Histograms of a trained surrogate and the pictures of them: the paper's figures 1, 3, 4, 5."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter

from fabgen.plot.dalitz import plane_of
from fabgen.plot.style import BAND, PAGE, REFERENCE, log_ticks, new_figure, power_of_ten
from fabgen.run.session import Session, Trained
from fabgen.sampling.sampler import WeightedSampler
from paper.published import ALL_METHODS, NAMES

#: Points of the marginal distributions, their bins, cells of the unit square each way.
POINTS, BINS, CELLS = 262_144, 50, 200
#: A stream of random numbers below the seed of the training that nothing else uses.
_MARGINALS = 0x46415043
#: Okabe-Ito colours, one for each method.
COLOURS = {
    "vegas": "#000000",
    "fkld": "#E69F00",
    "rkld": "#0072B2",
    "fab-nobuffer": "#CC79A7",
    "fab": "#D55E00",
    "fab-updates": "#56B4E9",
    "variance": "#009E73",
}
Arrays = Mapping[str, np.ndarray]
Record = Mapping[str, Any]


def arrays_of(session: Session, trained: Trained, sampler: WeightedSampler) -> dict[str, Any]:
    """What the pictures need of a surrogate: marginal histograms; 2D: q and f on the unit square.

    q_counts, f_sums (marginals, bins): points of q, and their weights. edges (marginals, bins + 1).
    """
    u, log_w = [], []
    key = session.key(_MARGINALS)
    for i in range(-(-POINTS // sampler.block)):
        points, log_weights, *_ = sampler(key, i)
        u.append(np.asarray(points))
        log_w.append(np.asarray(log_weights))
    points, weights = np.concatenate(u), np.exp(np.concatenate(log_w))
    weights = np.where(np.isfinite(weights), weights, 0.0)
    arrays: dict[str, Any] = {}
    if session.integrand.dim == 2:
        arrays = _square(session, trained)
        plane = plane_of(session.integrand.topologies)
        values = np.stack(plane.coordinates(np.asarray(session.integrand.momenta(points))), axis=1)
        ranges = [plane.x_range, plane.y_range]
    else:
        values, ranges = points, [(0.0, 1.0)] * points.shape[1]
    edges = np.stack([np.linspace(*limits, BINS + 1) for limits in ranges])
    count = [np.histogram(v, e)[0] for v, e in zip(values.T, edges, strict=True)]
    total = [np.histogram(v, e, weights=weights)[0] for v, e in zip(values.T, edges, strict=True)]
    square = [
        np.histogram(v, e, weights=weights**2)[0] for v, e in zip(values.T, edges, strict=True)
    ]
    return {
        **arrays,
        "edges": edges,
        "q_counts": np.stack(count),
        "f_sums": np.stack(total),
        "f_squares": np.stack(square),
    }


def _square(session: Session, trained: Trained) -> dict[str, Any]:
    """log q, log f, log Jacobian at the centres of the cells, the plane's x, y at the corners."""
    integrand = session.integrand
    corners = np.linspace(0.0, 1.0, CELLS + 1)
    centres = 0.5 * (corners[1:] + corners[:-1])

    def mesh(values):
        return np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1).reshape(-1, 2)

    u = mesh(centres)
    x, y = plane_of(integrand.topologies).coordinates(np.asarray(integrand.momenta(mesh(corners))))
    log_jacobian = integrand.point(u).log_jacobian
    columns = {
        "log_q": jax.jit(trained.surrogate.log_prob)(trained.params, u),
        "log_f": integrand.log_density(u),
        "log_jacobian": log_jacobian,
    }
    grid = {name: np.asarray(v, np.float32).reshape(CELLS, CELLS) for name, v in columns.items()}
    return {**grid, "x": x.reshape(CELLS + 1, -1), "y": y.reshape(CELLS + 1, -1)}


def efficiency_curves(records: Sequence[Record], published: Mapping[str, Any]) -> Figure:
    """Figure 1: 1 - eps and KL against target evaluations; one line for each training, a marker
    at its end. Dotted: the paper's end points."""
    figure = new_figure(2.8, PAGE)
    left, right = figure.subplots(1, 2)
    for method in ALL_METHODS:
        own = [r for r in records if r["experiment"]["method"] == method]
        colour, label = COLOURS[method], NAMES[method]
        for record in own:
            along = [line for line in record["along"] if line.get("sampling_efficiency")]
            calls = np.array([line["target_evaluations"] for line in along], float)
            eps = np.array([line["sampling_efficiency"] for line in along])
            kl = np.array([line["forward_kl"] for line in along])
            metrics, end = record["metrics"], record["target_evaluations"]
            for axes, curve, last in (
                (left, 1.0 - eps, 1.0 - metrics["sampling_efficiency"]),
                (right, kl, metrics["forward_kl"]),
            ):
                axes.plot(calls, curve, color=colour, lw=0.7, alpha=0.7)
                axes.plot(end, last, "o", color=colour, ms=3, label=label)
            label = None
        if own and (row := published.get(method)) and row.efficiency:
            left.axhline(1.0 - row.efficiency[0] / 100.0, color=colour, lw=0.7, ls=":")
    for axes, name in ((left, r"$1 - \varepsilon$"), (right, r"$\mathrm{KL}(p\,\|\,q)$")):
        axes.set_xscale("log")
        axes.set_yscale("log")
        log_ticks(axes.yaxis, *axes.get_ylim())
        axes.set_xlabel("target evaluations")
        axes.set_ylabel(name)
    left.set_title("dotted: the paper's end points")
    right.legend(loc="best")
    return figure


def dalitz_planes(surrogates: Mapping[str, Arrays]) -> Figure:
    """Figure 3: the target in the Dalitz plane, below it the surrogates, below these their ratio to
    the target."""
    methods = [m for m in ALL_METHODS if m in surrogates]
    any_of = surrogates[methods[0]]
    x, y, log_jacobian = any_of["x"], any_of["y"], any_of["log_jacobian"]

    def density(log_values: np.ndarray) -> np.ndarray:
        """Of the plane, normalized to mean 1 over the plane."""
        in_square = np.exp(log_values - np.max(log_values))
        share = in_square / np.sum(in_square)
        area = np.exp(log_jacobian) / np.sum(np.exp(log_jacobian))
        return share / area

    target = density(any_of["log_f"])
    top = float(np.max(target))
    norm = LogNorm(max(float(np.quantile(target, 0.01)), top / 1e3), top)
    figure = new_figure(3.0, PAGE)
    axes = figure.subplots(2, 1 + len(methods), sharex=True, sharey=True, squeeze=False)
    axes[1, 0].axis("off")
    first = axes[0, 0].pcolormesh(x, y, target, cmap="Blues", norm=norm, rasterized=True)
    axes[0, 0].set_title("target")
    second = None
    for column, method in enumerate(methods, start=1):
        learnt = density(surrogates[method]["log_q"])
        axes[0, column].pcolormesh(x, y, learnt, cmap="Blues", norm=norm, rasterized=True)
        axes[0, column].set_title(NAMES[method].replace("(", "\n("), fontsize=7.0)
        second = axes[1, column].pcolormesh(
            x, y, learnt / target, cmap="RdBu_r", norm=LogNorm(0.8, 1.25), rasterized=True
        )
        axes[1, column].set_xlabel(r"$m^2(K^-\pi^+)$ [GeV$^2$]", fontsize=6.5)
    axes[0, 0].set_ylabel(r"$m^2(pK^-)$ [GeV$^2$]")
    for row, mesh, name in ((0, first, "density / mean"), (1, second, "surrogate / target")):
        if mesh is not None:
            bar = figure.colorbar(mesh, ax=axes[row, :].tolist(), label=name, aspect=15)
            ticks = [0.8, 0.9, 1.0, 1.1, 1.25] if row else [0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
            bar.ax.yaxis.set_major_locator(FixedLocator(ticks))
            bar.ax.yaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
            bar.ax.yaxis.set_minor_formatter(NullFormatter())
    return figure


def marginals(surrogates: Mapping[str, Arrays], reference: Arrays, labels: Sequence[str]) -> Figure:
    """Figures 4 and 5: marginal densities of the surrogates in units of the target's, whose shape
    is the grey area; the target from weighted points of the best surrogate, its error the band."""
    count = len(labels)
    columns = min(count, 4)
    rows = math.ceil(count / columns)
    figure = new_figure(0.4 + 1.7 * rows, PAGE)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for i, (axes, label) in enumerate(zip(panels, labels, strict=True)):
        edges, sums = reference["edges"][i], reference["f_sums"][i]
        scale = 10.0 ** power_of_ten(float(edges[-1]))
        with np.errstate(divide="ignore", invalid="ignore"):
            target = sums / np.sum(sums)
            error = np.nan_to_num(np.sqrt(reference["f_squares"][i]) / sums)
            low = 0.7 + 0.25 * target / np.max(target)
            axes.stairs(low, edges / scale, baseline=0.7, fill=True, color="#E6E6E6")
            axes.stairs(1 + error, edges / scale, baseline=1 - error, fill=True, color=BAND)
            for method in ALL_METHODS:
                if method in surrogates:
                    learnt = surrogates[method]["q_counts"][i]
                    ratio = learnt / np.sum(learnt) / target
                    name = NAMES[method] if i == 0 else None
                    axes.stairs(
                        ratio, edges / scale, baseline=None, color=COLOURS[method], label=name
                    )
        axes.axhline(1.0, color=REFERENCE, lw=0.5)
        axes.set_ylim(0.7, 1.3)
        axes.set_xlabel(label)
        if i % columns == 0:
            axes.set_ylabel("surrogate / target")
    figure.legend(loc="outside upper center", ncols=len(surrogates))
    return figure
