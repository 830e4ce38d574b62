"""Sets that do not fit the massless quarks of a model."""

from __future__ import annotations

import pytest

from fabgen.beams.pdf import SetInfo
from fabgen.beams.pdf.scheme import scheme_warning


@pytest.mark.parametrize(
    ("n_flavours", "scheme", "n_massless", "words"),
    [
        (5, "variable", 5, None),
        (5, "variable", 4, None),
        (4, "fixed", 4, None),
        (0, "", 5, None),
        (4, "fixed", 5, "have 4 flavours, the model 5"),
        (4, "variable", 5, "have 4 flavours, the model 5"),
        (5, "fixed", 4, "evolve with 5 flavours"),
    ],
)
def test_warnings(n_flavours, scheme, n_massless, words):
    info = SetInfo("some_set", "file", n_flavours=n_flavours, scheme=scheme)
    found = scheme_warning(info, n_massless)
    assert (found is None) == (words is None)
    assert words is None or (words in found and "some_set" in found)
