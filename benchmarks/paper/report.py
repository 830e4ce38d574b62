"""Assembles the finished runs of a folder: Markdown, CSV, pictures. No table is made by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from records import known_records

from fabgen.files import write_atomic
from fabgen.plot.style import encode, style
from paper import figures
from paper.along import along_table
from paper.published import ALL_METHODS, INTEGRALS, PUBLISHED, USUAL
from paper.runs import KEPT, stored_arrays
from paper.seeds import equal_seeds
from paper.table import Group, Record, further_runs, group_of, single_runs, table

_LABELS = {
    2: (r"$m^2(K^-\pi^+)$ [GeV$^2$]", r"$m^2(pK^-)$ [GeV$^2$]"),
    8: tuple(f"$u_{{{i}}}$" for i in range(1, 9)),
}
_PROCESS = {
    2: "Lambda_c+ > p K- pi+ (2D)",
    8: "e+ e- > t t~, t > w+ b, t~ > w- b~ (8D)",
}

#: Points of an evaluation along a training.
_ALONG = {2: "10^4", 8: "10^5"}

HEADER = """\
# The FAB paper's comparison

A. Kofler et al., Flow Annealed Importance Sampling Bootstrap meets Differentiable Particle Physics,
MLST 6 (2025) 025061, Tables 1 and 2 and Figures 1, 3, 4, 5, beside fabgen at equal numbers of
target evaluations. Written by `python benchmarks/fab_paper.py --report` from finished runs; all of
them are in [fab_paper.csv](fab_paper.csv) and, whole, in fab_paper.jsonl.

Every entry is the median [smallest, largest] over the seeds of its table: those that all of its
methods have; other runs are listed below it. Each training is evaluated in its final state (fkld:
the best in validation) with fresh samples of its own (the paper: 10^4 in 2D, 10^6 in 8D).
E_p[log(p/q)] is the paper's, with its unnormalized p: KL(p, q) + log of the exact integral, {two}
in 2D and {eight} in 8D. Integrals are in the paper's normalization (8D: no flux, no (2 pi)^-8), the
error of a single run in parentheses. eps_uw is mean/max of the weights, and mean/(99.9 % quantile).
Target evaluations count everything the training took: HMC, buffer filling, the warm-up of VEGAS+,
drawing and reading own events.

What differs from the paper:

- The number of steps is what the budget pays for; the warm-up of the learning rate is at most a
  tenth of it.
- VEGAS+: the warm-up of the paper, then 8 iterations that share the rest of the budget (settings =
  fabgen: no warm-up, 10 iterations); its grid is evaluated like any other surrogate.
- fkld learns from as many own unweighted events as the budget pays for, drawn on the untrained map
  that follows the resonances (2D: the square Dalitz plot), in as many gradient steps as rkld takes;
  the paper takes 10^4 (2D) and 10^6 events (8D) of other programs that count nothing.
- settings = paper: the presets `fab-paper-2d` and `fab-paper-8d`; 8D with a network for a CPU, 10
  layers, 14 bins, 2 x 128 hidden (the paper: 14, 14, 2 x 400).
- FAB with more updates: as many gradient steps as rKLD takes for the same evaluations, out of the
  buffer: 7 after each annealing, not the preset's 2 (8D). The paper has no such row.
- settings = fabgen: the defaults of a card with the few changes in `benchmarks/paper/settings.py`;
  in 8D 4 % of the points of a flow are drawn from the untrained map instead (evaluation.floor).
- mapping = rambo is the paper's map of the 8D process; channels has Breit-Wigner maps of both tops.
  Both without a cut on the tops' masses (bw_cutoff = inf).

