"""Methods are found by name, and heavy packages load only when needed."""

from __future__ import annotations

import subprocess
import sys

from fabgen.training import METHODS
from fabgen.training.objectives.base import Objective
from fabgen.training.objectives.registry import objective_class


def test_every_name_leads_to_an_objective():
    assert {"fab", "fab-nobuffer", "rkld"} <= set(METHODS)
    assert all(issubclass(objective_class(name), Objective) for name in METHODS)


def test_importing_training_loads_no_heavy_package():
    code = (
        "import sys, fabgen.training\n"
        "heavy = {'jax', 'blackjax', 'optax', 'orbax', 'distrax'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
