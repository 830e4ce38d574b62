"""The decisions: functions of costs (nominal or measured) and efficiencies, and of nothing else.

Expected time to the goal = training + (points of the goal) x (seconds per point), where the points
of the goal are evaluation.samples + events / acceptance (`Goal`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fabgen.card.auto import FIRST_ROUND
from fabgen.run.auto.goal import Goal, Measured
from fabgen.run.auto.record import UNIFORM

#: A difference of so many seconds decides nothing.
NOTICED = 2.0
#: Adapting VEGAS grids is tried without a thought if its evaluations take no longer than this [s].
TRIED = 10.0
#: With such a rate (`Goal.rate`) of the untrained map nothing is left to adapt.
PERFECT = 0.98
#: Compilation of a flow's training step and of its drawing [s]; 15 to 40 on two cores. Not
#: measured: it depends on what earlier runs have left in the cache, and so would the decision.
COMPILATION = 20.0
#: What a point of training costs beyond f, in units of drawing one: density, gradient, optimizer.
#: Measured 1.5 (6 layers of 64 x 64) to 3 (3 layers of 32 x 32).
GRADIENT = 2.5
#: The larger flow is taken where it adds at most this share to the cost of a point.
LARGER = 0.25
#: Up to so many dimensions the small flow has all that it takes.
FEW_DIMENSIONS = 2
#: After the first round nobody knows yet how the inefficiency falls: as steps^-POWER.
POWER = 0.5
#: An efficiency short of the goal has stopped rising if 1 - eps falls by less in a round.
STALLED = 0.05


#: Sampling efficiency of the untrained map below which fresh points tell a flow too little to be
#: trained by its variance; and below which it depends on f having several modes.
NO_MAP, POOR_MAP = 1e-3, 1e-2
#: A grid with such an efficiency is a good map.
GOOD_GRID = 0.5


def finds_f(candidates: Mapping[str, Measured]) -> bool | None:
    """Whether the survey has a map that finds f, so that a flow is trained by its variance; None:
    if f has one mode."""
    untrained = candidates[UNIFORM].sampling_efficiency
    best = max(m.sampling_efficiency for m in candidates.values())
    if untrained >= POOR_MAP or best >= GOOD_GRID:
        return True
    return None if untrained >= NO_MAP else False


@dataclass(frozen=True)
class FlowSize:
    """Of a spline flow: coupling layers, bins, widths of the conditioners' hidden layers."""

    layers: int
    bins: int
    hidden: tuple[int, ...]

    def operations(self, dim: int) -> float:
        """Multiplications of a point in the conditioners, to compare sizes."""
        half = max(dim / 2.0, 1.0)
        widths = (half, *self.hidden, half * (3 * self.bins + 1))
        return self.layers * sum(a * b for a, b in itertools.pairwise(widths))

    def smaller(self) -> FlowSize:
        """The small flow: at most 4 layers of 8 bins and hidden layers of 32."""
        hidden = tuple(min(width, 32) for width in self.hidden)
        return FlowSize(min(self.layers, 4), min(self.bins, 8), hidden)


def best(goal: Goal, candidates: Mapping[str, Measured]) -> str:
    """The candidate with the least time to the goal; where nobody would notice, with fewest points.

    With an efficiency to be reached: among those that reach it; if none does, the most efficient.
    """
    reached = {name: m for name, m in candidates.items() if goal.reached(m)}
    if not reached:
        return max(candidates, key=lambda name: candidates[name].sampling_efficiency)
    least = min(goal.seconds(m) for m in reached.values())
    close = [name for name, m in reached.items() if goal.seconds(m) <= least + NOTICED]
    return min(close, key=lambda name: goal.points(goal.rate(candidates[name])))


def worth_adapting(goal: Goal, untrained: Measured, evaluations: int) -> bool:
    """Whether VEGAS grids of so many evaluations are tried: not if the untrained map is done by
    then, or cannot be improved, and reaches what is to be reached."""
    if not goal.reached(untrained):
        return True
    seconds = evaluations * untrained.seconds_per_point
    pays = seconds <= max(TRIED, goal.seconds(untrained))
    return pays and goal.rate(untrained) < PERFECT


def flow_seconds(
    goal: Goal, start: Measured, seconds_of_f: float, seconds_of_q: float, batch: int
) -> float:
    """Expected seconds to the goal with a flow: compilation, one round, then the goal.

    start: of what it starts from. A flow is expected to halve log(acceptance). seconds_of_f,
    seconds_of_q: of a point, of the integrand and of drawing from the flow.
    """
    training = FIRST_ROUND * batch * (seconds_of_f + GRADIENT * seconds_of_q)
    hoped = math.sqrt(max(goal.rate(start), 1.0 / start.samples))
    return COMPILATION + training + goal.points(hoped) * (seconds_of_f + seconds_of_q)


def takes_larger(
    dim: int, small: FlowSize, large: FlowSize, seconds_of_f: float, seconds_of_q: float
) -> bool:
    """Whether the larger flow is trained; seconds_of_q: of a point of the small one.

    Its gain in efficiency is not known before, but small if the small one does well: it is taken
    only where it costs next to nothing, since f costs much more.
    """
    if dim <= FEW_DIMENSIONS or small == large:
        return False
    extra = seconds_of_q * (large.operations(dim) / small.operations(dim) - 1.0)
    return extra <= LARGER * (seconds_of_f + seconds_of_q)


@dataclass(frozen=True)
class Outlook:
    """Seconds that the next round of a training would save, and those that it costs."""

    saved: float
    cost: float


def outlook(
    goal: Goal, rounds: Sequence[tuple[int, Measured]], next_step: int, seconds_per_step: float
) -> Outlook:
    """Of the round that ends at `next_step`; rounds: where the ones so far ended, and how.

    The inefficiency 1/acceptance - 1 is taken on along the power of the steps that it followed in
    the last round; it is not expected to fall faster than 1/steps, nor to rise. An acceptance hangs
    on few large weights: where 1/eps - 1 fell faster, its power is taken.
    """
    step, last = rounds[-1]
    waste, power = _waste(goal.rate(last)), POWER
    if len(rounds) > 1:
        earlier, before = rounds[-2]
        falls = (
            _fall(goal.rate(before), goal.rate(last)),
            _fall(before.sampling_efficiency, last.sampling_efficiency),
        )
        power = min(max(*falls, 0.0) / math.log(step / earlier), 1.0)
    expected = waste * (step / next_step) ** power
    points = goal.points(goal.rate(last)) - goal.points(1.0 / (1.0 + expected))
    cost = (next_step - step) * seconds_per_step + last.samples * last.seconds_per_point
    return Outlook(points * last.seconds_per_point, cost)


def is_stalled(rounds: Sequence[tuple[int, Measured]]) -> bool:
    """Whether the sampling efficiency has stopped rising."""
    if len(rounds) < 2:
        return False
    before, last = (1.0 - m.sampling_efficiency for _, m in rounds[-2:])
    return last > (1.0 - STALLED) * before


def _waste(rate: float) -> float:
    """Points per point that is of use, less one; that of a rate of 10^-12 for none."""
    return 1.0 / max(rate, 1e-12) - 1.0


def _fall(before: float, after: float) -> float:
    """Logarithm of the ratio of inefficiencies."""
    return math.log(max(_waste(before), 1e-12) / max(_waste(after), 1e-12))
