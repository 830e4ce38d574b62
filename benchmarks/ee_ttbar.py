"""Efficiencies against target evaluations for every training method on the demo process.

    python benchmarks/ee_ttbar.py [--steps 50 100 200 400] [--seeds 1] [--bw-cutoff 15]

e+ e- > t t~, t > w+ b, t~ > w- b~ with mapping = "channels". Each row is a training of its own from
scratch, evaluated with 10^5 fresh samples. A step of rkld is one batch; its numbers of steps are
chosen for about as many target evaluations as fab needs. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import jax

from fabgen.build import build_integrand
from fabgen.card import load_card
from fabgen.sampling.integrate import integrate
from fabgen.sampling.sampler import weighted_sampler
from fabgen.sampling.values import CompiledIntegrand
from fabgen.surrogate import build_surrogate
from fabgen.surrogate.vegas.adapt import train_vegas
from fabgen.training.loop import train

CARD = Path(__file__).parent.parent / "cards" / "ee_ttbar.toml"
SAMPLES = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[50, 100, 200, 400])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--bw-cutoff", default="15.0")
    options = parser.parse_args()
    card = load_card(CARD, ["training.method=fab", f"phase_space.bw_cutoff={options.bw_cutoff}"])
    integrand = build_integrand(card)
    flow, values = (
        build_surrogate(integrand.dim, card.surrogate),
        CompiledIntegrand(integrand).values,
    )

    print("| method | steps | seed | target evaluations | sampling eff. | unweighting eff. | pb |")
    print("|---|---|---|---|---|---|---|", flush=True)

    def row(method, steps, seed, calls, surrogate, params) -> None:
        sampler = weighted_sampler(values, surrogate, params)
        m = integrate(sampler, SAMPLES, jax.random.key(1000 + seed)).metrics
        print(
            f"| {method} | {steps} | {seed} | {calls:,} | {m.sampling_efficiency:.4f} "
            f"| {m.unweighting_efficiency:.4f} | {m.integral:.6f} +- {m.integral_error:.6f} |",
            flush=True,
        )

    uniform = build_surrogate(integrand.dim, dataclasses.replace(card.surrogate, kind="uniform"))
    row("none", 0, 0, 0, uniform, ())
    per_pass = 1 + card.training.fab.intermediate * card.training.fab.leapfrog_steps
    for seed in options.seeds:
        grid, params, result = train_vegas(
            integrand.log_density, integrand.dim, card.surrogate.vegas, seed
        )
        row("vegas", card.surrogate.vegas.iterations, seed, result.evaluations, grid, params)
        for method in ("fab", "fab-nobuffer", "rkld"):
            for steps in options.steps:
                n = steps * per_pass if method == "rkld" else steps
                settings = dataclasses.replace(
                    card.training, method=method, steps=n, seed=seed, checkpoint_every=n
                )
                trained = train(integrand, flow, settings)
                calls = trained.counters["target_evaluations"]
                row(method, n, seed, calls, flow, trained.params)


if __name__ == "__main__":
    main()
