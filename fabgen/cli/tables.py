"""Tables of results of the command line, on stdout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from fabgen.card.cuts import CUT_DECAYS, CUT_KEYS, CUT_OPTIONS, PDG_CUT_KEYS, CutValue
from fabgen.cli.figures import estimate, format_seconds
from fabgen.plain_text import visible


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
            if densities := beams.get("densities"):
                rows["densities"] = f"{densities['set']}, member {densities['member']}"
                rows["alpha_s"] = densities["alpha_s"]
        else:
            rows["decaying mass"] = f"{beams['sqrt_s']:.10g} GeV"
    cuts = list(_cuts(report["cuts"]))
    if cuts and report["cuts"].get(CUT_DECAYS):
        cuts.append("decay products as well")
    if report["bw_cutoff"]:
        cuts.append(f"decayed particles within {report['bw_cutoff']:g} widths")
    if cuts:
        rows["cuts"] = ", ".join(cuts)
    seed, own = report["seed"], report["generation_seed"]
    rows["seed"] = f"{seed}" if own == seed else f"{seed}, of evaluation and events {own}"
    return rows


def _cuts(cuts: Mapping[str, CutValue]) -> Iterator[str]:
    """Every cut in words."""
    for name, value in cuts.items():
        if name in CUT_OPTIONS:
            if name != CUT_DECAYS:
                yield f"{name} = {str(value).lower() if isinstance(value, bool) else f'{value:g}'}"
            continue
        cut = (CUT_KEYS | PDG_CUT_KEYS)[name]
        sign, unit = "<" if cut.is_maximum else ">", f" {cut.unit}" if cut.unit else ""
        other = cuts.get(cut.partner) if cut.partner else None
        low, high = (other, value) if cut.is_maximum else (value, other)
        if isinstance(value, Mapping):
            for pdg, bound in value.items():
                yield f"{cut.quantity} ({pdg}) {sign} {bound:g}{unit}"
        elif isinstance(low, float) and isinstance(high, float) and low > high:
            if not cut.is_maximum:
                yield f"{cut.quantity} outside of {high:g} to {low:g}{unit}"
        else:
            yield f"{cut.quantity} {sign} {value:g}{unit}"


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
