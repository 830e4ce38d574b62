"""Subprocesses of a line: multiparticles, assignment of decays, what counts once."""

from __future__ import annotations

from collections import Counter
from itertools import product
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabgen.errors import InputError
from fabgen.process.expansion import expand
from fabgen.process.parser import parse_process
from fabgen.process.syntax import Order

PARTICLES = (
    *("g", "a", "z", "w+", "w-", "H", "e+", "e-", "mu+", "mu-"),
    *("ve", "vm", "ve~", "vm~", "u", "d", "b", "t", "u~", "d~", "b~", "t~"),
)
JET = ("g", "u", "u~")


class Names:
    """The part of a model that matters here."""

    known_names = PARTICLES
    multiparticles = MappingProxyType(
        {
            "p": JET,
            "j": JET,
            "l+": ("e+", "mu+"),
            "l-": ("e-", "mu-"),
            "vl": ("ve", "vm"),
            "vl~": ("ve~", "vm~"),
            "v": ("w+", "w-", "z"),
            "w": ("w+", "w-"),
        }
    )

    def resolve(self, name):
        return {known.lower(): known for known in self.known_names}.get(name.lower())


MODEL = Names()
CHARGE = {"w+": 3, "e+": 3, "mu+": 3, "u": 2, "t": 2, "d~": 1, "b~": 1}
CHARGE |= {"w-": -3, "e-": -3, "mu-": -3, "u~": -2, "t~": -2, "d": -1, "b": -1}


def conserves_charge(initial, final):
    return sum(CHARGE.get(n, 0) for n in initial) == sum(CHARGE.get(n, 0) for n in final)


