"""Whatever is asked of the engine, in whatever groups: every run equals one by hand."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headscope.model import patching
from headscope.model.patched_runs import PatchedRun
from headscope.model.patching import PatchingEngine, Work
from headscope.model.recorded import Patch, record
from tests import models, naive
from tests.conftest import FAMILIES

N_LAYERS, D_MLP = models.N_LAYERS, 2 * models.D_MODEL
IDS = st.integers(1, models.D_VOCAB - 1)


def units_of(bridge, site):
    if site in naive.STREAMS:
        return 0
    shared = getattr(bridge.cfg, "n_key_value_heads", None) or models.N_HEADS
    return {"k": shared, "v": shared, "mlp_post": D_MLP}.get(site, models.N_HEADS)


@cache
def everything(bridge, ids):
    """Every place's activation in a run, by hand."""
    return naive.activations(
        bridge, ids, [naive.hook(s, i) for s in naive.sites_of(bridge) for i in range(N_LAYERS)]
    )


@st.composite
def patches(draw, bridge, length):
    """Site, layer, positions and unit of the patches of one run, no place twice."""
    places = st.tuples(st.sampled_from(naive.sites_of(bridge)), st.integers(0, N_LAYERS - 1))

    def boundary(place):  # what leaves a block is what enters the next
        site, layer = place
        return ("resid_pre", layer + 1) if site == "resid_post" else place

    found = []
    for site, layer in draw(st.lists(places, min_size=1, max_size=3, unique_by=boundary)):
        positions = draw(st.sets(st.integers(0, length - 1), min_size=1))
        n_units = units_of(bridge, site)
        unit = draw(st.none() | st.integers(0, n_units - 1)) if n_units else None
        found.append((site, layer, tuple(sorted(positions)), unit))
    return found


@st.composite
def problems(draw):
    """A bridge's name, prompts, where to read, and which runs are asked for."""
    name = draw(st.sampled_from(FAMILIES))
    length = draw(st.integers(1, 7))
    prompts = st.lists(IDS, min_size=length, max_size=length).map(tuple)
    bases = draw(st.lists(prompts, min_size=1, max_size=3))
    source = draw(prompts)
    read = draw(st.sets(st.integers(0, length - 1), min_size=1, max_size=2))
    return name, bases, source, tuple(sorted(read))


