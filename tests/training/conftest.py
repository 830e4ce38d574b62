"""A small surrogate and small targets on the unit square for the tests of training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from fabgen.card import FabOptions, TrainingOptions
from fabgen.integrand.density import DensityIntegrand

TINY = 1e-12


@dataclass(frozen=True)
class Kumaraswamy:
    """Product of the densities a b x^(a-1) (1-x^a)^(b-1); parameters (dim, 2): log a, log b.

    Everything is in closed form and differentiable; zero parameters give the uniform density.
    """

    dim: int

    def init(self, key):
        del key
        return {"log_ab": jnp.zeros((self.dim, 2))}

    def sample_and_log_prob(self, params, key, n):
        a, b = jnp.exp(params["log_ab"]).T
        z = jax.random.uniform(key, (n, self.dim), minval=TINY)
        u = (1.0 - (1.0 - z) ** (1.0 / b)) ** (1.0 / a)
        return u, self.log_prob(params, u)

    def log_prob(self, params, u):
        a, b = jnp.exp(params["log_ab"]).T
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        x = jnp.clip(u, TINY, 1.0 - TINY)
        terms = jnp.log(a * b) + (a - 1.0) * jnp.log(x) + (b - 1.0) * jnp.log1p(-(x**a))
        return jnp.where(inside, jnp.sum(terms, axis=-1), -jnp.inf)


@dataclass(frozen=True)
class KumaraswamyTarget(DensityIntegrand):
    """f = norm x a Kumaraswamy product, so a Kumaraswamy surrogate can learn it exactly."""

    log_ab: tuple[tuple[float, float], ...]
    norm: float = 1.0

    @property
    def dim(self):
        return len(self.log_ab)

    def log_density(self, u):
        params = {"log_ab": jnp.asarray(self.log_ab)}
        return Kumaraswamy(self.dim).log_prob(params, u) + jnp.log(self.norm)


@dataclass(frozen=True)
class GaussianTarget(DensityIntegrand):
    """f = exp(-|u - centre|^2 / (2 width^2)) on the cube; optionally cut to u_0 > cut."""

    dim: int = 2
    centre: float = 0.4
    width: float = 0.15
    cut: float = -1.0

    def log_density(self, u):
        value = -0.5 * jnp.sum(((u - self.centre) / self.width) ** 2, axis=-1)
        return jnp.where(u[:, 0] > self.cut, value, -jnp.inf)


class Toys:
    """The classes above, as a fixture: test folders are no packages."""

    Kumaraswamy = Kumaraswamy
    KumaraswamyTarget = KumaraswamyTarget
    GaussianTarget = GaussianTarget

    @staticmethod
    def options(**changes):
        """Options of a training that takes about a second."""
        fab = {"buffer_batches": 8, "buffer_minimum": 2, "updates": 2} | changes.pop("fab", {})
        values = {
            "method": "fab",
            "steps": 40,
            "batch_size": 64,
            "learning_rate": 0.05,
            "log_every": 10,
            "checkpoint_every": 20,
        }
        return TrainingOptions(**(values | changes), fab=FabOptions(**fab))

    @staticmethod
    def fkld_options(fkld, **changes):
        """The same for the forward divergence."""
        return dataclasses.replace(Toys.options(**changes), method="fkld", fkld=fkld)


@pytest.fixture(scope="session")
def toys():
    return Toys


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module", autouse=True)
def compiled_once(cache_folder):
    """One compilation for all runs of one training program."""
    settings = {
        "jax_compilation_cache_dir": cache_folder,
        "jax_persistent_cache_min_compile_time_secs": 0.1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for values in (settings, before):
        compilation_cache.reset_cache()
        for name, value in values.items():
            jax.config.update(name, value)
        if values is settings:
            yield
