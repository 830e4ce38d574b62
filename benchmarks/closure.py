"""One cross section from every map and every training; spectra of events against flat sampling.

    python benchmarks/closure.py [mumu ww ...] [--samples 400000] [--steps 300] [--report]
    python benchmarks/closure.py --spectra [mumu tops wwz] [--events 100000] [--report]

Cross sections: each process is integrated with flat sampling of RAMBO, with one channel and with
all of them, with VEGAS grids and with short trainings of every method, each with fresh samples. The
estimates are independent: their pulls are taken to their weighted mean, or to a reference made with
other programs where there is one, and the chi-square of all of them is printed.

Spectra: masses, transverse momenta and rapidities of unweighted events of a trained flow, read from
their LHE file, against weighted events of flat sampling: a chi-square for each. Every run stays in
--out and is used again. With --report both tables of all runs go to benchmarks/results/closure.md,
and the runs to closure.jsonl beside it: they are used again from there, too.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import jax
import numpy as np
from jax.scipy.stats import chi2, norm
from records import Record, known_records, write_records

from fabgen import __version__, run
from fabgen.build import build_integrand
from fabgen.card import Card, card_of_process
from fabgen.errors import FabgenError
from fabgen.events.reader import read_lhe
from fabgen.files import write_atomic
from fabgen.plot.histogram import chi_squared, sensible_range, spectrum
from fabgen.plot.observables import observables

RESULTS = Path(__file__).parent / "results"
KEPT = RESULTS / "closure.jsonl"


def _beams(energy: float) -> str:
    return f"beams.energy=[{energy}, {energy}]"


_TOPS = "e+ e- > t t~, t > w+ b, t~ > w- b~"
#: Process, settings, and cross section with its error from other programs (tests/data).
PROCESSES: Mapping[str, tuple[str, tuple[str, ...], tuple[float, float] | None]] = {
    "mumu": (
        "e+ e- > mu+ mu-",
        (_beams(500.0), "cuts={ptl = 10.0, etal = 2.5, drll = 0.4}"),
        (0.104262, 5e-6),
    ),
    "ww": ("e+ e- > w+ w-", (_beams(250.0),), (7.19602, 5e-4)),
    "zh": ("e+ e- > z h", (_beams(250.0),), (0.0572069, 2e-6)),
    "wwz": ("e+ e- > w+ w- z", (_beams(400.0),), None),
    "mumua": (
        "e+ e- > mu+ mu- a",
        (_beams(500.0), "cuts={pta = 10.0, etaa = 2.5, dral = 0.4, mmll = 10.0}"),
        None,
    ),
    "bbh": ("e+ e- > b b~ h", (_beams(250.0),), None),
    "ggg": ("u u~ > g g g", (_beams(500.0), "cuts={ptj = 20.0, etaj = 2.5, drjj = 0.4}"), None),
    "www": ("u d~ > w+ w+ w-", (_beams(500.0),), None),
    "tops": (_TOPS, (_beams(500.0),), (0.159895, 2.5e-5)),
    "mumubb": (
        "e+ e- > mu+ mu- b b~",
        (_beams(250.0), "cuts={mmll = 10.0, mmbb = 10.0}"),
        None,
    ),
    "wbwb": ("e+ e- > w+ b w- b~", (_beams(500.0),), None),
    "eemumu": (
        "e+ e- > e+ e- mu+ mu-",
        (_beams(250.0), "cuts={ptl = 10.0, etal = 2.5, mmll = 10.0}"),
        None,
    ),
}
_ONE, _ALL = "channels.use=one", "channels.use=all"
_FLOW = "surrogate={layers = 4, bins = 8, hidden = [32, 32]}"
_RAMBO, _UNIFORM = "phase_space.mapping=rambo", "surrogate.kind=uniform"
#: Settings of each way to integrate.
WAYS: Mapping[str, tuple[str, ...]] = {
    "RAMBO": (_RAMBO, _UNIFORM),
    "one channel": (_ONE, _UNIFORM),
    "channels": (_ALL, _UNIFORM),
    "VEGAS+": (_ONE, "surrogate.kind=vegas"),
    "VEGAS channels": (_ALL, "surrogate.kind=vegas"),
    "variance": (_ALL, _FLOW, "training.method=variance"),
    "kl": (_ALL, _FLOW, "training.method=kl"),
    "rkld": (_ONE, _FLOW, "training.method=rkld"),
    "fab": (_ONE, _FLOW, "training.method=fab"),
    "fab-nobuffer": (_ONE, _FLOW, "training.method=fab-nobuffer"),
    "fkld": (_ONE, _FLOW, "training.method=fkld"),
}
#: Four fermions that no single channel covers: there every flow has all of them. (The error that
#: one on a single channel states is not to be trusted: mu+ mu- b b~ by rkld has a sampling
#: efficiency of 10^-4, and 44 +- 7 % of the cross section.)
SEVERAL = ("mumubb", "wbwb", "eemumu")
#: Steps of the methods that take several evaluations for a point, relative to the others.
_DEAR = {"fab": 0.3, "fab-nobuffer": 0.3}
#: The flat sampling that spectra are compared with. RAMBO's weights of w+ w- z have a tail that
#: spoils the errors of a histogram (the largest is 658 times the mean).
SPECTRA = {"mumu": "RAMBO", "tops": "one channel", "wwz": "channels"}
#: Bins of a spectrum, and the most spectra of one process.
BINS, MOST = 40, 20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("processes", nargs="*", metavar="process", help=" ".join(PROCESSES))
    parser.add_argument("--samples", type=int, default=400_000, help="of every estimate")
    parser.add_argument("--steps", type=int, default=300, help="of every training")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--spectra", action="store_true", help="spectra instead of cross sections")
    parser.add_argument("--events", type=int, default=100_000, help="of the spectra")
    parser.add_argument("--out", type=Path, default=Path("runs/closure"))
    parser.add_argument("--report", action="store_true", help="both tables, for the record")
    options = parser.parse_args()
    unknown = set(options.processes) - set(PROCESSES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PROCESSES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.processes or (SPECTRA if options.spectra else PROCESSES):
        if options.spectra:
            asked = {"events": options.events, "steps": options.steps}
            make = functools.partial(spectra, name, options)
            once(f"spectra-{name}", asked, make, options.out)
            print(spectra_table(known_records(options.out, KEPT), [name]), flush=True)
        else:
            for way in options.ways:
                asked = {"samples": options.samples, "steps": options.steps}
                make = functools.partial(estimate, name, way, options)
                once(f"{name}-{way.replace(' ', '_')}", asked, make, options.out)
            print(estimates_table(Estimates(known_records(options.out, KEPT), name)), flush=True)
    if options.report:
        write_records(KEPT, known_records(options.out, KEPT))
        write_atomic(RESULTS / "closure.md", document(options))


def once(name: str, asked: Record, make: Callable[[], Record], out: Path) -> None:
    """Makes the record of a run, unless one is there that was asked for alike."""
    if asked.items() <= known_records(out, KEPT).get(name, {}).items():
        return
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    found = {**asked, **make(), "date": today, "jax": jax.__version__, "cores": os.cpu_count()}
    write_atomic(out / f"{name}.json", json.dumps(found, indent=1) + "\n")


def _card(name: str, *settings: str) -> Card:
    process, own, _ = PROCESSES[name]
    return card_of_process(process, [*own, *settings])


def estimate(name: str, way: str, options: argparse.Namespace) -> Record:
    """Integral, error and efficiency of one process in one way."""
    steps = round(options.steps * _DEAR.get(way, 1.0))
    sizes = (
        f"evaluation.samples={options.samples}",
        f"training.seed={1 + list(WAYS).index(way)}",
        f"training.steps={0 if way == 'fkld' else steps}",
        "training.fkld={events = 20000, epochs = 5}",
    )
    several = (_ALL,) if name in SEVERAL and _FLOW in WAYS[way] else ()
    card = _card(name, *WAYS[way], *several, *sizes)
    how = run.RunOptions(compilation_cache=options.out / "compiled", restart=True)
    try:
        report = run.integrate(card, options.out / "runs" / f"{name}-{way}", how)
    except FabgenError as error:
        return {"name": name, "way": way, "failed": str(error)}
    keys = ("integral", "integral_error", "sampling_efficiency", "unit")
    return {"name": name, "way": way} | {key: report[key] for key in keys}


class Estimates:
    """What is known of one process: records of all ways, their weighted mean and chi-square."""

    def __init__(self, records: Mapping[str, Record], name: str):
        runs = (f"{name}-{way.replace(' ', '_')}" for way in WAYS)
        self.name = name
        self.records = [records[run] for run in runs if run in records]
        good = [r for r in self.records if "failed" not in r and r["integral_error"] is not None]
        values, errors = (np.array([r[k] for r in good]) for k in ("integral", "integral_error"))
        self.mean = float(np.average(values, weights=errors**-2.0)) if good else math.nan
        self.error = float(np.sum(errors**-2.0) ** -0.5) if good else math.inf
        self.chi_squared = float(np.sum(((values - self.mean) / errors) ** 2))
        self.unit = good[0]["unit"] if good else ""
        # The mean contains the estimate: the error of their difference is smaller by that.
        left = np.sqrt(np.maximum(errors**2 - self.error**2, 1e-300))
        self.pulls = dict(zip((r["way"] for r in good), (values - self.mean) / left, strict=True))


def estimates_table(estimates: Estimates) -> str:
    """One process: every estimate with its pull, and the chi-square of all of them."""
    process, settings, reference = PROCESSES[estimates.name]
    n, mean, error = len(estimates.pulls), estimates.mean, estimates.error
    p = chi2.sf(estimates.chi_squared, max(n - 1, 1))
    summary = (
        f"{', '.join(settings)}. Mean {mean:.6g} ± {error:.2g} {estimates.unit}; chi-square"
        f" {estimates.chi_squared:.1f} of {n} estimates, p = {p:.2f}"
    )
    if reference is not None:
        pull = (mean - reference[0]) / math.hypot(error, reference[1])
        summary += f"; other programs {reference[0]} ± {reference[1]:g}, pull {pull:+.2f}"
    head = "| way | integral | error (%) | pull | sampling eff. (%) |"
    lines = [f"### `{process}`", "", summary, "", head, "|---|---|---|---|---|"]
    for r in estimates.records:
        if "failed" in r:
            lines.append(f"| {r['way']} | {r['failed'].splitlines()[0]} | | | |")
            continue
        if r["integral_error"] is None:
            lines.append(f"| {r['way']} | {r['integral']:.6g}, no error can be told | | | |")
            continue
        relative = 100 * r["integral_error"] / r["integral"]
        lines.append(
            f"| {r['way']} | {r['integral']:.6g} ± {r['integral_error']:.2g} | {relative:.3f} |"
            f" {estimates.pulls[r['way']]:+.2f} | {100 * r['sampling_efficiency']:.2f} |"
        )
    return "\n".join([*lines, ""])


def spectra(name: str, options: argparse.Namespace) -> Record:
    """Chi-squares of unweighted events of a flow against weighted ones of flat sampling."""
    how = run.RunOptions(compilation_cache=options.out / "compiled", restart=True)
    ways = {
        "flow": (*WAYS["variance"], f"training.steps={options.steps}"),
        "flat": (*WAYS[SPECTRA.get(name, "RAMBO")], "training.seed=2"),
    }
    files = {}
    for way, settings in ways.items():
        n = options.events * (10 if way == "flat" else 1)
        card = _card(name, *settings, f"generation.events={n}", "generation.max_overweight=0.0")
        directory = options.out / "runs" / f"spectra-{name}-{way}"
        run.generate(card, directory, how, weighted=way == "flat")
        files[way] = read_lhe(directory / "events.lhe.gz")
    topologies = build_integrand(_card(name, *ways["flat"])).topologies
    found = []
    for observable in observables(topologies):
        samples = [(observable.values(file.momenta), file.weight) for file in files.values()]
        ends = sensible_range(samples)
        if ends is None or len(found) == MOST:
            continue
        edges = np.linspace(*ends, BINS + 1)
        spectra = [spectrum(x, w / w.mean(), edges) for x, w in samples]
        square = chi_squared(*spectra)
        found.append({"observable": observable.file, "chi2": square.value, "bins": square.bins})
    return {"name": name, "events": options.events, "spectra": found}


def spectra_table(records: Mapping[str, Record], names: Sequence[str]) -> str:
    """One line per process and spectrum."""
    lines = []
    for name in names:
        record = records.get(f"spectra-{name}")
        if record is None:
            continue
        p = [chi2.sf(s["chi2"], s["bins"]) for s in record["spectra"]]
        lines += [
            f"### `{PROCESSES[name][0]}`",
            "",
            f"{record['events']:,} unweighted events, {len(p)} spectra; the smallest p-value is"
            f" {min(p):.3f}; among {len(p)} independent ones it would be below that with"
            f" probability {1.0 - (1.0 - min(p)) ** len(p):.2f}.",
            "",
            "| spectrum | chi-square | bins | p |",
            "|---|---|---|---|",
            *(
                f"| {s['observable']} | {s['chi2']:.1f} | {s['bins']} | {value:.3f} |"
                for s, value in zip(record["spectra"], p, strict=True)
            ),
            "",
        ]
    return "\n".join(lines)


def document(options: argparse.Namespace) -> str:
    """Both tables and what they depend on."""
    records = known_records(options.out, KEPT)
    found = [e for e in (Estimates(records, name) for name in PROCESSES) if e.pulls]
    pulls = np.array([pull for e in found for pull in e.pulls.values()])
    largest = norm.isf(0.25 / max(len(pulls), 1))  # of as many, larger in every other case
    command = f"python benchmarks/closure.py --samples {options.samples} --steps {options.steps}"
    made = spectra_table(records, list(PROCESSES))
    dates = sorted({r["date"] for r in records.values()})
    return "\n".join([
        "# Closure",
        "",
        f"`{command} --report`, then with `--spectra`; fabgen {__version__}, jax {jax.__version__},"
        f" {os.cpu_count()} cores, {dates[0]} to {dates[-1]}. Ways that are not in a table were not"
        " run. Variance, kl and the grids of VEGAS channels have all channels, other trainings one,"
        f" but for {', '.join(SEVERAL)}, which one does not cover.",
        "",
        "## Cross sections",
        "",
        f"{len(pulls)} pulls: mean {np.mean(pulls):+.2f}, standard deviation {np.std(pulls):.2f},"
        f" largest {np.max(np.abs(pulls)):.2f} (about {largest:.1f} is expected).",
        "",
        *map(estimates_table, found),
        *(["## Spectra", "", made] if made else []),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
