"""Runs that start in the middle equal runs by hand from the tokens up."""

from __future__ import annotations

import copy

import pytest
import torch

from headscope.model.attention_scores import attention_scores
from headscope.model.patched_runs import PatchedRun
from headscope.model.recorded import Patch, record
from headscope.model.resumed import Resumption, Shortcuts, drain
from tests import models, naive

BASE, SOURCE = (0, 5, 9, 13, 21, 30), (0, 5, 17, 13, 40, 22)
LENGTH, LAST = len(BASE), models.N_LAYERS - 1
READ = (3, 5)
SHORTCUTS = [
    Shortcuts(layers, prefix, unread)
    for layers, prefix, unread in [
        (True, True, True), (True, True, False), (True, False, True), (True, False, False),
        (False, False, False),
    ]
]  # fmt: skip


@pytest.fixture(params=["gpt2", "llama", "neox", "gemma2"])
def family(request):
    """One bridge of each kind of block."""
    return request.getfixturevalue(request.param)


def final_stream(bridge, ids, changes=(), noise=None, read=READ):
    """`[read, d_model]`, by hand."""
    kept = []
    watch = ("blocks.2.hook_resid_post", lambda x, hook: kept.append(x[0, list(read)].clone()))
    hooks = [(c.hook, write(c)) for c in changes]
    if noise is not None:
        hooks.insert(0, ("blocks.0.hook_resid_pre", lambda x, hook: x + noise))
    with torch.no_grad():
        bridge.run_with_hooks(torch.tensor([list(ids)]), fwd_hooks=[*hooks, watch])
    return kept[0]


def write(change):
    def apply(activation, hook):
        activation[0][change.where] = change.value
        return activation

    return apply


def patch(bridge, site, layer, positions=(2, 5), unit=None):
    """From SOURCE into BASE; with the change by hand that does the same."""
    name = naive.hook(site, layer)
    where = naive.where(site, list(positions), unit)
    value = naive.activations(bridge, SOURCE, [name])[name][where]
    return Patch(site, layer, tuple(positions), value, unit), naive.Change(name, where, value)


def close(found, expected):
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_recorded_runs_are_the_runs(every_bridge):
    places = [("resid_pre", 0), ("z", 1), ("pattern", 2)]
    runs = record(every_bridge, [BASE, SOURCE], places)
    names = [*(naive.hook("resid_pre", i) for i in range(3)), naive.hook("resid_post", LAST)]
    for row, ids in enumerate((BASE, SOURCE)):
        kept = naive.activations(every_bridge, ids, [*names, *(naive.hook(*p) for p in places)])
        close(runs.streams[row], torch.stack([kept[name] for name in names]))
        for place in places:
            close(runs.activations[place][row], kept[naive.hook(*place)])
    assert (len(runs), runs.length) == (2, LENGTH)
    assert "_last_hf_cache" not in every_bridge.__dict__


def test_each_shortcut_leaves_out_only_what_cannot_matter(family):
    resumption = Resumption(family, record(family, [BASE]), READ)
    made = []
    for site in naive.sites_of(family):
        for layer in range(3):
            own, change = patch(family, site, layer, unit=None if site in naive.STREAMS else 1)
            made.append((PatchedRun(0, (own,)), final_stream(family, BASE, [change])))
    made.sort(key=lambda pair: pair[0].layer)
    for resumption.shortcuts in SHORTCUTS:
        for narrow in (True, False):
            chosen = [pair for pair in made if resumption.narrow([pair[0]]) == narrow]
            if chosen:
                found = drain(resumption.streams([run for run, _ in chosen]))
                close(found, torch.stack([expected for _, expected in chosen]))


def test_pauses_at_every_block_change_nothing(family):
    resumption = Resumption(family, record(family, [BASE]), READ)
    made = [patch(family, "resid_post", layer) for layer in range(3)]
    together = [patch(family, "attn_out", 0), patch(family, "resid_post", 1)]
    runs = [PatchedRun(0, (own,)) for own, _ in made]
    runs = [PatchedRun(0, tuple(own for own, _ in together)), *runs]
    changes = [[c for _, c in together], *([c] for _, c in made)]
    steps, pauses = resumption.streams(runs, pauses=range(4)), 0
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found = stop.value
            break
        pauses += 1
    assert pauses == LAST
    for stream, expected in zip(found, changes, strict=True):
        close(stream, final_stream(family, BASE, expected))


def test_a_patch_of_the_middle_of_a_block_reaches_its_skip_connection(family):
    """It equals adding the difference to what attention writes, a change of another hook."""
    if "resid_mid" not in naive.sites_of(family):
        pytest.skip("attention and MLP side by side")
    bridge, recorded = family, record(family, [BASE])
    resumption = Resumption(bridge, recorded, READ)
    # After the attention's own norm, where there is one (Gemma 2).
    post = "blocks.{}.ln1_post.hook_out"
    written = post if post.format(0) in bridge.hook_dict else "blocks.{}.hook_attn_out"
    for layer in range(3):
        own, change = patch(bridge, "resid_mid", layer)
        name = written.format(layer)
        before = naive.activations(bridge, BASE, [change.hook, name])
        value = before[name][change.where] + change.value - before[change.hook][change.where]
        equivalent = naive.Change(name, change.where, value)
        found = drain(resumption.streams([PatchedRun(0, (own,))]))[0]
        assert not torch.equal(found, final_stream(bridge, BASE))
        close(found, final_stream(bridge, BASE, [equivalent]))


