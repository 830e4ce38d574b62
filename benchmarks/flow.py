"""Speed of the spline flow against distrax's masked coupling of the same size.

    python benchmarks/flow.py [--dim 8] [--layers 6] [--batch 1024] [--repeats 30] [--skip-distrax]

Prints milliseconds per call (median, and the fastest in parentheses: on a shared machine the median
contains the neighbours) and seconds to compile. All programs take turns, so that a slow minute
hits all of them. "log q" is u -> z, the direction of training and HMC; "sample" is z -> u.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import distrax
import jax
import jax.numpy as jnp
import numpy as np

import fabgen  # noqa: F401  (64-bit numbers)
from fabgen.surrogate import Flow
from fabgen.surrogate.flow.conditioner import apply_conditioner
from fabgen.surrogate.flow.spline import MIN_SLOPE, min_bin


def masked_coupling(flow: Flow, params) -> distrax.Bijector:
    """u -> z of the same flow out of distrax's parts, with the same parameters."""
    n = 3 * flow.bins + 1

    def layer(split, linears):
        mask = np.ones(flow.dim, bool)
        mask[list(split.transformed)] = False

        def conditioner(x):
            kept = jnp.take(x, jnp.array(split.conditioning), axis=-1)
            raw = apply_conditioner(linears, kept.T).reshape(n, len(split.transformed), -1)
            # distrax transforms all dimensions and throws the masked ones away
            everything = jnp.zeros((x.shape[0], flow.dim, n), raw.dtype)
            return everything.at[:, jnp.array(split.transformed)].set(raw.transpose(2, 1, 0))

        def spline(raw):
            return distrax.RationalQuadraticSpline(
                raw, 0.0, 1.0, min_bin_size=min_bin(flow.bins), min_knot_slope=MIN_SLOPE
            )

        return distrax.MaskedCoupling(jnp.asarray(mask), conditioner, spline)

    layers = [layer(*pair) for pair in zip(flow.splits, params, strict=True)]
    return distrax.Chain(layers[::-1])  # the last one of a chain acts first


def programs(flow: Flow, u: jax.Array, with_distrax: bool):
    """(name, operation, compiled program, arguments, seconds to compile) of one precision."""
    params = flow.init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    params = jax.tree.unflatten(
        tree,
        [
            a + 0.05 * jax.random.normal(k, a.shape, a.dtype)
            for a, k in zip(leaves, keys, strict=True)
        ],
    )

    def distrax_log_prob(p, u):
        return masked_coupling(flow, p).forward_log_det_jacobian(u)

    sides: dict[str, Any] = {"fabgen": (flow.log_prob, flow.from_base)}
    if with_distrax:
        sides["distrax"] = (
            distrax_log_prob,
            lambda p, z: masked_coupling(flow, p).inverse_and_log_det(z),
        )
    for name, (log_prob, sample) in sides.items():

        def total(p, u, log_prob=log_prob):
            return log_prob(p, u).sum()

        for operation, f in {
            "log q": log_prob,
            "sample": sample,
            "log q, gradient in u": jax.value_and_grad(total, 1),
            "log q, gradient in parameters": jax.value_and_grad(total, 0),
        }.items():
            lowered = jax.jit(f).lower(params, u)
            start = time.perf_counter()
            compiled = lowered.compile()
            seconds = time.perf_counter() - start
            sys.stderr.write(".")
            sys.stderr.flush()
            yield name, operation, compiled, (params, u), seconds


def measure(rows, repeats: int) -> np.ndarray:
    """Seconds of each call, (rows, repeats), all rows in turn."""
    times = np.empty((len(rows), repeats))
    for _, _, f, args, _ in rows:
        jax.block_until_ready(f(*args))
    for i in range(repeats):
        for j, (_, _, f, args, _) in enumerate(rows):
            start = time.perf_counter()
            jax.block_until_ready(f(*args))
            times[j, i] = time.perf_counter() - start
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of the spline flow against distrax.")
    parser.add_argument("--dim", type=int, default=8)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--skip-distrax", action="store_true")
    args = parser.parse_args()
    u = jax.random.uniform(jax.random.key(2), (args.batch, args.dim), jnp.float64)
    rows, labels = [], []
    for precision in ("float32", "float64"):
        flow = Flow(args.dim, layers=args.layers, precision=precision)
        for row in programs(flow, u, not args.skip_distrax):
            rows.append(row)
            labels.append(precision)
    times = 1e3 * measure(rows, args.repeats)
    out = sys.stdout.write
    out(f"\n{args.dim}D, {args.layers} layers, batch {args.batch}, {jax.devices()[0].platform}\n")
    out(f"{'network':8}  {'code':8}  {'operation':30}  {'ms (fastest)':>18}  {'compile s':>9}\n")
    for label, (name, operation, *_, seconds), t in zip(labels, rows, times, strict=True):
        cell = f"{np.median(t):.2f} ({t.min():.2f})"
        out(f"{label:8}  {name:8}  {operation:30}  {cell:>18}  {seconds:9.1f}\n")


if __name__ == "__main__":
    main()
