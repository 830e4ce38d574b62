"""Names of run directories of processes in quotes."""

from __future__ import annotations

import re

import pytest

from fabgen.errors import InputError
from fabgen.process.run_names import run_name


def test_names_are_stable():
    """Changing them would lose the runs of users."""
    assert run_name("e+ e- > mu+ mu-") == "e+e-_mu+mu-_2cbfa860"
    assert run_name("toy:crossed-ring").startswith("toy-crossed-ring_")


@pytest.mark.parametrize("same", ["E+ e-  > mu+ mu-", " e+ e-> mu+ mu-\n"])
def test_blanks_and_capitals_do_not_matter(same):
    assert run_name(same) == run_name("e+ e- > mu+ mu-")


def test_other_processes_have_other_names():
    processes = [
        *("e+ e- > mu+ mu-", "e- e+ > mu+ mu-", "e+ e- > mu- mu+", "e+ e- > mu+ mu- / a"),
        *("e+ e- > mu+ mu- $ a", "e+ e- > mu+ mu- $$ a", "e+ e- > mu+ mu- a", "t > w+ b"),
        *("e+ e- > t t~", "e+ e- > t t~, t > w+ b", "e+ e- > t t~, t~ > w- b~", "toy:camel-back"),
        *("e+ e- > " + "a " * n for n in range(30, 35)),
        *("e+ e- > mu+ mu- QED=2", "e+ e- > mu+ mu- QED=4", "e+ e- > mu+ mu- @1"),
    ]
    names = {run_name(process) for process in processes}
    assert len(names) == len(processes)
    for name in names:
        assert re.fullmatch(r"[a-z0-9][a-z0-9+_-]{0,48}_[0-9a-f]{8}", name)


def test_something_else_than_a_process():
    with pytest.raises(InputError) as error:
        run_name("e+ e-")
    assert error.value.key == "process"
