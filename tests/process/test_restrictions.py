"""Orders and propagators: which parts of diagrams, and which diagrams, are wanted."""

from __future__ import annotations

import pytest

from fabgen.model import load_model
from fabgen.process.parser import parse_process
from fabgen.process.restrictions import Restrictions

MODEL = load_model("sm")


def of(process: str, qed: int | None = None) -> Restrictions:
    return Restrictions.of(MODEL, parse_process(process).core, qed)


def test_no_orders_keep_the_lowest():
    restrictions = of("e+ e- > mu+ mu-", qed=2)
    assert restrictions.allows((0, 1))  # part of a diagram
    assert restrictions.allows((7, 2))
    assert not restrictions.allows((0, 3))
    assert restrictions.accepts((0, 2), 0)
    assert not restrictions.accepts((2, 0), 0)


def test_unnamed_orders_are_free():
    restrictions = of("u u~ > d d~ QCD=0", qed=0)
    assert restrictions.accepts((0, 2), 0)
    assert restrictions.accepts((0, 12), 0)
    assert not restrictions.allows((1, 0))


@pytest.mark.parametrize(
    ("text", "qed"), [("QED=2", (0, 1, 2)), ("QED<=1", (0, 1)), ("QED==2", (2,))]
)
def test_operators(text, qed):
    restrictions = of(f"u u~ > d d~ {text}")
    assert [n for n in range(4) if restrictions.accepts((0, n), 0)] == list(qed)
    assert [n for n in range(4) if restrictions.allows((0, n))] == list(range(max(qed) + 1))


def test_free_without_any():
    assert of("u u~ > d d~").accepts((5, 7), 0)


def test_excluded_everywhere():
    restrictions = of("e+ e- > w+ w- / ve~")
    for name in ("ve", "ve~"):
        anti = MODEL.particle(name).antiname
        for side in ("initial", "final", "t"):
            assert restrictions.passes(name, anti, side) is None
    assert restrictions.passes("a", "a", "initial") == 0


def test_excluded_in_s_channels():
    """Out of final legs taken as incoming flows the antiparticle of what decays into them."""
    restrictions = of("e+ e- > w+ b w- b~ $$ t")
    assert restrictions.passes("t~", "t", "final") is None
    assert restrictions.passes("t", "t~", "initial") is None
    assert restrictions.passes("t", "t~", "final") == 0  # a t~ that decays
    assert restrictions.passes("t", "t~", "t") == 0


def test_vetoes_keep_diagrams():
    assert of("e+ e- > mu+ mu- $ z").passes("z", "z", "initial") == 0


def test_required():
    restrictions = of("e+ e- > z h | a > mu+ mu- b b~")
    names = restrictions.required
    assert set(names) == {"a", "h", "z"}
    bit = {name: 1 << i for i, name in enumerate(names)}
    assert restrictions.passes("z", "z", "final") == bit["z"]
    assert restrictions.passes("z", "z", "t") == 0
    assert restrictions.accepts((0, 4), bit["a"])
    assert restrictions.accepts((0, 4), bit["z"] | bit["h"])
    assert restrictions.accepts((0, 4), sum(bit.values()))
    assert not restrictions.accepts((0, 4), bit["z"])
    assert not restrictions.accepts((0, 4), 0)


def test_required_with_a_charge():
    restrictions = of("e+ e- > w+ > mu+ vm w-")
    assert (
        restrictions.passes("w-", "w+", "final") == 1
    )  # what flows out of mu+ vm as incoming legs
    assert restrictions.passes("w+", "w-", "final") == 0
