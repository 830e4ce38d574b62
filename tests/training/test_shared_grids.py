"""Which channels have a grid together."""

from __future__ import annotations

import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import card_from_table
from fabgen.compiler import Compiler
from fabgen.integrand import process
from fabgen.integrand.table import ChannelTable
from fabgen.surrogate.channel_weights import ChannelLayout
from fabgen.surrogate.channels import ChannelValues
from fabgen.training.pretraining import _Mixture, grid_groups


@pytest.fixture(scope="module")
def jets():
    return build_integrand(
        card_from_table({
            "process": "p p > j j",
            "beams": {"kind": "proton", "energy": [6500.0, 6500.0]},
            "cuts": {"ptj": 20.0},
            "channels": {"use": "all"},
            "scales": {"renormalization": 91.188, "factorization": 91.188},
        })
    )  # fmt: skip


def test_few_channels_have_a_density_each(jets):
    densities = jets.density_of_channel
    assert jets.n_channels <= process.MOST_OWN
    of_originals = [densities[k] for k in jets.representative_channel]
    assert densities == tuple(of_originals)
    assert len(set(densities)) == len(set(jets.representative_channel))


def test_many_share_those_of_equal_maps(jets, monkeypatch):
    monkeypatch.setattr(process, "MOST_OWN", 2)
    densities = type(jets).density_of_channel.func(jets)
    table = ChannelTable.of(jets.components, jets.derived)
    assert len(set(densities)) == 3  # s, t and u
    for number in set(densities):
        alike = [k for k, found in enumerate(densities) if found == number]
        rows = [[np.asarray(c[k]) for c in table.rows] for k in alike]
        originals = {jets.representative_channel[k] for k in alike}
        if len(originals) == len(alike):  # no names of identical legs between
            for row in rows:
                assert all(map(np.array_equal, row, rows[0]))
        assert len({jets.component_of_channel[k] for k in alike}) > 1


def test_groups_are_of_channels_that_mirror_no_other():
    assert grid_groups((0, 1, 0, 3, 4), (0, 1, 0, 1, 2)) == [[0], [1, 3], [4]]


def test_small_components_are_those_that_surely_are():
    """Component 1 has 0.5 permille in 2 channels, of which one mirrors the other; 2 has nothing; 3
    might have as little."""
    layout = ChannelLayout((0, 1, 1, 2, 3))

    def values(u, channel):
        size = np.array([1.0, 2.5e-4, 2.5e-4, 0.0, 0.0])[channel]
        rare = np.where((channel == 4) & (u[:, 0] < 0.01), 0.08, 0.0)
        f = np.log(np.maximum(size + rare, 1e-300))
        return ChannelValues(
            np.where(size + rare > 0.0, f, -np.inf),
            np.ones(len(u), int),
            np.zeros((layout.width, len(u))) + np.log([[0.5], [0.5]]) * (channel == 1),
            np.zeros((0, len(u))),
        )

    mixture = _Mixture(values, 512, layout, (0, 1, 1, 3, 4), Compiler())
    channel = np.resize(np.array([0, 1, 3, 4], np.int32), 2000)
    u = np.random.default_rng(1).random((2000, 1))
    mixture(u, channel, np.ones(2000))
    assert mixture.small_channels() == [1]