@settings(max_examples=25)
@given(problem=problems(), data=st.data(), group=st.integers(1, 60), step=st.sampled_from([0, 1]))
def test_every_run_equals_the_run_by_hand(families, problem, data, group, step):
    name, bases, source, read = problem
    bridge, length = families[name], len(source)
    values = everything(bridge, source)
    n_runs = data.draw(st.integers(1, 6))
    asked = []
    for _ in range(n_runs):
        base = data.draw(st.integers(0, len(bases) - 1))
        asked.append((base, data.draw(patches(bridge, length))))
    runs = [
        PatchedRun(base, tuple(made(values, *place)[0] for place in places))
        for base, places in asked
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(patching.PatchingEngine, "most_tokens", group)
        patched.setattr(patching, "STEP_S", step)
        engine = PatchingEngine(bridge, record(bridge, bases), read)
        found = {}
        for progress in engine.compute(runs):
            assert not found.keys() & set(progress.runs)
            found |= dict(zip(progress.runs, progress.streams, strict=True))
    assert sorted(found) == list(range(n_runs))
    for i, (base, places) in enumerate(asked):
        changes = [made(values, *place)[1] for place in places]
        expected = final_stream(bridge, bases[base], changes)[list(read)]
        assert (found[i] - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("site", ["resid_pre", "resid_post", "q", "v"])
@pytest.mark.parametrize("name", FAMILIES)
def test_runs_that_join_together_from_several_prompts(families, name, site):
    bridge = families[name]
    bases, source = [(1, 2, 3, 4, 5), (6, 7, 8, 9, 1), (2, 4, 6, 8, 3)], (9, 8, 7, 6, 5)
    values, unit = everything(bridge, source), 0 if site in ("q", "v") else None
    asked = [
        (b, made(values, site, 0, (p, 4)[: 1 + (p < 4)], unit)) for b in (2, 0) for p in (3, 1, 4)
    ]
    engine = PatchingEngine(bridge, record(bridge, bases), (2, 4))
    found = {}
    for progress in engine.compute([PatchedRun(base, (patch,)) for base, (patch, _) in asked]):
        found |= dict(zip(progress.runs, progress.streams, strict=True))
    for i, (base, (_, change)) in enumerate(asked):
        expected = final_stream(bridge, bases[base], [change])[[2, 4]]
        assert (found[i] - expected).abs().max() <= 1e-5 * expected.abs().max()


def made(values, site, layer, positions, unit):
    """The patch, and the change by hand."""
    name, where = naive.hook(site, layer), naive.where(site, list(positions), unit)
    value = values[name][where]
    return Patch(site, layer, positions, value, unit), naive.Change(name, where, value)


def final_stream(bridge, ids, changes):
    kept = []
    end = (naive.hook("resid_post", N_LAYERS - 1), lambda x, hook: kept.append(x[0].clone()))

    def write(change):
        def apply(activation, hook):
            activation[0][change.where] = change.value
            return activation

        return change.hook, apply

    with torch.no_grad():
        bridge.run_with_hooks(
            torch.tensor([ids]), fwd_hooks=[*(write(change) for change in changes), end]
        )
    return kept[0]


# What the engine says about its work.

BASE, SOURCE = (0, 5, 9, 13, 21, 30), (0, 6, 17, 13, 40, 22)


@pytest.fixture
def engine(gpt2):
    return PatchingEngine(gpt2, record(gpt2, [BASE]), (5,))


@pytest.fixture
def runs(gpt2):
    values = everything(gpt2, SOURCE)
    return [
        PatchedRun(0, (made(values, "resid_pre", layer, (position,), None)[0],))
        for layer in range(N_LAYERS)
        for position in range(len(BASE))
    ]


def test_the_most_important_run_is_in_the_first_group(engine, runs, monkeypatch):
    monkeypatch.setattr(PatchingEngine, "most_tokens", 7)
    for important in (0, 7, 16):
        importance = [float(i == important) for i in range(len(runs))]
        groups = [p.runs for p in engine.compute(runs, importance) if p.runs]
        assert len(groups) > 3
        assert important in groups[0]


def test_progress_rises_to_one(engine, runs, monkeypatch):
    monkeypatch.setattr(patching, "STEP_S", 0.0)
    monkeypatch.setattr(PatchingEngine, "most_tokens", 20)
    fractions = [progress.fraction for progress in engine.compute(runs)]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < 0.5
    assert fractions[-1] == pytest.approx(1)


def test_work_is_counted_in_tokens_through_blocks(engine, runs):
    list(engine.compute(runs))
    # Layer by layer: blocks that are left, times positions that are left.
    assert engine.work.needed == sum(blocks * sum(range(1, 7)) for blocks in (3, 2, 1))
    assert engine.work.needed <= engine.work.done <= sum(6 * 6 * blocks for blocks in (3, 2, 1))
    assert engine.work.seconds > 0


def test_runs_that_cannot_differ_are_not_run(gpt2, monkeypatch):
    values = everything(gpt2, SOURCE)
    engine = PatchingEngine(gpt2, record(gpt2, [BASE]), (3,))
    late = PatchedRun(0, (made(values, "resid_pre", 0, (4, 5), None)[0],))
    unread = PatchedRun(0, (made(values, "mlp_out", 2, (1,), None)[0],))
    monkeypatch.setattr(gpt2, "run_with_hooks", None)
    (progress,) = engine.compute([late, unread])
    assert progress.runs == (0, 1)
    assert torch.equal(progress.streams, engine.base(0).expand(2, 1, -1))


def test_groups_stay_within_the_memory(engine, runs, monkeypatch):
    monkeypatch.setattr(patching, "_GROUP_BYTES", 12.5 * engine._token_bytes)
    groups = [progress.runs for progress in engine.compute(runs)]
    tokens = [len(group) * (6 - min(runs[i].position for i in group)) for group in groups]
    assert 6 < max(tokens) <= 12
    monkeypatch.setattr(patching, "_GROUP_BYTES", 0)
    assert {len(progress.runs) for progress in engine.compute(runs)} == {1}


@given(
    fixed=st.floats(4, 120),
    each=st.floats(1e-7, 1e-4),
    sizes=st.lists(
        st.tuples(st.integers(1, 12), st.integers(16, 4000)), min_size=2, max_size=8, unique=True
    ).filter(lambda sizes: max(t / b for b, t in sizes) > 2 * min(t / b for b, t in sizes)),
)
def test_time_is_fitted_as_a_cost_per_block_and_one_per_token(fixed, each, sizes):
    work = Work()
    for blocks, tokens in sizes:
        work.add(blocks, tokens, each * (tokens + fixed * blocks))
    assert work.fixed == pytest.approx(fixed, rel=1e-3)
    assert work.predicted(5, 700) == pytest.approx(each * (700 + 5 * fixed), rel=1e-3)
