"""The surrogate that the options of a card ask for."""

from __future__ import annotations

from typing import Protocol

from fabgen.errors import InputError
from fabgen.surrogate.base import Surrogate
from fabgen.surrogate.flow import Flow
from fabgen.surrogate.uniform import Uniform


class VegasSettings(Protocol):
    """The fields of the card's [surrogate] vegas table, read only as options are frozen."""

    @property
    def iterations(self) -> int: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def warmup_iterations(self) -> int: ...
    @property
    def warmup_evaluations(self) -> int: ...
    @property
    def bins(self) -> int: ...
    @property
    def alpha(self) -> float: ...


class SurrogateSettings(Protocol):
    """The fields of the card's [surrogate] table, read only as options are frozen."""

    @property
    def kind(self) -> str: ...
    @property
    def layers(self) -> int: ...
    @property
    def bins(self) -> int: ...
    @property
    def hidden(self) -> tuple[int, ...]: ...
    @property
    def permutation(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def boundary(self) -> float: ...
    @property
    def vegas(self) -> VegasSettings: ...


def build_surrogate(dim: int, options: SurrogateSettings) -> Surrogate:
    """The surrogate on [0, 1]^dim, untrained: kind flow, uniform or vegas.

    For vegas this is the grid that `train_vegas` would fill; it imports the package.
    """
    if options.kind == "uniform":
        return Uniform(dim)
    if options.kind == "vegas":
        from fabgen.surrogate.vegas import vegas_grid

        return vegas_grid(dim, options.vegas)
    if options.kind != "flow":
        raise InputError(
            "unknown surrogate",
            key="surrogate.kind",
            found=options.kind,
            allowed="flow | vegas | uniform",
        )
    return Flow(
        dim,
        layers=options.layers,
        bins=options.bins,
        hidden=tuple(options.hidden),
        permutation=options.permutation,
        precision=options.precision,
        boundary=options.boundary,
    )