Is FAB with buffer ahead of rKLD and of FAB without buffer at the same number of target evaluations,
as the paper finds? In 2D it is, once the training has had a few 10^5 evaluations: see the table of
the divergence along the trainings below. Before that rKLD is ahead, since a step of FAB costs seven
evaluations and learns from hardly more points than one of rKLD; FAB without buffer overtakes rKLD
only at the end. While the divergence still falls steeply it is the number of steps that counts;
where it flattens out, what the steps learn from. In 8D on RAMBO FAB with buffer is far ahead of FAB
without at both budgets, but rKLD is ahead of both, and its divergence falls as steeply at 10^7
evaluations as it does in 2D before FAB overtakes it: these budgets, 10^-4 of the paper's, end
before that point. It is not only the number of gradient steps: with as many as rKLD takes out of
the buffer ("more updates") FAB comes closer, and stays behind. (Of 10^6 points single weights
decide at these efficiencies. One of them, 830,000 times the mean, makes the KL of the third
training of rKLD at 10^7 11.2 and spoils all its figures; of 10^5 other points of the same state,
the last of its curve in fab_paper.jsonl, KL is 0.79. Such a weight says that q leaves out a part of
the target, not how large a part.) Where the map knows the resonances (channels), all methods are
beyond that phase at 3 x 10^6 evaluations, and rKLD stays ahead there with fabgen's settings, as in
2D: its gradient, along the path of the points, loses its noise as q comes close to p
(`training.path_gradient`), which the paper's does not. Without it rKLD ends at a KL of 0.0019 in 2D
(one seed of the first table below, 0.0004 with it), behind FAB with buffer.
"""


def write_report(out: Path, target: Path) -> Path:
    """Writes fab_paper.md, .csv and the pictures into `target`; returns the Markdown file.

    Pictures of histograms that are not in `out` any more stay as they are in `target`.
    """
    results = known_records(out, KEPT)
    records = [results[name] for name in sorted(results)]
    groups: dict[Group, list[Record]] = defaultdict(list)
    for record in records:
        groups[group_of(record)].append(record)
    target.mkdir(parents=True, exist_ok=True)
    parts = [HEADER.format(two=INTEGRALS[2], eight=INTEGRALS[8])]
    for group in sorted(groups):
        parts.append(section_of(group, groups[group]))
        if group[2] == "paper" and _is_largest(group, groups):
            parts += rows_along(group[0], groups[group])
        with style():
            for name, caption, figure in _pictures(group, groups, out):
                if figure is not None:
                    write_atomic(target / f"{name}.png", encode(figure, "png"))
                if (target / f"{name}.png").exists():
                    parts.append(f"![{caption}]({name}.png)\n")
    file = target / "fab_paper.md"
    write_atomic(target / "fab_paper.csv", single_runs(records))
    write_atomic(file, "\n".join(parts))
    return file


def section_of(group: Group, records: Sequence[Record]) -> str:
    dim, mapping, settings, budget = group
    chosen, further = equal_seeds(records)
    command = [f"python benchmarks/fab_paper.py --dim {dim}"]
    command += [f"--mapping {mapping}"] if dim == 8 else []
    present = {r["experiment"]["method"] for r in chosen or records}
    methods = [m for m in ALL_METHODS if m in present]
    seeds = sorted({r["experiment"]["seed"] for r in chosen or records})
    samples = sorted({r["experiment"]["samples"] for r in records})
    command += [f"--settings {settings} --budget {budget} --seeds {max(seeds)}"]
    usual = USUAL[settings]
    command += [f"--methods {' '.join(methods)}"] if set(methods) != set(usual) else []
    command += [f"--samples {samples[0]}"] if samples != [1_000_000] else []
    lines = [
        f"## {_PROCESS[dim]}, mapping {mapping}, settings {settings}, budget {budget:,}\n",
        f"    {' '.join(command)}\n",
        f"Seeds {', '.join(map(str, seeds))}; {_list(f'{n:,}' for n in samples)} samples; "
        f"{_list(_versions(r) for r in records)}; {_list(r['device'] for r in records)}; "
        f"{_list(r['date'] for r in records)}.\n",
        "fabgen: median [smallest, largest] over the seeds; paper: mean ± standard deviation of "
        "three.\n",
        *([table(chosen)] if chosen else []),
        *([further_runs(further)] if further else []),
        *(
            f"{r['experiment']['method']}, seed {r['experiment']['seed']}, failed: {r['failed']}\n"
            for r in records
            if "failed" in r
        ),
    ]
    return "\n".join(lines)


def rows_along(dim: int, records: Sequence[Record]) -> list[str]:
    """Divergences along the trainings of a table; nothing where none was looked at on its way."""
    chosen, _ = equal_seeds(records)
    found = along_table(chosen)
    heading = f"KL(p, q) along the trainings, medians from {_ALONG[dim]} points each:\n"
    return [heading, found] if found else []


def _list(values) -> str:
    return ", ".join(sorted(set(values)))


def _versions(record: Record) -> str:
    return " ".join(f"{name} {version}" for name, version in record["versions"].items())


def _pictures(group: Group, groups: Mapping[Group, Sequence[Record]], out: Path):
    """Names, captions and figures of a table; the curves once, with its largest budget."""
    dim, mapping, settings, _ = group
    stem = "-".join(str(part) for part in ("fab_paper", f"{dim}d", mapping, settings))
    alike = [g for g in groups if g[:3] == group[:3]]
    if not _is_largest(group, groups):
        return
    everything = [r for g in alike for r in groups[g] if "failed" not in r]
    records = [r for r in groups[group] if "failed" not in r]
    if not records:
        return
    yield (
        f"{stem}-training",
        "efficiency and divergence against target evaluations",
        figures.efficiency_curves(everything, PUBLISHED[dim]),
    )
    ordered = sorted(records, key=_efficiency)
    kept = [(r["experiment"]["method"], a) for r in ordered if (a := stored_arrays(r, out))]
    # The best run of each method, and the best of all, whose histograms are there.
    own = dict(kept)
    best = {method: own[method] for method in ALL_METHODS if method in own}
    reference = kept[-1][1] if kept else {}
    figure: Figure | None
    if dim == 2:
        figure = figures.dalitz_planes(best) if best else None
        yield f"{stem}-dalitz", "target, surrogates and their ratio in the Dalitz plane", figure
    figure = figures.marginals(best, reference, _LABELS[dim]) if best else None
    caption = "marginal densities of the best surrogates in units of the target's"
    yield f"{stem}-marginals", caption, figure


def _is_largest(group: Group, groups: Mapping[Group, Sequence[Record]]) -> bool:
    """Whether no group that is otherwise the same has a larger budget."""
    return group[3] == max(g[3] for g in groups if g[:3] == group[:3])


def _efficiency(record: Record) -> float:
    return record["metrics"]["sampling_efficiency"]
