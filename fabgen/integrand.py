"""f(u) = d sigma / du on the unit hypercube: all that training sees of a process."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from fabgen.beams import Collision, decay_at_rest, fixed_beams
from fabgen.components import Component, Term, value_of
from fabgen.errors import InputError
from fabgen.model import Model
from fabgen.process.topology import EventTopology


class Point(NamedTuple):
    """A batch of phase-space points; events are the last axis.

    log_f: log of d sigma / dPhi, in pb (GeV for decays) per GeV^(2 n - 4); no Jacobian, no channel
    weight. log_jacobian: log(dPhi/du) of the channel that the point was drawn with. log_prior
    (n_channels, events): log of the channel weights before training. features (n_features, events):
    what trained channel weights may look at. momenta (n_external, 4, events): lab frame, GeV.
    subprocess (n_subprocesses, events): log of the share of each subprocess in f. scales (2,
    events): renormalization and factorization scale in GeV.
    """

    log_f: Array
    log_jacobian: Array
    log_prior: Array
    features: Array
    momenta: Array
    subprocess: Array
    scales: Array


class _Sampled(NamedTuple):
    """One component at points u: momenta in the rest frame and the lab, values of its terms."""

    momenta: Array
    lab: Array
    log_jacobian: Array
    values: Array  # (terms, events), flux included


@dataclasses.dataclass(frozen=True, eq=False)
class Integrand:
    """The sum over subprocesses of flux x |M|^2 x Jacobian x cuts, in pb (decays: GeV).

    f is zero, log f = -inf, outside the cube and the cuts. beam_energies: GeV per beam, () for
    decays.
    """

    model: Model
    external: Mapping[str, float]
    components: tuple[Component, ...]
    topologies: tuple[EventTopology, ...]
    beam_particles: tuple[int, ...]
    beam_energies: tuple[float, ...]
    renormalization_scale: float
    factorization_scale: float

    @property
    def dim(self) -> int:
        return self.components[0].mapping.dim

    @property
    def n_channels(self) -> int:
        return 1

    @property
    def n_initial(self) -> int:
        return self.topologies[0].n_initial

    @property
    def unit(self) -> str:
        return "pb" if self.n_initial == 2 else "GeV"

    @property
    def parameters(self) -> dict[str, float]:
        """External parameters by their UFO names."""
        return dict(self.external)

    @functools.cached_property
    def derived(self) -> dict[str, Any]:
        """All parameters of the model as numbers."""
        with jax.ensure_compile_time_eval():  # also when first asked for inside a trace
            values = self.model.derive(self.external)
        return {k: complex(v) if np.iscomplexobj(v) else float(v) for k, v in values.items()}

    @property
    def masses(self) -> dict[int, float]:
        """Masses in GeV by PDG id."""
        return self._by_pdg("mass")

    @property
    def widths(self) -> dict[int, float]:
        """Widths in GeV by PDG id."""
        return self._by_pdg("width")

    def _by_pdg(self, attribute: str) -> dict[int, float]:
        particles = (p for p in self.model.particles.values() if p.pdg > 0)
        return {p.pdg: self.derived.get(getattr(p, attribute), 0.0) for p in particles}

    # -- values ---------------------------------------------------------------------------------

    def log_density(self, u: Array, parameters: Mapping[str, Any] | None = None) -> Array:
        """log f at u (..., dim); f in pb, or GeV for a decay.

        parameters: external parameters that replace those of the card; traced, so that f can be
        differentiated in them. Couplings (aS) may have one value per event.
        """
        shape, u, derived = self._prepare(u, parameters)
        return _log(self._total(u, derived)).reshape(shape)

    def _total(self, u: Array, derived: Mapping[str, Array]) -> Array:
        """f at u (dim, events): zero outside the cube."""
        inside = jnp.all((u >= 0) & (u <= 1), axis=0)
        total = jnp.zeros(u.shape[-1])
        for component in self.components:
            sampled = self._sample(component, jnp.clip(u, 0.0, 1.0), derived)
            open_ = jnp.isfinite(sampled.log_jacobian)
            jacobian = jnp.where(open_, jnp.exp(jnp.where(open_, sampled.log_jacobian, 0.0)), 0.0)
            total = total + jacobian * sampled.values.sum(axis=0)
        return jnp.where(inside, total, 0.0)

    def point(
        self,
        u: Array,
        channel: Array | int = 0,
        parameters: Mapping[str, Any] | None = None,
        map_parameters: Any = (),
    ) -> Point:
        """Everything about the points u (events, dim) drawn with the channels `channel`.

        map_parameters: of trainable maps; () for fixed ones. With subprocesses of different masses
        the Jacobian is that of the first.
        """
        del channel, map_parameters  # one fixed channel
        _, u, derived = self._prepare(u, parameters)
        log_total = _log(self._total(u, derived))
        sampled = [self._sample(c, jnp.clip(u, 0.0, 1.0), derived) for c in self.components]
        log_jacobian = sampled[0].log_jacobian
        n_events = u.shape[-1]
        scales = jnp.array([[self.renormalization_scale], [self.factorization_scale]])
        return Point(
            log_f=jnp.where(jnp.isneginf(log_total), -jnp.inf, log_total - log_jacobian),
            log_jacobian=log_jacobian,
            log_prior=jnp.zeros((1, n_events)),
            features=jnp.zeros((0, n_events)),
            momenta=sampled[0].lab,
            subprocess=self._log_shares(sampled),
            scales=jnp.broadcast_to(scales, (2, n_events)),
        )

    def _log_shares(self, sampled: list[_Sampled]) -> Array:
        shares = [jnp.zeros(0)] * len(self.topologies)
        for component, values in zip(self.components, sampled, strict=True):
            weights = values.values * jnp.exp(values.log_jacobian)
            for term, weight in zip(component.terms, weights, strict=True):
                for number in term.subprocesses:
                    shares[number] = weight / len(term.subprocesses)
        stacked = jnp.stack(shares)
        return jnp.log(stacked) - jnp.log(stacked.sum(axis=0))

    def _prepare(
        self, u: Array, parameters: Mapping[str, Any] | None
    ) -> tuple[tuple[int, ...], Array, dict[str, Any]]:
        """The shape of the result, u as (dim, events), and derived parameters."""
        u = jnp.asarray(u, dtype=jnp.float64)
        if u.ndim == 0 or u.shape[-1] != self.dim:
            raise InputError("u has the wrong shape", found=u.shape, allowed=f"(..., {self.dim})")
        derived: dict[str, Any] = self.derived
        if parameters:
            derived = self.model.derive(self._with_external(parameters))
        return u.shape[:-1], u.reshape(-1, self.dim).T, derived

    def _with_external(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.model.parameters(parameters)  # refuses unknown names
        return {**self.external, **parameters}

    def _collision(self, component: Component, derived: Mapping[str, Array]) -> Collision:
        masses = [value_of(derived, name) for name in component.masses[: self.n_initial]]
        if self.n_initial == 1:
            return decay_at_rest(masses[0])
        first, second = self.beam_energies
        return fixed_beams((first, second), (masses[0], masses[1]))

    def _sample(self, component: Component, u: Array, derived: Mapping[str, Array]) -> _Sampled:
        collision = self._collision(component, derived)
        kinematics = component.kinematics(collision, derived, self.n_initial)
        final, log_jacobian = component.mapping.forward(u, kinematics)
        momenta = _with_beams(collision.incoming, final)
        lab = _boost_z(momenta, collision.beta) if self.n_initial == 2 else momenta
        values = [term.value(momenta, lab, derived) for term in component.terms]
        return _Sampled(momenta, lab, log_jacobian, collision.factor * jnp.stack(values))

    # -- momenta --------------------------------------------------------------------------------

    def momenta(self, u: Array, channel: int = 0, subprocess: int = 0) -> Array:
        """Momenta (..., n_external, 4) in GeV at u (..., dim), lab frame, first beam along +z."""
        del channel
        shape, u, derived = self._prepare(u, None)
        component = self._component_of(subprocess)
        collision = self._collision(component, derived)
        final, _ = component.mapping.forward(
            u, component.kinematics(collision, derived, self.n_initial)
        )
        lab = _boost_z(_with_beams(collision.incoming, final), collision.beta)
        return jnp.moveaxis(lab, -1, 0).reshape(*shape, *lab.shape[:2])

    def unit_cube(self, momenta: Array, channel: int = 0, subprocess: int = 0) -> Array:
        """u (..., dim) of lab momenta (..., n_external, 4): the inverse map.

        Outside of the cube (or not finite) for momenta that the map does not reach.
        """
        del channel
        momenta = jnp.asarray(momenta, dtype=jnp.float64)
        shape = momenta.shape[:-2]
        _, _, derived = self._prepare(jnp.zeros((1, self.dim)), None)
        component = self._component_of(subprocess)
        collision = self._collision(component, derived)
        lab = jnp.moveaxis(momenta.reshape(-1, *momenta.shape[-2:]), 0, -1)[self.n_initial :]
        rest = _boost_z(lab, -collision.beta)
        u, _ = component.mapping.inverse(
            rest, component.kinematics(collision, derived, self.n_initial)
        )
        return u.T.reshape(*shape, self.dim)

    def _component_of(self, subprocess: int) -> Component:
        for component in self.components:
            if any(subprocess in term.subprocesses for term in component.terms):
                return component
        raise InputError(
            "no such subprocess", found=subprocess, allowed=f"0 to {len(self.topologies) - 1}"
        )

    # -- events ---------------------------------------------------------------------------------

    @property
    def drawing_evaluates(self) -> bool:
        """Whether draw_events evaluates f: to choose among subprocesses or colour flows."""
        terms = [term for component in self.components for term in component.terms]
        return len(terms) > 1 or len(terms[0].element.flow_numbers) > 1

    def draw_events(self, u: Array, key: Array) -> dict[str, Array]:
        """The events at u (events, dim): momenta; drawn with the key: subprocess, colour flow.

        Subprocesses are drawn in proportion to their part of f, colour flows in proportion to their
        squared partial amplitudes.
        """
        _, u, derived = self._prepare(u, None)
        n_events = u.shape[-1]
        key_term, key_same, key_flow = jax.random.split(key, 3)
        sampled = [self._sample(component, u, derived) for component in self.components]
        terms = [term for component in self.components for term in component.terms]
        owner = np.repeat(np.arange(len(sampled)), [len(c.terms) for c in self.components])
        term = jnp.zeros(n_events, dtype=int)
        if len(terms) > 1:
            weights = jnp.concatenate([s.values * jnp.exp(s.log_jacobian) for s in sampled])
            term = jax.random.categorical(key_term, jnp.log(weights), axis=0)
        chosen = jnp.asarray(owner)[term]
        lab, momenta = sampled[0].lab, sampled[0].momenta
        for number, other in enumerate(sampled[1:], start=1):
            lab = jnp.where(chosen == number, other.lab, lab)
            momenta = jnp.where(chosen == number, other.momenta, momenta)
        ones = jnp.ones(n_events)
        return {
            "momenta": jnp.moveaxis(lab, -1, 0),
            "topology": _draw_subprocess(terms, term, key_same),
            "flow": _draw_flow(terms, term, momenta, derived, key_flow),
            "scale": self.factorization_scale * ones,
            "aqed": ones / derived["aEWM1"],
            "aqcd": ones * derived["aS"],
        }


def _draw_subprocess(terms: list[Term], term: Array, key: Array) -> Array:
    """One of the equal subprocesses of the drawn terms, with equal probability."""
    counts = np.array([len(t.subprocesses) for t in terms])
    table = np.zeros((len(terms), counts.max()), dtype=np.int64)
    for row, entry in zip(table, terms, strict=True):
        row[: len(entry.subprocesses)] = entry.subprocesses
    pick = jnp.floor(jax.random.uniform(key, term.shape) * jnp.asarray(counts)[term])
    return jnp.asarray(table)[term, pick.astype(int)]


def _draw_flow(
    terms: list[Term], term: Array, momenta: Array, derived: Mapping[str, Array], key: Array
) -> Array:
    """The number of a colour flow of the matrix element of the drawn terms."""
    flow = jnp.zeros(term.shape, dtype=int)
    elements = list(dict.fromkeys(t.element for t in terms))
    for number, element in enumerate(elements):
        if len(element.flow_numbers) == 1:
            continue
        turned = momenta
        mine = jnp.zeros(term.shape, dtype=bool)
        for i, entry in enumerate(terms):
            if entry.element is element:
                mine |= term == i
                turned = jnp.where(term == i, momenta[np.array(entry.legs)], turned)
        weights = element.flow_weights(turned, derived)
        drawn = jax.random.categorical(jax.random.fold_in(key, number), jnp.log(weights), axis=0)
        flow = jnp.where(mine, drawn, flow)
    return flow


def _log(value: Array) -> Array:
    """Natural log of f >= 0; NaN stays NaN, so that it is counted and not taken for zero."""
    zero = value == 0
    return jnp.where(zero, -jnp.inf, jnp.log(jnp.where(zero, 1.0, value)))


def _with_beams(incoming: Array, final: Array) -> Array:
    beams = jnp.broadcast_to(incoming[..., None], (*incoming.shape, final.shape[-1]))
    return jnp.concatenate([beams, final])


def _boost_z(momenta: Array, beta: Array) -> Array:
    """Momenta (n, 4, events) from where they move with an additional velocity beta along z."""
    gamma = 1 / jnp.sqrt(1 - beta**2)
    energy, along = momenta[:, 0], momenta[:, 3]
    return jnp.stack(
        [
            gamma * (energy + beta * along),
            momenta[:, 1],
            momenta[:, 2],
            gamma * (along + beta * energy),
        ],
        axis=1,
    )