@pytest.mark.parametrize("shortcuts", [None, SHORTCUTS[-1]], ids=["found", "none"])
def test_runs_start_from_what_is_pinned_and_disturbed(family, shortcuts):
    noise = torch.randn(1, LENGTH, models.D_MODEL, generator=torch.Generator().manual_seed(1))
    pinned = [patch(family, "z", 0, unit=1), patch(family, "mlp_out", 2, (3,))]
    pinned.append(patch(family, "resid_post", 0, (1, 5)))
    zero = torch.zeros(2, models.D_MODEL)  # where a patch comes too, the patch counts
    pinned.append(
        (
            Patch("resid_pre", 1, (2, 4), zero),
            naive.Change("blocks.1.hook_resid_pre", ([2, 4],), zero),
        )
    )
    edits, by_hand = [own for own, _ in pinned], [change for _, change in pinned]
    recorded = record(family, [BASE], edits=edits, embedding_noise=noise)
    close(recorded.streams[0, -1, list(READ)], final_stream(family, BASE, by_hand, noise))
    resumption = Resumption(family, recorded, READ)
    resumption.shortcuts = shortcuts or resumption.shortcuts
    for site, layer in [
        ("resid_pre", 1),
        ("resid_pre", 2),
        ("k", 0),
        ("mlp_out", 2),
        ("resid_post", 0),
    ]:
        own, change = patch(family, site, layer, unit=1 if site == "k" else None)
        found = drain(resumption.streams([PatchedRun(0, (own,))]))[0]
        close(found, final_stream(family, BASE, [*by_hand, change], noise))


def test_every_shortcut_is_taken_on_these_models(every_bridge):
    resumption = Resumption(every_bridge, record(every_bridge, [BASE]), READ)
    assert resumption.shortcuts == SHORTCUTS[0]


def test_no_shortcut_where_the_users_hooks_act_or_devices_are_several(gpt2, monkeypatch):
    recorded = record(gpt2, [BASE])
    with gpt2.hooks(fwd_hooks=[("blocks.0.hook_mlp_out", lambda x, hook: x)]):
        assert Resumption(gpt2, recorded, READ).shortcuts == SHORTCUTS[-1]
    monkeypatch.setattr(gpt2.cfg, "n_devices", 2)
    assert Resumption(gpt2, recorded, READ).shortcuts == SHORTCUTS[-1]


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ("start_at_layer", SHORTCUTS[-1]),
        ("past_key_values", SHORTCUTS[2]),
        ("mlp.hook_in", SHORTCUTS[1]),
    ],
)
def test_a_shortcut_that_fails_is_not_taken(tokenizer, monkeypatch, refused, left):
    """Whether it raises or gives another stream: what fails on one model is left out there."""
    for error in (NotImplementedError, None):
        bridge = models.bridge(models.hf_gpt2(), tokenizer)
        recorded, run = record(bridge, [BASE]), bridge.run_with_hooks

        def refuse(first, *args, run=run, error=error, **kwargs):
            hooks = [name for name, _ in kwargs["fwd_hooks"]]
            if refused in kwargs or any(name.endswith(refused) for name in hooks):
                if error is not None:
                    raise error
                wrong = ("blocks.2.hook_resid_post", lambda x, hook: x + 1)
                kwargs["fwd_hooks"] = [wrong, *kwargs["fwd_hooks"]]
            return run(first, *args, **kwargs)

        monkeypatch.setattr(bridge, "run_with_hooks", refuse)
        assert Resumption(bridge, recorded, READ).shortcuts == left


@pytest.mark.parametrize("site", ["q", "k"])
def test_attention_scores_are_those_inside_the_run(family, site):
    name = "blocks.1.attn.hook_attn_scores"
    recorded = record(family, [BASE, SOURCE])
    own, change = patch(family, site, 1, unit=1)
    other, _ = patch(family, site, 1, unit=0)
    plain = attention_scores(family, recorded, 1)
    patched = attention_scores(family, recorded, 1, [own, other])
    for scores, changes in ((plain, []), (patched, [change])):
        kept = []
        hooks = [(c.hook, write(c)) for c in changes]
        hooks.append((name, lambda x, hook, kept=kept: kept.append(x[0])))
        with torch.no_grad():
            family.run_with_hooks(torch.tensor([BASE]), fwd_hooks=hooks)
        seen = kept[0] > -1e30
        close(scores[0][seen], kept[0][seen])


def test_nothing_is_left_on_the_blocks_by_an_error(gpt2):
    recorded = record(gpt2, [BASE])
    resumption = Resumption(gpt2, recorded, READ)
    wrong = Patch("z", 2, (2,), torch.zeros(3, 3))
    with pytest.raises(RuntimeError):
        drain(resumption.streams([PatchedRun(0, (wrong,))]))
    assert not any("forward" in module.__dict__ for module in gpt2.modules())
    assert not gpt2.blocks[0].hook_in.fwd_hooks
    copy.deepcopy(gpt2)
