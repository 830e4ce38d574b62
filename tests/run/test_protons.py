"""Cross sections and events of protons, from the card to the file."""

from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from fabgen import run
from fabgen.beams.pdf import xf
from fabgen.beams.pdf.sets import load_member
from fabgen.card import card_from_table
from fabgen.model import load_model
from fabgen.units import PB_GEV2

MZ = 91.188
DATA = Path(__file__).parents[1] / "data" / "cross_sections.json"
KNOWN = json.loads(DATA.read_text())["protons"]
DENSITIES = load_member("NNPDF23_lo_as_0130_qed").densities
QUARKS = 2, 1, 4, 3


def card(process, energy=(6500.0, 6500.0), **table):
    vegas = {"kind": "vegas", "vegas": {"iterations": 6, "evaluations": 12_000}}
    defaults = {"surrogate": vegas, "evaluation": {"samples": 100_000}, "channels": {"use": "all"}}
    beams = {"kind": "proton", "energy": list(energy)}
    return card_from_table({"process": process, "beams": beams} | defaults | table)


def exact_z(energy):
    """pb of q q~ > z for each order of each flavour, by quadrature in the rapidity.

    sigma = |M|^2 2 pi/(2 M^2) delta(s - M^2), |M|^2 = (gL^2 + gR^2) (g/cos)^2 M^2/6 on average.
    """
    values = load_model("sm").derive(dict(load_model("sm").external))
    sw2, coupling = float(values["sw2"]), float(values["ee"]) ** 2
    coupling /= sw2 * (1.0 - sw2)
    square = 4.0 * energy[0] * energy[1]
    nodes, weights = np.polynomial.legendre.leggauss(300)
    half = 0.5 * math.log(square / MZ**2)
    y, w = half * nodes, half * weights
    root = MZ / math.sqrt(square)
    x = jnp.stack([root * np.exp(y), root * np.exp(-y)])
    q = jnp.full(len(y), 91.188)
    found = {}
    for pdg in QUARKS:
        up = pdg % 2 == 0
        charge, isospin = (2 / 3, 0.5) if up else (-1 / 3, -0.5)
        left, right = isospin - charge * sw2, -charge * sw2
        squared = (left**2 + right**2) * coupling * MZ**2 / 6.0
        both = np.asarray(xf(DENSITIES, x, q, [pdg, -pdg]) / x[:, None])
        partonic = PB_GEV2 * squared * 2.0 * math.pi / (2.0 * MZ**2) / square
        found[pdg, -pdg] = partonic * float(np.sum(w * both[0, 0] * both[1, 1]))
        found[-pdg, pdg] = partonic * float(np.sum(w * both[0, 1] * both[1, 0]))
    return found


def pull(report, exact, error=0.0):
    own = report["cross_section_error_pb"]
    assert own < 0.003 * exact
    return abs(report["cross_section_pb"] - exact) / math.hypot(own, error)


def test_one_particle_of_unequal_beams(tmp_path, how):
    energy = (7000.0, 4000.0)
    exact = exact_z(energy)
    made = card("p p > z", energy, generation={"events": 20_000, "format": "lhe"})
    report = run.generate(made, tmp_path / "run", how)
    assert pull(report, sum(exact.values())) < 4.0
    assert report["beams"]["particles"] == [[2212], [2212]]
    assert report["tail_index"] < 0.5 and abs(report["channel_pull"]) < 5.0
    assert report["beams"]["densities"]["set"] == "NNPDF23_lo_as_0130_qed"
    text = (tmp_path / "run" / "events.lhe").read_text()
    init = text.split("<init>\n")[1].split("\n")[0].split()
    assert init[:2] + init[4:8] == ["2212", "2212", "0", "0", "247000", "247000"]
    assert [float(e) for e in init[2:4]] == list(energy)
    counts = dict.fromkeys(exact, 0)
    for event in re.findall(r"<event>\n(.*?)</event>", text, re.S):
        head, first, second, z = (line.split() for line in event.splitlines()[:4])
        counts[int(first[0]), int(second[0])] += 1
        x1, x2 = float(first[9]) / energy[0], float(second[9]) / energy[1]
        assert x1 * x2 * 4.0 * energy[0] * energy[1] == pytest.approx(MZ**2, rel=1e-10)
        assert float(z[8]) == pytest.approx(float(first[8]) + float(second[8]), abs=1e-9)
        assert float(head[5]) == pytest.approx(0.13)
        # An antiquark meets a quark of the other helicity: the beams' spins along z add up to one.
        assert float(first[12]) == -float(second[12])
        assert {first[4], first[5]} == {second[5], second[4]} != {"0"}  # one line of colour
    n, total = sum(counts.values()), sum(exact.values())
    assert n == 20_000
    for order, value in exact.items():
        share = value / total
        assert abs(counts[order] - n * share) < 4.5 * math.sqrt(n * share * (1.0 - share))


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["process"])
def test_cross_sections(known, tmp_path, how):
    """13 TeV, both scales 91.188 GeV, four flavours, convolved by other programs."""
    made = card(known["process"], cuts=known["cuts"])
    report = run.integrate(made, tmp_path / "run", how)
    assert pull(report, known["pb"], known["error"]) < 4.0


def test_events_of_several_components(tmp_path, how):
    """At scales of which some are below Lambda: alpha_s is no part of |M|^2, but of every event."""
    scales = {"renormalization": "half_transverse_mass", "factor": 0.03}
    cuts = {"mmll": 60.0, "mmllmax": 120.0}
    made = card("p p > e+ e-", cuts=cuts, scales=scales, generation={"events": 5000})
    report = run.generate(made, tmp_path / "run", how)
    with gzip.open(tmp_path / "run" / "events.lhe.gz", "rt") as file:
        events = re.findall(r"<event>\n(.*?)</event>", file.read(), re.S)
    assert len(events) == report["events"] == 5000
    alpha_s = np.array([event.split()[5] for event in events], float)
    assert np.all((alpha_s > 0.2) & (alpha_s <= 1.0))
    assert 0.1 < np.mean(alpha_s == 1.0) < 0.9
    for event in events:
        rows = np.array([line.split() for line in event.splitlines()[1:]], float)
        # All of them are within 15 widths of the Z, which is written then.
        assert rows[:, 1].tolist() == [-1, -1, 2, 1, 1]
        partons, z, leptons = rows[:2], rows[2], rows[3:]
        total = partons[:, 6:10].sum(axis=0)
        np.testing.assert_allclose(z[6:10], total, atol=1e-9 * total[3])
        np.testing.assert_allclose(leptons[:, 6:10].sum(axis=0), total, atol=1e-9 * total[3])
        assert math.sqrt(total[3] ** 2 - total[2] ** 2) * (1.0 + 1e-9) >= 60.0
        assert [int(z[0]), *sorted(map(int, leptons[:, 0]))] == [23, -11, 11]
        assert partons[0, 12] == -partons[1, 12]
        assert leptons[0, 12] == -leptons[1, 12]