def texts(text, **options):
    line = parse_process(text)
    return [str(tree) for tree in expand(line, MODEL, MODEL.multiparticles, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("E+ E- > MU+ MU-", ["e+ e- > mu+ mu-"]),
        ("e+ e- > z h", ["e+ e- > z H"]),
        (
            "e+ e- > l+ l-",
            [f"e+ e- > {a} {b}" for a in ("e+", "mu+") for b in ("e-", "mu-")],
        ),
        # incoming permutations are subprocesses, outgoing ones count once, the first is kept
        ("w w > z", ["w+ w+ > z", "w+ w- > z", "w- w+ > z", "w- w- > z"]),
        ("a a > w w", ["a a > w+ w+", "a a > w+ w-", "a a > w- w-"]),
        ("a a > w- w", ["a a > w- w+", "a a > w- w-"]),
        # restrictions of the core
        ("p e- > e- / l+ a", [f"{p} e- > e- / e+ mu+ a" for p in JET]),
        ("g g > w > a a", ["g g > w+ | w- > a a"]),
        ("g g > w z | h > a a", ["g g > w+ z | w- z | H > a a"]),
        ("g g > a a $$ w $ v QED=2", ["g g > a a $$ w+ w- $ w+ w- z QED<=2"]),
        # one decay given for equal particles decays all of them
        ("e+ e- > z z, z > u u~", ["e+ e- > z z, z > u u~, z > u u~"]),
        (
            "e+ e- > z z, z > l+ l-",
            [
                f"e+ e- > z z, z > {a}, z > {b}"
                for i, a in enumerate(["e+ e-", "e+ mu-", "mu+ e-", "mu+ mu-"])
                for b in ["e+ e-", "e+ mu-", "mu+ e-", "mu+ mu-"][i:]
            ],
        ),
        # as many decays as equal particles are assigned in order
        ("e+ e- > z z, z > u u~, z > b b~", ["e+ e- > z z, z > u u~, z > b b~"]),
        ("e+ e- > z h z, z > u u~, z > b b~", ["e+ e- > z H z, z > u u~, z > b b~"]),
        (
            "e+ e- > z h z, h > a a, z > u u~, z > b b~",
            ["e+ e- > z H z, z > u u~, H > a a, z > b b~"],
        ),
        (
            "e+ e- > z z, z > u u~, z > j j",
            [
                f"e+ e- > z z, z > u u~, z > {jets}"
                for jets in ("g g", "g u", "g u~", "u u", "u u~", "u~ u~")
            ],
        ),
        # any other number of decays is a choice for each of them
        ("e+ e- > z h, z > u u~, z > b b~", ["e+ e- > z H, z > u u~", "e+ e- > z H, z > b b~"]),
        (
            "e+ e- > z z z, z > u u~, z > b b~",
            [
                "e+ e- > z z z, z > " + ", z > ".join(d)
                for d in (
                    ("u u~", "u u~", "u u~"),
                    ("u u~", "u u~", "b b~"),
                    ("u u~", "b b~", "b b~"),
                    ("b b~", "b b~", "b b~"),
                )
            ],
        ),
        # a decay of a multiparticle decays the members that are there
        ("p e- > w+ e-, w > u d~", [f"{p} e- > w+ e-, w+ > u d~" for p in ("g", "u", "u~")]),
        (
            "a a > w w, w > a a",
            [
                "a a > w+ w+, w+ > a a, w+ > a a",
                "a a > w+ w-, w+ > a a, w- > a a",
                "a a > w- w-, w- > a a, w- > a a",
            ],
        ),
        # ... in order, if there are as many: both w+ and w- take either
        (
            "a a > w w, w > a a, w > z z",
            [
                "a a > w+ w+, w+ > a a, w+ > z z",
                "a a > w+ w-, w+ > a a, w- > z z",
                "a a > w- w+, w- > a a, w+ > z z",
                "a a > w- w-, w- > a a, w- > z z",
            ],
        ),
        # nested decays, with parentheses and without
        (
            "e+ e- > t t~, (t > w+ b, w+ > u d~), t~ > w- b~",
            ["e+ e- > t t~, (t > w+ b, w+ > u d~), t~ > w- b~"],
        ),
        (
            "e+ e- > t t~, t > w+ b, w+ > u d~, t~ > w- b~",
            ["e+ e- > t t~, (t > w+ b, w+ > u d~), t~ > w- b~"],
        ),
        (
            "e+ e- > t t~, t > w+ b, t~ > w- b~, w- > d u~, w+ > u d~",
            ["e+ e- > t t~, (t > w+ b, w+ > u d~), (t~ > w- b~, w- > d u~)"],
        ),
        (
            "e+ e- > t t~, t > h b, h > z z, z > e+ e-, z > mu+ mu-",
            ["e+ e- > t t~, (t > H b, (H > z z, z > e+ e-, z > mu+ mu-))"],
        ),
        ("t > w+ b, w+ > u d~", ["t > w+ b, w+ > u d~"]),
        ("h > z z, (z > t t~, t > w+ b)", ["H > z z, (z > t t~, t > w+ b), (z > t t~, t > w+ b)"]),
        # the core's own particle goes first, as in MadGraph
        (
            "b g > t w-, t > w+ b, w- > d u~",
            ["b g > t w-, t > w+ b, w- > d u~"],
        ),
        ("g e- > t w+, t > w+ b, w+ > u d~", ["g e- > t w+, t > w+ b, w+ > u d~"]),
        # restrictions stay with their link
        (
            "e+ e- > t t~ QED=2 / h, t > w+ b / z QED==1",
            ["e+ e- > t t~ / H QED<=2, t > w+ b / z QED==1"],
        ),
    ],
)
def test_subprocesses(text, expected):
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("p p > j j", 9 * 6),
        ("p p > j j j", 9 * 10),
        ("p p > w j j, w > j j", 9 * 6 * 2 * 6),
        ("e+ e- > t t~, t > w+ b, w+ > l+ vl, t~ > w- b~, w- > l- vl~", 16),
    ],
)
def test_numbers_of_subprocesses(text, count):
    assert len(texts(text)) == count


