"""Output of the command line: progress on stderr, tables of results on stdout.

On a terminal progress is a rich bar; elsewhere (a log file, a pipe) it is a line every few seconds,
without control codes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from fabgen.card.cuts import CUT_DECAYS, CUT_KEYS
from fabgen.cli.figures import estimate, format_seconds
from fabgen.plain_text import visible
from fabgen.run.progress import Stage

#: Seconds between two lines of a log.
LOG_INTERVAL = 10.0


class TerminalReporter:
    """Progress bars with the time left and the live figures of a stage."""

    def __init__(self, console: Console):
        self._console = console

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Stage]:
        columns = (
            TextColumn("{task.description:<9}"),
            # What the other columns need at their widest is left free.
            BarColumn(bar_width=max(8, min(40, self._console.width - 68))),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            _Figures(),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(name, total=total, figures="")
            pace = _Pace(unit)

            def show(done: int, /, **figures: float | None) -> None:
                pace.update(done)
                text = ", ".join([*describe(figures), *pace.rate()])
                progress.update(task, completed=done, figures=text)

            yield show

    def note(self, text: str) -> None:
        self._console.print(visible(text), highlight=False, markup=False, emoji=False)


class LogReporter:
    """Plain lines: at the start of a stage, every `LOG_INTERVAL` seconds, and at its end."""

    def __init__(self, console: Console, interval: float = LOG_INTERVAL):
        self._console = console
        self._interval = interval

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Stage]:
        start = written = time.monotonic()
        last: tuple[int, Mapping[str, float | None]] = (0, {})
        pace = _Pace(unit)

        def show(done: int, /, **figures: float | None) -> None:
            nonlocal written, last
            last = (done, figures)
            pace.update(done)
            if time.monotonic() - written >= self._interval:
                written = time.monotonic()
                line = [*describe(figures), *pace.rate(), *pace.left(total)]
                self._line(name, done, total, unit, line)

        self.note(f"{name}: {total:,} {unit}")
        yield show
        took = format_seconds(time.monotonic() - start)
        self._line(name, last[0], total, unit, [*describe(last[1]), *pace.rate(), took])

    def _line(self, name: str, done: int, total: int, unit: str, figures: list[str]) -> None:
        self.note(f"{name}: {done:,} of {total:,} {unit}, {', '.join(figures)}")

    def note(self, text: str) -> None:
        # A log has lines of any length: only a terminal would wrap them.
        self._console.print(
            visible(text), highlight=False, markup=False, emoji=False, soft_wrap=True
        )


class _Figures(ProgressColumn):
    """The live figures, at the end of the line, cut where the terminal ends."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["figures"], no_wrap=True, overflow="ellipsis")


class _Pace:
    """How fast a stage is, counted from its first report: before that it compiles."""

    def __init__(self, unit: str):
        self._unit = unit
        self._first: tuple[float, int] | None = None
        self._seconds = 0.0
        self._made = 0
        self._done = 0

    def update(self, done: int) -> None:
        now = time.monotonic()
        first = self._first = self._first or (now, done)
        self._seconds, self._made, self._done = now - first[0], done - first[1], done

    def rate(self) -> list[str]:
        """Events per second; for other units the live figures say more."""
        if self._unit != "events" or self._seconds < 0.1:
            return []
        return [f"{self._made / self._seconds:,.0f} {self._unit}/s"]

    def left(self, total: int) -> list[str]:
        """The time that the rest will take."""
        if self._made <= 0:
            return []
        return [f"{format_seconds(self._seconds * (total - self._done) / self._made)} left"]


_SHORT = {"evaluations": "evals"}


def describe(figures: Mapping[str, float | None]) -> list[str]:
    """Live figures as "name value", those without a value left out."""
    shown = {name: value for name, value in figures.items() if value is not None}
    return [f"{_SHORT.get(name, name)} {_short(value)}" for name, value in shown.items()]


def _short(value: float) -> str:
    if not isinstance(value, int):
        return f"{value:.4g}"
    return f"{value:,}" if value < 10**6 else f"{value / 1e6:.2f}M"


def reporter_for(console: Console) -> TerminalReporter | LogReporter:
    """Bars for a terminal, lines for anything else."""
    return TerminalReporter(console) if console.is_terminal else LogReporter(console)


# --- tables ---------------------------------------------------------------------------------------


