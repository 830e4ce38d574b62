"""Histograms of weighted events with their covariance, and their agreement with others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observable:
    """Bins of a number of an event.

    latex, unit: of its axis. below, above: whether there are bins beyond the edges; without them
    all events are inside, up to rounding. log: whether the axis of the cross section is.
    """

    name: str
    latex: str
    unit: str
    edges: Floats
    below: bool = False
    above: bool = False
    log: bool = False

    @property
    def bounds(self) -> Floats:
        """Edges of all bins."""
        first = [-math.inf] if self.below else []
        last = [math.inf] if self.above else []
        return np.array([*first, *self.edges, *last])

    @property
    def inside(self) -> slice:
        """The bins that have a width."""
        return slice(int(self.below), int(self.below) + len(self.edges) - 1)

    def sums(self, x: Floats, weights: Floats) -> Floats:
        """Sums of weights in all bins."""
        inside = np.clip(x, self.bounds[0], np.nextafter(self.bounds[-1], -math.inf))
        return np.histogram(inside, self.bounds, weights=weights)[0]


@dataclass(frozen=True)
class Reference:
    """pb in the bins of an observable and their errors, independent of each other.

    label: what it is called. complete: whether it has the bins beyond the edges, too.
    """

    label: str
    pb: Floats
    error: Floats
    complete: bool = True


@dataclass(frozen=True)
class Spectrum:
    """pb in bins, their covariance (bins, bins), and how many effective events each has."""

    pb: Floats
    covariance: Floats
    entries: Floats

    @classmethod
    def of(cls, record: Mapping[str, Any], observable: Observable) -> Spectrum:
        """The shares of the weights of the events, times the cross section of the run.

        The cross section is of other points than the events; its error is common to all bins.
        """
        sum_w, sum_w2 = map(np.array, record["sums"][observable.name])
        sigma, error = record["cross_section_pb"], record["cross_section_error_pb"]
        share = sum_w / sum_w.sum()
        # Covariance of sums of w (1(in bin) - share), in units of the square of all weights.
        cross = np.outer(share, sum_w2)
        spread = np.diag(sum_w2) - cross - cross.T + sum_w2.sum() * np.outer(share, share)
        covariance = (sigma / sum_w.sum()) ** 2 * spread + error**2 * np.outer(share, share)
        return cls(sigma * share, covariance, sum_w**2 / sum_w2)

    @property
    def error(self) -> Floats:
        return np.sqrt(np.diag(self.covariance))

    def part(self, bins: slice) -> Spectrum:
        return Spectrum(self.pb[bins], self.covariance[bins, bins], self.entries[bins])


@dataclass(frozen=True)
class Agreement:
    """chi^2 with as many degrees of freedom as bins, and the pull of each bin."""

    chi2: float
    pulls: Floats

    @classmethod
    def between(cls, spectrum: Spectrum, reference: Reference) -> Agreement:
        """Of the same bins, with the errors of both."""
        difference = spectrum.pb - reference.pb
        covariance = spectrum.covariance + np.diag(reference.error**2)
        value = float(difference @ np.linalg.solve(covariance, difference))
        return cls(value, difference / np.sqrt(np.diag(covariance)))

    @property
    def p(self) -> float:
        return float(chi2.sf(self.chi2, len(self.pulls)))

    @property
    def largest(self) -> float:
        """The pull that is farthest from zero."""
        return float(self.pulls[np.argmax(np.abs(self.pulls))])


def compared(
    record: Mapping[str, Any], observable: Observable, references: Sequence[Reference]
) -> list[tuple[Reference, Spectrum, Agreement]]:
    """One observable of a run with each of its references."""
    found = []
    for reference in references:
        spectrum = Spectrum.of(record, observable)
        if not reference.complete:
            spectrum = spectrum.part(observable.inside)
        found.append((reference, spectrum, Agreement.between(spectrum, reference)))
    return found