def test_impossible_links_are_dropped_with_what_contains_them():
    possible = conserves_charge
    assert texts("a a > w w", possible=possible) == ["a a > w+ w-"]
    assert texts("e+ e- > l+ l- a", possible=possible) == texts("e+ e- > l+ l- a")
    assert (
        texts("e+ e- > w w, w > u d~, w > d u~", possible=possible)
        == [
            "e+ e- > w+ w-, w+ > u d~, w- > d u~",
            "e+ e- > w- w+, w- > d u~, w+ > u d~",
        ][:1]
    )
    assert texts("e+ e- > z z, z > u d~", possible=possible) == []


@pytest.mark.parametrize(
    ("text", "problem", "found"),
    [
        ("e+ e- > muu+ mu-", "'muu+' is not a particle", "'muu+' in 'e+ e- > muu+ mu-'"),
        ("e+ e- > 2j", "'2j' is not a particle", "'2j'"),
        ("e+ e- > x > mu+ mu-", "'x' is not a particle", "'x'"),
        ("e+ e- > mu+ mu- / zz", "'zz' is not a particle", "'zz'"),
        ("e+ e- > z z, z > q q", "'q' is not a particle", "'q' in 'z > q q'"),
        ("e+ e- > z z, q > u u~", "'q' is not a particle", "'q' in 'q > u u~'"),
        ("e+ e- > t t~, w+ > u d~", "w+ is not produced", "w+ > u d~"),
        ("e+ e- > t t~, t > w+ b, z > u u~", "z is not produced", "z > u u~"),
        ("e+ e- > t t~, w+ > u d~, t > w+ b", "w+ is not produced", "w+ > u d~"),
        ("e+ e- > t t~, (t > w+ b, t~ > w- b~)", "t~ is not produced", "t~ > w- b~"),
        ("e+ e- > h h, h > z a, h > z g, z > u u~", "not clear which z", "z > u u~"),
        ("e+ e- > w+ w- QCDD=2", "no coupling order QCDD", "QCDD<=2"),
    ],
)
def test_mistakes(text, problem, found):
    with pytest.raises(InputError) as raised:
        texts(text, orders=("QCD", "QED"))
    assert problem in raised.value.problem
    assert found in str(raised.value.found)
    assert raised.value.allowed


def test_orders_take_the_models_spelling():
    (tree,) = expand(parse_process("e+ e- > a a qed==2 NP=0"), MODEL, {}, orders=("QED", "np"))
    assert tree.core.orders == (Order("QED", "==", 2), Order("np", "<=", 0))


@given(st.lists(st.sampled_from(["j", "w", "v", "z", "a", "l+"]), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_every_set_of_final_particles_comes_once(names):
    members = [MODEL.multiparticles.get(name, (name,)) for name in names]
    expected = {tuple(sorted(choice)) for choice in product(*members)}
    trees = expand(parse_process("e+ e- > " + " ".join(names)), MODEL, MODEL.multiparticles)
    assert Counter(tuple(sorted(tree.final)) for tree in trees) == Counter(expected)


DECAYS = ["z > l+ l-", "z > u u~", "w+ > l+ vl", "w > j j", "h > a a", "(h > z z, z > l+ l-)"]


@given(
    st.lists(st.sampled_from(["z", "w+", "w-", "h", "v", "a"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(DECAYS), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_a_subprocess_written_out_expands_to_itself(final, decays):
    line = parse_process(", ".join(["e+ e- > " + " ".join(final), *decays]))
    try:
        trees = expand(line, MODEL, MODEL.multiparticles)
    except InputError as error:
        assert "is not produced" in error.problem or "not clear" in error.problem
        return
    assert len({tree.key() for tree in trees}) == len(trees)
    for tree in trees[:: max(1, len(trees) // 10)]:
        assert expand(parse_process(str(tree)), MODEL, {}) == (tree,)
