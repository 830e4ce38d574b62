"""Reading LHE files back."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from fabgen.errors import InputError
from fabgen.events.lhe import write_lhe
from fabgen.events.reader import read_lhe


@pytest.mark.parametrize("name", ["e.lhe", "e.lhe.gz"])
def test_round_trip(tmp_path, file_info, tops, top_batch, name) -> None:
    batch, info = top_batch(40), file_info()
    write_lhe(tmp_path / name, info, (tops,), [batch])
    content = read_lhe(tmp_path / name)
    assert len(content) == 40 and content.n_initial == 2
    assert (content.beams, content.energies) == (info.beams, info.energies)
    assert (content.cross_section, content.error) == (info.cross_section, info.error)
    assert content.max_weight == np.max(content.weight)
    assert np.all(content.pdg == tops.pdg)
    assert content.momenta == pytest.approx(batch.momenta, rel=1e-14, abs=1e-13)
    assert content.weight == pytest.approx(batch.weight, rel=1e-14)
    assert content.scale == pytest.approx(batch.scale)
    assert content.aqed == pytest.approx(batch.aqed)
    assert content.aqcd == pytest.approx(batch.aqcd)


def test_no_events(tmp_path, file_info, tops) -> None:
    write_lhe(tmp_path / "e.lhe", file_info(), (tops,), [])
    content = read_lhe(tmp_path / "e.lhe")
    assert len(content) == 0 and content.momenta.shape == (0, 0, 4)


def test_broken_files(tmp_path, file_info, tops, top_batch) -> None:
    path = tmp_path / "e.lhe.gz"
    with pytest.raises(InputError, match="cannot be read"):
        read_lhe(path)
    write_lhe(path, file_info(), (tops,), [top_batch(20)])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        read_lhe(path)
    text = gzip.decompress(data)
    path.write_bytes(text[: len(text) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        read_lhe(path)
    path.write_bytes(b"no LHE file")
    with pytest.raises(InputError, match="cannot be read"):
        read_lhe(path)
