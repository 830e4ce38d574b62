"""Refusal of processes whose cross section diverges under their cuts.

Tree-level cross sections diverge where a propagator without width comes on shell inside phase
space. The regions that matter, by counting powers, are

- a massless propagator that decays into two massless final particles which become collinear,
- a space-like propagator of a massless (or elastically exchanged) particle between a beam and one
  final particle that leaves along the beam,
- a space-like propagator inside of phase space, where a beam can decay (unstable_beams.py),
- a soft massless vector boson, where the other particles leave it no fixed energy,
- a massive propagator without width whose mass lies inside phase space.

Larger groups of particles add phase space faster than propagators, unless they contain one of
these. Bounds come from interval arithmetic over masses and cuts, so a refusal means that the region
is there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from fabgen.build.unstable_beams import BeamDecay, largest_t
from fabgen.errors import InputError
from fabgen.model import ZERO, Model
from fabgen.phasespace.cuts import PAIRS, Bound, CutLeg, Cuts
from fabgen.process.graph import Graph
from fabgen.process.resonances import Legs, s_channel
from fabgen.process.syntax import DecayTree


def refuse_divergences(
    model: Model,
    graph: Graph,
    tree: DecayTree,
    cuts: Cuts,
    values: Mapping[str, float],
    sqrt_s: float,
    boost: float = 0.0,
    windows: Sequence[Bound] = (),
    least: float | None = None,
) -> None:
    """Raise InputError, with the cuts that would help, if the cross section is infinite.

    graph, tree: of the matrix element. values: masses and widths by name. sqrt_s: total
    energy in the rest frame, GeV; where it is variable the largest one, and `least` the smallest
    that cuts and masses leave. boost: rapidity of that frame in the lab. windows: of the masses of
    decayed particles.
    """
    _Region(model, graph, tree, cuts, values, sqrt_s, boost, tuple(windows), least).check()


@dataclasses.dataclass(frozen=True)
class _Region:
    """The phase space of a subprocess under its cuts; final legs are counted from 0 here."""

    model: Model
    graph: Graph
    tree: DecayTree
    cuts: Cuts
    values: Mapping[str, float]
    sqrt_s: float
    boost: float
    windows: tuple[Bound, ...]
    least: float | None

    @property
    def n_initial(self) -> int:
        return self.graph.n_initial

    @property
    def names(self) -> tuple[str, ...]:
        return self.tree.final

    @property
    def legs(self) -> tuple[CutLeg, ...]:
        return self.cuts.legs

    def mass(self, name: str) -> float:
        return self.values[self.model.particle(name).mass]

    @property
    def masses(self) -> list[float]:
        return [self.mass(name) for name in self.names]

    def minimum_mass(self, legs: Sequence[int]) -> float:
        return self.cuts.minimum_invariant_mass(tuple(legs), self.masses)

    def others(self, legs: Sequence[int]) -> list[int]:
        return [leg for leg in range(len(self.names)) if leg not in legs]

    def check(self) -> None:
        exchanged: set[tuple[str, int]] = set()
        for current in self.graph.currents:
            if not current.propagator:
                continue
            particle = self.model.particle(current.particle)
            width = 0.0 if particle.width == ZERO else self.values[particle.width]
            if current.t_channel:
                exchanged.add((current.particle, current.legs))
            elif width == 0.0:
                name, legs = s_channel(self.model, self.graph, current)
                self._time_like(name, tuple(leg - self.n_initial for leg in legs))
        for name, mask in sorted(exchanged):
            self._space_like(name, mask)
        for leg, name in enumerate(self.names):
            self._soft(leg, name)

    # -- regions --------------------------------------------------------------------------------

    def _time_like(self, name: str, legs: Legs) -> None:
        mass = self.mass(name)
        rest = self.others(legs)
        if mass > 0:
            lowest = self.minimum_mass(legs)
            highest = self.sqrt_s - (self.minimum_mass(rest) if rest else 0.0)
            fixed = not rest and self.least is None
            on_pole = math.isclose(mass, self.sqrt_s) if fixed else lowest < mass < highest
            if on_pole:
                width = self.model.particle(name).width
                region = f"{name} without width is on its mass shell"
                if width == ZERO:
                    raise self._error(region, legs, "process", f"{name} off its mass shell")
                raise self._error(region, legs, f"parameters.{width}", "a width above zero")
            return
        if not rest:
            # Its p^2 is fixed by the beams, or that of partons, which may have hardly any energy.
            if self.least == 0.0:
                raise self._uncut(
                    f"partons of little energy from a propagator of {name}",
                    legs,
                    self._energy_cuts(legs),
                )
            return
        if len(legs) != 2 or any(self.mass(self.names[leg]) > 0 for leg in legs):
            return
        if self.minimum_mass(legs) > 0 or self.cuts.minimum_delta_r(*legs) > 0:
            return
        if self.cuts.are_isolated(*legs):
            return
        raise self._uncut(
            f"collinear particles from a propagator of {name}", legs, self._pair_cuts(legs)
        )

    def _space_like(self, name: str, mask: int) -> None:
        beam = 0 if mask & 1 else 1
        final = [leg for leg in range(len(self.names)) if mask >> (leg + self.n_initial) & 1]
        # Exchanged between the beam and `final`, and between the other beam and the rest.
        sides = ((beam, final), (1 - beam, self.others(final)))
        for side, group in sides:
            emitted = name if side == beam else self.model.particle(name).antiname
            self._decay_of_a_beam(emitted, side, group)
        single = [(self.masses[group[0]], side, group[0]) for side, group in sides if not group[1:]]
        for _, side, leg in sorted(single):
            distance = self._largest_t(side, leg) - self.mass(name) ** 2
            if abs(distance) > 1e-12 * self.mass(self.tree.initial[side]) ** 2:
                continue
            if self._leaves_the_beam(leg):
                continue
            rest = self.others((leg,))
            if len(rest) == 1 and self._leaves_the_beam(rest[0]):
                continue  # it recoils
            raise self._uncut(
                f"forward scattering by the exchange of {name}", (leg,), self._forward_cuts(leg)
            )

    def _largest_t(self, beam: int, leg: int) -> float:
        """The largest (p_beam - p_leg)^2 without cuts on the leg, at a typical mass of the rest."""
        rest = self.others((leg,))
        m1, m2 = (self.mass(self.tree.initial[b]) for b in (beam, 1 - beam))
        m3 = self.masses[leg]
        m4 = self.minimum_mass(rest)
        if len(rest) > 1:
            m4 = (m4 + self.sqrt_s - m3) / 2
        return float(largest_t(self.sqrt_s, (m1, m2), (m3, m4)))

    def _decay_of_a_beam(self, name: str, beam: int, group: Sequence[int]) -> None:
        decay = BeamDecay(
            sqrt_s=self.sqrt_s,
            boost=self.boost if beam == 0 else -self.boost,
            beams=(
                self.mass(self.tree.initial[beam]),
                self.mass(self.tree.initial[1 - beam]),
            ),
            masses=tuple(self.masses),
            group=tuple(group),
            exchanged=self.mass(name),
            cuts=dataclasses.replace(self.cuts, bounds=(*self.cuts.bounds, *self.windows)),
        )
        place = decay.find()
        if place is None:
            return
        particle, products = self.tree.initial[beam], self._names(group)
        raise self._error(
            f"{particle} can decay into {products} and {name}, exchanged on its mass shell",
            group,
            "cuts",
            f"cuts that keep (p({particle}) - p({products}))^2 off {self.mass(name) ** 2:g} GeV^2",
            f"it is reached where {products} has pT = {place.pt:.3g} GeV and E = {place.energy:.3g}"
            " GeV, for one",
        )

    def _leaves_the_beam(self, leg: int) -> bool:
        return self.cuts.minimum_pt(leg) > 0 or math.isfinite(self.cuts.maximum_rapidity(leg))

    def _soft(self, leg: int, name: str) -> None:
        particle = self.model.particle(name)
        if particle.spin != 3 or not particle.is_massless or len(self.names) < 3:
            return
        if self.cuts.minimum_energy(leg) > 0:
            return
        # A bound on the mass of a pair bounds the energy of both.
        if any(
            self.minimum_mass((leg, other)) > self.masses[other] * (1 + 1e-12)
            for other in self.others((leg,))
        ):
            return
        letter = self.legs[leg].kind
        raise self._uncut("a soft massless boson", (leg,), f"pt{letter} or e{letter}")

    # -- messages -------------------------------------------------------------------------------

    def _pair_cuts(self, legs: Legs) -> str:
        first, second = (self.legs[leg] for leg in legs)
        kinds = first.kind + second.kind
        cures = []
        if kinds in ("jj", "bb", "aa") or (kinds == "ll" and first.pdg == -second.pdg):
            cures.append(f"mm{kinds}")
        cures += [f"dr{pair}" for pair in PAIRS if sorted(pair) == sorted(kinds)]
        if kinds in ("aj", "ja", "al", "la"):
            cures.append("ptgmin")
        if not cures and {first.kind, second.kind} <= {"l", "missing"}:
            cures.append("mmnl")
        if not cures and first.pdg == -second.pdg:
            cures.append("mxx_min_pdg")
        return " or ".join(cures or ["dsqrt_shat"])

    def _energy_cuts(self, legs: Legs) -> str:
        kinds = dict.fromkeys(self.legs[leg].kind for leg in legs)
        of_pair = self._pair_cuts(legs).split(" or ") if len(legs) == 2 else []
        cures = [cure for cure in of_pair if cure.startswith(("mm", "mxx"))]
        cures += [f"pt{kind}" for kind in kinds if kind not in ("missing", "other")]
        return " or ".join(cures or ["dsqrt_shat"])

    def _forward_cuts(self, leg: int) -> str:
        kind = self.legs[leg].kind
        if kind == "missing":
            return "misset"
        if kind == "other":
            return "ptheavy or pt_min_pdg"
        return f"pt{kind} or eta{kind}"

    def _uncut(self, region: str, legs: Sequence[int], keys: str) -> InputError:
        hint = None
        if any(self.legs[leg].from_decay for leg in legs) and not self.cuts.cut_decays:
            hint = "the products of decays are cut only with cut_decays = true"
        return self._error(region, legs, "cuts", f"with a cut on it: {keys}", hint)

    def _names(self, legs: Sequence[int]) -> str:
        return " ".join(self.names[leg] for leg in legs)

    def _error(
        self, region: str, legs: Sequence[int], key: str, cure: str, hint: str | None = None
    ) -> InputError:
        particles = self._names(legs)
        initial = " ".join(self.tree.initial)
        return InputError(
            f"the cross section diverges: {region} ({particles})",
            key=key,
            found=f"{initial} > {' '.join(self.names)}",
            allowed=cure,
            hint=hint,
        )
