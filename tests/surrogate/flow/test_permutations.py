from __future__ import annotations

import pytest

from fabgen.errors import InputError
from fabgen.surrogate.flow.permutations import KINDS, coupling_splits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [2, 3, 5, 8])
def test_every_layer_splits_the_dimensions_in_two(kind, dim):
    for split in coupling_splits(kind, dim, 7):
        assert sorted(split.transformed + split.conditioning) == list(range(dim))
        assert split.transformed
        assert split.conditioning


@pytest.mark.parametrize("dim", [2, 3, 4, 5, 7, 8, 11, 16])
def test_log_conditions_every_dimension_on_every_other(dim):
    layers = 2 * (dim - 1).bit_length()
    pairs = {
        (i, j)
        for split in coupling_splits("log", dim, layers)
        for i in split.transformed
        for j in split.conditioning
    }
    assert len(pairs) == dim * (dim - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_come_in_complementary_pairs(kind):
    splits = coupling_splits(kind, 6, 8)
    for first, second in zip(splits[::2], splits[1::2], strict=True):
        assert first == (second.conditioning, second.transformed)


def test_number_of_layers_truncates_and_repeats():
    assert coupling_splits("log", 8, 4) == coupling_splits("log", 8, 9)[:4]
    assert coupling_splits("log", 8, 9)[6:] == coupling_splits("log", 8, 3)


def test_random_splits_are_always_the_same():
    assert coupling_splits("random", 8, 6) == coupling_splits("random", 8, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_one_dimension_is_unconditional(kind):
    assert coupling_splits(kind, 1, 6) == (((0,), ()),)


def test_unknown_kind():
    with pytest.raises(InputError, match="unknown permutation"):
        coupling_splits("swap", 4, 6)
