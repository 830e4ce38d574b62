"""What channel weights "auto" stands for."""

from __future__ import annotations

import dataclasses

from fabgen.integrand.component import Component

#: Of more channels the densities themselves would take longer than |M|^2 and all the rest.
_MANY = 50


def weighted(components: tuple[Component, ...]) -> tuple[Component, ...]:
    """The components with what "auto" stands for as the prior of their channels."""
    many = max(len(component.channels) for component in components) > _MANY
    kind = "invariants" if many else "densities"
    return tuple(
        dataclasses.replace(component, prior=dataclasses.replace(component.prior, kind=kind))
        if component.prior and component.prior.kind == "auto"
        else component
        for component in components
    )
