"""fabgen plot: which pictures a run has, and that they are there and the same again."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen import run as pipeline
from fabgen.card import card_of_process
from fabgen.compiler import Compiler
from fabgen.errors import FabgenError, InputError
from fabgen.integrand.density import DensityIntegrand
from fabgen.integrand.point import UNKNOWN_HELICITY, EventFields
from fabgen.plot import style
from fabgen.process.event_topology import EventTopology, Resonance
from fabgen.run import RunOptions
from fabgen.run.auto.goal import Goal, Measured
from fabgen.run.auto.record import UNIFORM, Choice, RoundRecord, read
from fabgen.run.directory import open_run, stored_card
from fabgen.run.pictures.draw import counted, pictures, process_title
from fabgen.run.pictures.samples import draw_samples
from fabgen.run.progress import Silent, Stopwatch
from fabgen.run.session import Session, Trained
from fabgen.surrogate import ChannelWeights, MultiChannel, Uniform, untrained_surrogate
from fabgen.surrogate.channel_weights import ChannelLayout

SMALL = (
    "surrogate.layers=1",
    "surrogate.hidden=[4]",
    "surrogate.bins=4",
    "training.method=rkld",
    "training.steps=4",
    "training.batch_size=32",
    "training.log_every=2",
    "training.checkpoint_every=2",
    "surrogate.vegas={iterations = 3, evaluations = 1000, bins = 16}",
    "evaluation.samples=2000",
)


FINAL_OF_W = ["pt_mu_plus", "pt_nu_mu", "y_mu_plus", "y_nu_mu"]


class TwoBody(DensityIntegrand):
    """f(u) = 2 u1^2 (1 + u2) GeV of a decay into two massless particles, back to back."""

    dim = 2
    n_initial = 1
    unit = "GeV"
    beam_particles = (24,)
    beam_energies = ()
    parameters = MappingProxyType({"aEWM1": 132.507})
    masses = MappingProxyType({})
    widths = MappingProxyType({})
    topologies = (EventTopology(pdg=(24, -13, 14), n_initial=1, masses=(80.0, 0.0, 0.0)),)

    def log_density(self, u, parameters=None):
        inside = jnp.all((u >= 0.0) & (u <= 1.0), axis=-1)
        f = 2.0 * u[..., 0] ** 2 * (1.0 + u[..., 1])
        return jnp.where(inside, jnp.log(jnp.where(inside, f, 1.0)), -jnp.inf)

    def draw(self, points, key, parameters=None):
        return events_of(two_bodies(points.final))


def two_bodies(x):
    """Momenta (3, 4, events) at the points x (2, events)."""
    cosine, phi = 2.0 * x[0] - 1.0, 2.0 * np.pi * x[1]
    sine = jnp.sqrt(1.0 - cosine**2)
    direction = jnp.stack([sine * jnp.cos(phi), sine * jnp.sin(phi), cosine])
    energy = jnp.full((1, x.shape[1]), 40.0)
    rest = jnp.broadcast_to(jnp.asarray([80.0, 0.0, 0.0, 0.0])[:, None], (4, x.shape[1]))
    return jnp.stack(
        [rest, *(jnp.concatenate([energy, 40.0 * p]) for p in (direction, -direction))]
    )


def events_of(momenta):
    """Events of the first subprocess."""
    none = jnp.zeros(momenta.shape[-1], jnp.int32)
    return EventFields(
        momenta=momenta,
        subprocess=none,
        flow=none,
        resonances=none,
        helicity=jnp.full(momenta.shape[::2], UNKNOWN_HELICITY, jnp.int8),
        scale=none - 1.0,
        alpha_qed=none - 1.0,
        alpha_s=none - 1.0,
    )


class ThreeBody(TwoBody):
    """The same with a particle more, in one of two subprocesses."""

    topologies = tuple(
        EventTopology(
            pdg=(6, 5, pdg, -pdg + 1),
            n_initial=1,
            masses=(173.0, 0.0, 0.0, 0.0),
            resonances=(Resonance(24, (2, 3)),),
        )
        for pdg in (-11, -13)
    )

    def draw(self, points, key, parameters=None):
        pair = jax.random.uniform(key, points.final.shape[1:])
        a = jnp.stack([pair, pair * 0, pair * 0, pair])
        return events_of(jnp.concatenate([two_bodies(points.final), a[None]]))


class TwoChannels(TwoBody):
    """The same f on two cubes, x = u and x1 = sqrt(u1), with the densities 1 and 2 x1."""

    n_features = 2
    component_of_channel = (0, 0)

    def map(self, u, channel=0, parameters=None, map_parameters=()):
        points = super().map(u, channel)
        first, second = points.final
        warped = points.channel == 1
        x = jnp.stack([jnp.where(warped, jnp.sqrt(first), first), second])
        more = jnp.where(warped, -jnp.log(2.0 * x[0]), 0.0)
        return points._replace(final=x, log_jacobian=points.log_jacobian + more)

    def evaluate(self, points, parameters=None):
        x = points.final
        log_g = jnp.stack([jnp.zeros(x.shape[1]), jnp.log(2.0 * x[0])])
        log_prior = jax.nn.log_softmax(log_g, axis=0)
        return self.at(points, self.log_density(x.T), log_prior, features=x)


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    monkeypatch.setattr("fabgen.build.build_integrands", lambda card, note: (TwoBody(),))


def card(*settings: str):
    return card_of_process("w+ > mu+ vm", (*SMALL, *settings))


@pytest.fixture(scope="module")
def finished(how, tmp_path_factory):
    """A run that was trained, to be copied."""
    directory = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fabgen.build.build_integrands", lambda card, note: (TwoBody(),))
        pipeline.train(card(), directory, how)
    return directory


@pytest.fixture
def trained(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def quick(monkeypatch):
    """Figures are made, but neither arranged nor written as they are: that takes most of the time.

    The first test here and those of fabgen.plot do both.
    """
    monkeypatch.setattr("fabgen.plot.style.encode", lambda figure, file_format: b"picture")
    for module in ("distributions", "weights"):
        monkeypatch.setattr(f"fabgen.plot.{module}.legend_above", lambda axes: 1.0)


def names(paths) -> list[str]:
    return [path.stem for path in paths]


def test_pictures_of_a_trained_flow(how, trained, monkeypatch):
    """The first of each kind as they are: the other distributions are drawn in the same way."""

    def only(wanted):
        """Arranges and writes these figures, by their number, and fills the other files."""
        encode, number = style.encode, itertools.count()

        def replaced(figure, file_format):
            return encode(figure, file_format) if next(number) in wanted else b"picture"

        return replaced

    def rest():
        files = [p for p in trained.rglob("*") if p.is_file() and p.parent.name != "plots"]
        return {p: p.read_bytes() for p in files if p.name != ".lock"}

    before, made_with = rest(), stored_card(trained)
    with monkeypatch.context() as patch:
        patch.setattr(style, "encode", only({0, 1, 2, 3}))
        plotting = pipeline.plot(trained, how)
        paths = list(itertools.islice(plotting, 4))
        patch.setattr("fabgen.plot.distributions.legend_above", lambda axes: 1.0)
        paths += plotting
    # The mass of the pair is the same in all events: there is nothing to see.
    assert names(paths) == ["training", "weights", "hypercube", *FINAL_OF_W]
    assert {path.parent for path in paths} == {trained / "plots"}
    for path in paths[:4]:
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert path.stat().st_size > 10_000
    assert sorted(p.name for p in (trained / "plots").iterdir()) == sorted(p.name for p in paths)
    # Plotting changes nothing else, and the same run gives the same pictures.
    assert rest() == before
    assert stored_card(trained) == made_with
    weights = paths[1].read_bytes()
    monkeypatch.setattr(style, "encode", only({1}))
    _, again = itertools.islice(pipeline.plot(trained, how), 2)
    assert again == paths[1]
    assert again.read_bytes() == weights


class Notes(Silent):
    """Keeps the notes of a run and the stages with their sizes."""

    def __init__(self):
        self.lines, self.stages = [], []

    def stage(self, name, total, unit):
        self.stages.append((name, total))
        return super().stage(name, total, unit)

    def note(self, text):
        self.lines.append(text)


@pytest.mark.parametrize(("kind", "first"), [("vegas", "training"), ("uniform", "weights")])
def test_other_surrogates(how, quick, tmp_path, kind, first):
    pipeline.train(card(f"surrogate.kind={kind}"), tmp_path, how)
    notes = Notes()
    found = names(pipeline.plot(tmp_path, dataclasses.replace(how, reporter=notes), samples=3000))
    assert ("surrogate", 3000) in notes.stages
    assert found[0] == first
    assert found[-1] == FINAL_OF_W[-1]


def test_a_decay_into_three_has_a_dalitz_plot(how, quick, trained, monkeypatch):
    monkeypatch.setattr("fabgen.build.build_integrands", lambda card, note: (ThreeBody(),))
    found = names(pipeline.plot(trained, how))
    assert found[3] == "dalitz"
    assert "mass_W_plus" in found
    assert "pt_b" in found


def test_an_unfinished_training_has_its_course_only(trained):
    shutil.rmtree(trained / "surrogate")
    notes = Notes()
    [path] = pipeline.plot(trained, RunOptions(reporter=notes), file_format="pdf")
    assert path.name == "training.pdf"
    assert path.read_bytes().startswith(b"%PDF")
    assert notes.lines == ["the training is not finished: drawing its course so far, only"]


@pytest.mark.parametrize("line", [b"", b'{"step": 2, "lo'])
@pytest.mark.parametrize("folder", [True, False])
def test_an_unfinished_training_without_a_log_is_wrong_input(how, trained, line, folder):
    (trained / "training.jsonl").write_bytes(line)
    shutil.rmtree(trained / "surrogate")
    if folder:
        (trained / "surrogate").mkdir()
    with pytest.raises(InputError, match="nothing to draw"):
        list(pipeline.plot(trained, how))


def test_a_run_that_holds_nothing_is_wrong_input(tmp_path, how):
    with open_run(tmp_path, card()):
        pass
    with pytest.raises(InputError, match="nothing to draw"):
        list(pipeline.plot(tmp_path, how))
    with pytest.raises(InputError, match="there is no run here"):
        list(pipeline.plot(tmp_path / "elsewhere", how))
    assert not (tmp_path / "plots").exists()


def test_an_integrand_that_vanishes_fails(how, trained, monkeypatch):
    class Nothing(TwoBody):
        def log_density(self, u, parameters=None):
            return jnp.full(u.shape[:-1], -jnp.inf)

    monkeypatch.setattr("fabgen.build.build_integrands", lambda card, note: (Nothing(),))
    with pytest.raises(FabgenError, match="vanishes at all 2000 points"):
        list(pipeline.plot(trained, how))


@pytest.fixture(scope="module")
def of_channels():
    """A session of two channels, a surrogate of grids with trained weights, and its samples."""
    settings = ("surrogate.kind=vegas", "evaluation.samples=16000")
    session = Session(card(*settings), None, TwoChannels(), Silent(), Stopwatch(), Compiler())
    surrogate = MultiChannel(
        Uniform(2), ChannelLayout((0, 0)), (0, 0), weights=ChannelWeights(2, 2, (4,)), grid_bins=4
    )
    params = surrogate.init(jax.random.key(1))
    trained = Trained(
        surrogate,
        params._replace(
            grid=params.grid ** jnp.asarray([0.5, 0.8])[:, None, None],
            weights=jax.tree.map(
                lambda a: a + jnp.full(a.shape, 0.2).at[..., 0].set(0.0), params.weights
            ),
        ),
    )
    return session, trained, draw_samples(session, trained, 16_000)


def test_all_samples_of_several_channels_estimate_one_integral(of_channels):
    """1 GeV; and the mean of cos(theta) = 2 x1 - 1, of which the momenta know, is 1/2."""
    *_, samples = of_channels
    both = np.concatenate(samples.reference_weights()), np.concatenate(samples.target())
    weights = [*(part.weights for part in samples.parts), np.exp(samples.untrained), *both]
    cosines = [part.momenta[:, 1, 3] / 40.0 for part in samples.parts]
    cosines = [*cosines, None, np.concatenate(cosines[1:]), np.concatenate(cosines)]
    for w, cosine in zip(weights, cosines, strict=True):
        for values, expected in ((w, 1.0), (w * cosine if cosine is not None else w / 2, 0.5)):
            error = np.std(values) / np.sqrt(len(values))
            assert 0.0 < error < 0.02
            assert abs(np.mean(values) - expected) < 4.0 * error
    surrogate, again, flat = samples.parts
    assert len(np.unique(np.concatenate([surrogate.u, again.u, flat.u]), axis=0)) == 48_000
    counts = [np.bincount(part.channel) for part in samples.parts]
    assert min(counts[0]) > 3000
    np.testing.assert_allclose(counts, [counts[0]] * 3, atol=50)  # the same probabilities


def test_the_hypercube_of_several_channels_is_that_of_the_largest(of_channels, monkeypatch):
    session, trained, samples = of_channels
    drawn = []
    monkeypatch.setattr("fabgen.plot.cube.corner_plot", lambda *given: drawn.append(given))
    found = dict(itertools.islice(pictures(session, [], samples, trained), 2))
    assert list(found) == ["weights", "hypercube"]
    [(cubes, title, _)] = drawn
    integrals = [np.sum(samples.surrogate.weights[samples.surrogate.channel == i]) for i in (0, 1)]
    largest = np.argmax(integrals)
    assert title.endswith(f"\nchannel {largest + 1} of 2")
    assert all(np.all(part.channel == largest) and len(part) > 1000 for part in cubes.parts)


def test_several_channels_without_training_have_no_reference(of_channels):
    session, *_ = of_channels
    flat = untrained_surrogate(2, ChannelLayout((0, 0)))
    samples = draw_samples(session, Trained(flat, flat.init(jax.random.key(1))), 1000)
    assert samples.reference is None
    assert samples.untrained is None


MEASURED = Measured(0.9, 0.5, 0.6, 1e-6, 16_384)


def choice_of(chosen: str | None, plan: str = "flow") -> Choice:
    """A survey of 400,000 evaluations, and 16,384 after each of two rounds of training."""
    choice = Choice(Goal(20_000, 1000, 0.9), {UNIFORM: MEASURED}, 400_000, plan, "why")
    for step in (256, 768):
        choice = choice.with_round(RoundRecord(step, 0.1, MEASURED, True, "why"), 16_384)
    return dataclasses.replace(choice, chosen=chosen)


def lines_of(*steps: int) -> list[dict]:
    return [{"step": step, "target_evaluations": 1000 * step} for step in steps]


def evaluations(*given) -> list[int]:
    return [line["target_evaluations"] for line in counted(*given)]


def test_the_curve_of_a_training_counts_its_own_evaluations():
    assert evaluations(lines_of(20, 256), None, 256_000) == [20_000, 256_000]
    assert evaluations([], choice_of("flow"), 5) == []


@pytest.mark.parametrize("chosen", ["flow", "small-flow", None])
def test_the_curve_of_an_automatic_training_counts_survey_and_rounds(chosen):
    """The report adds the measurement after the last round, and nothing else, to the last line."""
    known = choice_of(chosen)
    total = None if chosen is None else known.evaluations + 768_000
    found = evaluations(lines_of(20, 256, 257, 768), known, total)
    assert found == [420_000, 656_000, 657_000 + 16_384, 768_000 + 416_384]
    if total is not None:
        assert total - found[-1] == 16_384


@pytest.mark.parametrize("plan", ["vegas", "flow"])
def test_the_curve_of_a_chosen_grid_ends_at_what_the_report_counts(plan):
    known = choice_of("vegas", plan)
    assert evaluations(lines_of(1, 2), known, 900_000) == [899_000, 900_000]


def test_the_evaluations_of_a_round_are_kept(tmp_path):
    known = choice_of("flow").store(tmp_path / "auto.json")
    again = read(tmp_path / "auto.json")
    assert again == known
    assert [record.evaluations for record in again.rounds] == [16_384, 16_384]
    assert known.evaluations == 432_768


def title_of(process, topologies=TwoBody.topologies, **settings) -> str:
    made = dataclasses.replace(card(), process=tuple(process), **settings)
    integrand = TwoBody()
    integrand.topologies = topologies
    return process_title(Session(made, None, integrand, Silent(), Stopwatch(), Compiler()))


def test_titles_are_the_processes_of_the_card():
    both = ["e+ e- > t t~, t > w+ b", "g g > z / h"]
    assert title_of(both) == (
        r"$e^{+}$ $e^{-}$ $\to$ $t$ $\overline{t}$, $t$ $\to$ $W^{+}$ $b$; "
        r"$g$ $g$ $\to$ $Z$ / $H$"
    )
    assert title_of(["toy:camel-back"], ()) == "toy:camel-back"
    decay = title_of(["Lambda_c+ > p K- pi+"], model="lc2pkpi")
    assert decay == r"$W^{+} \to \mu^{+}\,\nu_{\mu}$"  # of the particles of its events
