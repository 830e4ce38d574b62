"""Which dimensions a coupling layer transforms and which ones it is conditioned on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fabgen.errors import InputError

KINDS = ("log", "exchange", "random", "rotation")
KEY = "surrogate.permutation"
_RANDOM_SEED = 20250


class Split(NamedTuple):
    """One coupling layer: dimensions that are transformed, dimensions they are conditioned on."""

    transformed: tuple[int, ...]
    conditioning: tuple[int, ...]


def coupling_splits(kind: str, dim: int, layers: int) -> tuple[Split, ...]:
    """The splits of a flow of `layers` coupling layers, first layer first.

    log: bit b of the binary code of a dimension tells whether layers 2b or 2b + 1 transform it, so
    that 2 ceil(log2 dim) layers condition every dimension on every other one (i-flow,
    arXiv:2001.05486; MadNIS, arXiv:2212.06172). More layers repeat the pattern, fewer cut it off.
    exchange: lower and upper half in turn. random: a random half, then the other one; the draw is
    the same for the same (dim, layers). rotation: exchange, on coordinates that a rotation mixes
    before (`rotation.rotate`). One dimension: one unconditional layer, whatever `layers`.
    """
    if kind not in KINDS:
        raise InputError("unknown permutation", key=KEY, found=kind, allowed=" | ".join(KINDS))
    if dim == 1:
        return (Split((0,), ()),)
    masks = {"log": _log_masks, "random": _random_masks}.get(kind, _exchange_masks)(dim, layers)
    axes = range(dim)
    return tuple(
        Split(tuple(i for i in axes if mask[i]), tuple(i for i in axes if not mask[i]))
        for mask in masks
    )


def _log_masks(dim: int, layers: int) -> list[list[bool]]:
    n_bits = (dim - 1).bit_length()
    masks = []
    for layer in range(layers):
        bit, complement = (layer // 2) % n_bits, layer % 2
        masks.append([bool(i >> bit & 1) != bool(complement) for i in range(dim)])
    return masks


def _exchange_masks(dim: int, layers: int) -> list[list[bool]]:
    return [[(i < dim // 2) == (layer % 2 == 0) for i in range(dim)] for layer in range(layers)]


def _random_masks(dim: int, layers: int) -> list[list[bool]]:
    rng = np.random.default_rng(_RANDOM_SEED)
    masks: list[list[bool]] = []
    for layer in range(layers):
        if layer % 2 == 0:
            chosen = set(rng.permutation(dim)[: dim // 2].tolist())
            masks.append([i in chosen for i in range(dim)])
        else:
            masks.append([not m for m in masks[-1]])
    return masks