def results(report: Mapping[str, Any]) -> Group:
    """The figures of report.json, those of the untrained map beside them."""
    method = report["training"].get("method")
    flat = report["untrained"] if method and report["untrained"] else {}
    unit = {"pb": " pb", "GeV": " GeV", "none": ""}[report["unit"]]
    name = {"pb": "cross section", "GeV": "partial width", "none": "integral"}[report["unit"]]
    processes = report["process"]
    estimates = Table(
        box=box.SIMPLE_HEAD,
        title=Text(visible("; ".join([processes] if isinstance(processes, str) else processes))),
        title_justify="left",
    )
    estimates.add_column(f"{report['evaluation_samples']:,} samples")
    estimates.add_column(_METHODS.get(method, "trained flow"))
    if flat:
        estimates.add_column("untrained map")
    for label, values in {
        name: [estimate(r["integral"], r["integral_error"], unit) for r in (report, flat) if r],
        "sampling efficiency": [f"{r['sampling_efficiency']:.4f}" for r in (report, flat) if r],
        "unweighting efficiency": [
            f"{r['unweighting_efficiency']:.4f}" for r in (report, flat) if r
        ],
        "at the 99.9 % quantile": [
            f"{r['unweighting_efficiency_999']:.4f}" for r in (report, flat) if r
        ],
        "forward KL divergence": [
            _divergence(r["forward_kl"], r["forward_kl_error"]) for r in (report, flat) if r
        ],
        "the same on exact events": [
            _divergence(r["forward_kl_exact"], r["forward_kl_exact_error"])
            for r in (report, flat)
            if "forward_kl_exact" in r
        ],
    }.items():
        if values:
            estimates.add_row(label, *values)

    rows = _conditions(report)
    if report.get("warnings"):
        rows["warning"] = "; ".join(report["warnings"])
    if report.get("notes"):
        rows["note"] = "; ".join(report["notes"])
    rows |= _chosen(report)
    if "vegas_integral" in report["training"]:
        own = report["training"]
        value = "no estimate"
        if own["vegas_integral"] is not None:
            value = estimate(own["vegas_integral"], own["vegas_integral_error"], unit)
        rows["VEGAS+ iterations"] = f"{value}, chi2/dof {own['vegas_chi2_per_dof']:.2f}"
    if report["events"]:
        over = report["overweight"]
        rows["weighted events" if report["weighted"] else "unweighted events"] = (
            f"{report['events']:,}"
        )
        if not report["weighted"]:
            share = 100.0 * over["cross_section_fraction"]
            rows["above maximum weight"] = f"{over['events']:,} ({share:.2g} % of the total)"
    tables = [estimates]
    if report.get("multiplicities"):
        tables.append(_multiplicities(report["multiplicities"], unit))
    if report.get("channels"):
        tables.append(_channels(report["channels"]))
    return Group(*tables, _evaluations(report), _pairs(rows | _times(report)))


def _divergence(value: float | None, error: float | None) -> str:
    """A KL divergence; of equal weights it is rounding of either sign."""
    return "0" if value is not None and abs(value) < 1e-12 else estimate(value, error, "")


def _conditions(report: Mapping[str, Any]) -> dict[str, str]:
    """Beams, cuts and seeds."""
    rows = {}
    if beams := report["beams"]:
        if len(beams["energies"]) == 2:
            energies = " + ".join(f"{energy:.10g}" for energy in beams["energies"])
            rows["beams"] = f"{energies} GeV, sqrt(s) = {beams['sqrt_s']:.10g} GeV"
        else:
            rows["decaying mass"] = f"{beams['sqrt_s']:.10g} GeV"
    cuts = [_cut(name, bound) for name, bound in report["cuts"].items() if name != CUT_DECAYS]
    if cuts and report["cuts"].get(CUT_DECAYS):
        cuts.append("decay products as well")
    if report["bw_cutoff"]:
        cuts.append(f"decayed particles within {report['bw_cutoff']:g} widths")
    if cuts:
        rows["cuts"] = ", ".join(cuts)
    seed, own = report["seed"], report["generation_seed"]
    rows["seed"] = f"{seed}" if own == seed else f"{seed}, of evaluation and events {own}"
    return rows


def _cut(name: str, bound: float) -> str:
    cut = CUT_KEYS[name]
    unit = f" {cut.unit}" if cut.unit else ""
    return f"{cut.quantity} {'<' if cut.is_maximum else '>'} {bound:g}{unit}"


def _multiplicities(rows: Sequence[Mapping[str, Any]], unit: str) -> Table:
    """The parts of a run: a row for each number of final particles."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("final particles", f"integral{unit and f' ({unit.strip()})'}", "sampling eff."):
        table.add_column(name, justify="right")
    table.add_column("unweighting eff.", justify="right")
    for row in rows:
        table.add_row(
            str(row["final_particles"]),
            estimate(row["integral"], row["integral_error"], ""),
            f"{row['sampling_efficiency']:.4f}",
            f"{row['unweighting_efficiency']:.4f}",
        )
    return table


def _channels(channels: Sequence[Mapping[str, Any]]) -> Table:
    """The channels with the largest parts of the integral; numbers as in `fabgen show`."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("channel", "% of total", "% of points", "sampling eff.", "unweighting eff."):
        table.add_column(name, justify="left" if name == "channel" else "right")
    total = sum(channel["integral"] for channel in channels)
    largest = sorted(range(len(channels)), key=lambda i: -channels[i]["integral"])
    for i in largest[:_MOST_CHANNELS]:
        channel = channels[i]
        table.add_row(
            str(i + 1),
            f"{100.0 * channel['integral'] / total:.2f}",
            f"{100.0 * channel['share']:.2f}",
            f"{channel['sampling_efficiency']:.4f}",
            f"{channel['unweighting_efficiency']:.4f}",
        )
    if len(largest) > _MOST_CHANNELS:
        rest = sum(channels[i]["integral"] for i in largest[_MOST_CHANNELS:])
        others = f"{len(largest) - _MOST_CHANNELS} more"
        table.add_row(others, f"{100.0 * rest / total:.2f}", "", "", "")
    return table


#: Rows of the table of channels.
_MOST_CHANNELS = 12
_METHODS = {None: "flat sampling", "vegas": "VEGAS+", "vegas-grid": "VEGAS grid"}


def training_results(figures: Mapping[str, Any]) -> Table:
    """The table that `fabgen train` ends with."""
    rows = {
        "method": figures.get("method", "none: flat sampling"),
        "steps": f"{figures.get('steps', 0):,}",
        "target evaluations": f"{figures['target_evaluations']:,}",
        "with gradient": f"{figures['gradient_evaluations']:,}",
    }
    rows |= _chosen(figures)
    for key in ("skipped", "clipped"):
        if key in figures:
            rows[f"gradients {key}"] = f"{figures[key]:,}"
    if "sample" in figures:
        told = figures["sample"]
        rows["sample"] = f"{told['used']:,} of {told['events']:,} events of {told['source']}"
    if "validation_loss" in figures:
        epoch = figures["validation_epoch"]
        rows["validation loss"] = f"{figures['validation_loss']:.4f}, after {epoch:,} epochs"
    return _pairs(rows | _times(figures))


def _chosen(figures: Mapping[str, Any]) -> dict[str, str]:
    """What a run has chosen, for each of its parts, and why."""
    rows = {}
    for own in (figures, *figures.get("multiplicities", ())):
        if "auto" in own:
            n = own.get("final_particles")
            rows["chosen" if n is None else f"chosen, {n} particles"] = own["auto"]["why"]
    return rows


def _evaluations(report: Mapping[str, Any]) -> Table:
    """Evaluations of f by stage."""
    calls, gradients = report["target_evaluations"], report["gradient_evaluations"]
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for stage in calls:
        table.add_column(stage, justify="right")
    table.add_row("target evaluations", *(f"{n:,}" for n in calls.values()))
    table.add_row("of them with gradient", *(f"{n:,}" for n in gradients.values()))
    return table


def _times(report: Mapping[str, Any]) -> dict[str, str]:
    seconds = dict(report["timing_s"])
    total = seconds.pop("total")
    shown = {name: format_seconds(s) for name, s in seconds.items() if s >= 0.05}
    return {
        "time": format_seconds(total),
        "of it": ", ".join(f"{name} {text}" for name, text in shown.items()),
    }


def _pairs(rows: Mapping[str, str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for label, value in rows.items():
        # Names of files may hold brackets, which are markup.
        table.add_row(label, Text(visible(value)))
    return table
