"""Path patching against runs by hand, against identities, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import headscope as hs
from headscope.analyses import REGISTRY
from headscope.analyses.prompt_pairs import Pair
from headscope.components import Component, parse_components
from headscope.errors import PromptError, RequestError
from headscope.model import LiveModel
from headscope.model.patching import PatchingEngine
from headscope.results import CELL_STATES
from tests import models, naive
from tests.analyses.steps import drain, result_of
from tests.models import N_HEADS, N_LAYERS

CLEAN, CORRUPTED = "the cat sat on the mat and the", "the dog sat on the mat saw the"
PAIR = Pair(CLEAN, CORRUPTED, " cat", " dog")
NOT_APPLICABLE, EXACT = CELL_STATES.index("not_applicable"), CELL_STATES.index("exact")
LAST = N_LAYERS - 1
EVERYTHING = ", ".join(["embed", *(f"L{i} MLP{i}" for i in range(N_LAYERS))])


def path_map(bridge, pairs=(PAIR,), **parameters):
    analysis = REGISTRY["path_patching"]
    return result_of(analysis.run(LiveModel.of(bridge), analysis.request(pairs, **parameters)))


def activation_map(bridge, pairs=(PAIR,), **parameters):
    analysis = REGISTRY["activation_patching"]
    request = analysis.request(pairs, estimate=False, **parameters)
    return result_of(analysis.run(LiveModel.of(bridge), request))


def rows_and_columns(grid):
    """Name of the component of every cell, as the axes spell it."""
    for row in range(N_LAYERS):
        for column, label in enumerate(grid.axes[-1].labels):
            name = {"MLP": f"MLP{row}", "embed": "embed", "logits": "logits"}.get(label)
            yield (row, column), name or f"L{row}{label}"


# By hand: two runs of the whole model with plain hooks, nothing left out.


def run_by_hand(bridge, ids, changes, watched):
    """Activations at hooks in one run with changes, and its logits `[position, d_vocab]`."""
    kept = {}

    def keep(activation, hook, name):
        kept[name] = activation[0].clone()

    def put(activation, hook, change):
        activation = activation.clone()
        activation[0][change.where] = change.value
        return activation

    hooks = [(c.hook, lambda x, hook, change=c: put(x, hook, change)) for c in changes] + [
        (name, lambda x, hook, name=name: keep(x, hook, name)) for name in watched
    ]
    with torch.no_grad():
        logits = bridge.run_with_hooks(torch.tensor([list(ids)]), fwd_hooks=hooks)[0]
    return kept, logits


def by_hand(bridge, base, source, senders, receivers, *, freeze_mlps, where, there):
    """Logits of the base into which the receivers' values of the held run are put."""
    layers = range(N_LAYERS)
    z = [naive.hook("z", layer) for layer in layers]
    mlps = [naive.hook("mlp_out", layer) for layer in layers]
    mlps = [name for name in mlps if name in bridge.hook_dict]
    embed = naive.hook("resid_pre", 0)
    own, _ = run_by_hand(bridge, base, (), [*z, *mlps, embed])
    other, _ = run_by_hand(bridge, source, (), [*z, *mlps, embed])
    held = {name: own[name].clone() for name in (*z, *(mlps if freeze_mlps else ()))}
    changes = []
    for sender in senders:
        if sender.kind == "head":
            for head in range(N_HEADS) if sender.head is None else [sender.head]:
                held[z[sender.layer]][where, head] = other[z[sender.layer]][there, head]
        elif sender.kind == "mlp" and freeze_mlps:
            held[mlps[sender.layer]][where] = other[mlps[sender.layer]][there]
        else:
            name = embed if sender.kind == "embed" else mlps[sender.layer]
            changes.append(naive.Change(name, (where,), other[name][there]))
    changes += [naive.Change(name, (slice(None),), value) for name, value in held.items()]
    names = {
        "mlp": lambda r: f"blocks.{r.layer}.mlp.hook_in",
        "logits": lambda r: f"blocks.{LAST}.hook_resid_post",
        "head": lambda r: f"blocks.{r.layer}.attn.hook_{r.input}",
    }
    places = [names[r.kind](r) for r in receivers]
    received, _ = run_by_hand(bridge, base, changes, places)
    put = []
    for receiver, name in zip(receivers, places, strict=True):
        index = receiver.head if receiver.kv_head is None else receiver.kv_head
        part = (slice(None),) if index is None else (slice(None), index)
        put.append(naive.Change(name, part, received[name][part]))
    return run_by_hand(bridge, base, put, ())[1]


def metric_by_hand(bridge, senders, receivers, *, freeze_mlps=True, pair=PAIR, where=None):
    model = LiveModel.of(bridge)
    base, source = (model.tokenize(text).token_ids for text in (pair.corrupted, pair.clean))
    where = list(range(len(base))) if where is None else where
    logits = by_hand(
        bridge, base, source, senders, receivers,
        freeze_mlps=freeze_mlps, where=where, there=where,
    )  # fmt: skip
    answer, wrong = (model.token_id(token) for token in (pair.answer, pair.wrong))
    return float(logits[-1, answer] - logits[-1, wrong])


@pytest.mark.parametrize("freeze_mlps", [True, False])
@pytest.mark.parametrize("receivers", ["logits", "L1H2.q", "L2.k, L1H0.v, MLP2"])
def test_senders_equal_runs_by_hand(every_bridge, receivers, freeze_mlps):
    grid = path_map(every_bridge, receivers=receivers, freeze_mlps=freeze_mlps)
    layout = LiveModel.of(every_bridge).layout
    parsed = [layout.resolve(r) for r in parse_components(receivers)]
    applicable = 0
    for index, name in rows_and_columns(grid):
        if grid.states[index] == NOT_APPLICABLE:
            assert np.isnan(grid["metric"][index])
            continue
        applicable += 1
        sender = Component.parse(name)
        reached = [r for r in parsed if layout.reaches(sender, r)]
        expected = metric_by_hand(every_bridge, [sender], reached, freeze_mlps=freeze_mlps)
        assert grid["metric"][index] == pytest.approx(expected, abs=2e-4), name
    below = {"logits": 16, "L1H2.q": 6, "L2.k, L1H0.v, MLP2": 11 if layout.parallel else 15}
    assert applicable == below[receivers]


@pytest.mark.parametrize("freeze_mlps", [True, False])
@pytest.mark.parametrize("sender", ["L0H1", "embed", "MLP0, L1H3"])
def test_receivers_equal_runs_by_hand(every_bridge, sender, freeze_mlps):
    grid = path_map(every_bridge, sender=sender, freeze_mlps=freeze_mlps)
    senders = parse_components(sender)
    seen = 0
    for index, name in rows_and_columns(grid):
        if grid.states[index] == EXACT:
            seen += 1
            receiver = LiveModel.of(every_bridge).layout.resolve(Component.parse(name))
            expected = metric_by_hand(every_bridge, senders, [receiver], freeze_mlps=freeze_mlps)
            assert grid["metric"][index] == pytest.approx(expected, abs=2e-4), name
    assert seen > N_LAYERS * N_HEADS


@pytest.mark.parametrize("resumes", [True, False])
@pytest.mark.parametrize("freeze_mlps", [True, False])
def test_chosen_positions_and_whole_runs_equal_runs_by_hand(gpt2, llama, freeze_mlps, resumes):
    for bridge in (gpt2, llama):
        if not resumes:
            bridge.add_hook("blocks.1.hook_in", lambda x, hook: x)
        try:
            grid = path_map(
                bridge, receivers="L2H1.q, L1H0.k", freeze_mlps=freeze_mlps, positions=(-1, 1)
            )
        finally:
            bridge.reset_hooks()
        length = len(grid.provenance.prompts[0].tokens)
        layout = LiveModel.of(bridge).layout
        parsed = [layout.resolve(r) for r in parse_components("L2H1.q L1H0.k")]
        for name, index in (("L0H2", (0, 2)), ("MLP0", (0, N_HEADS)), ("L1H1", (1, 1))):
            sender = Component.parse(name)
            reached = [r for r in parsed if layout.reaches(sender, r)]
            expected = metric_by_hand(
                bridge, [sender], reached, freeze_mlps=freeze_mlps, where=[1, length - 1]
            )
            assert grid["metric"][index] == pytest.approx(expected, abs=2e-4)
        whole = any("from its tokens up" in note for note in grid.provenance.notes)
        assert whole is not resumes


def test_blocks_that_scale_their_stream_are_run_not_skipped(tokenizer):
    """As some architectures do; a change of the stream then does not come out as it went in."""
    hf = models.hf_gpt2()
    for block in hf.transformer.h:
        whole = block.forward
        block.forward = lambda *a, whole=whole, **k: 0.97 * whole(*a, **k)
    bridge = models.bridge(hf, tokenizer)
    grid = path_map(bridge, receivers="L2H1.v")
    for name, index in (("L0H2", (0, 2)), ("MLP0", (0, N_HEADS)), ("L1H1", (1, 1))):
        reads = parse_components("L2H1.v")
        expected = metric_by_hand(bridge, [Component.parse(name)], reads)
        assert grid["metric"][index] == pytest.approx(expected, abs=2e-4)
    assert not any("from its tokens up" in note for note in grid.provenance.notes)


@pytest.mark.parametrize("freeze_mlps", [True, False])
def test_a_model_of_attention_only_has_paths_between_heads(tokenizer, freeze_mlps):
    """One of TransformerLens's own, which wraps no model of another library."""
    from transformer_lens import TransformerBridgeConfig
    from transformer_lens.model_bridge import TransformerBridge

    config = TransformerBridgeConfig(
        d_model=32, d_head=8, n_layers=N_LAYERS, n_heads=N_HEADS, n_ctx=64, d_vocab=models.D_VOCAB,
        attn_only=True, normalization_type="LN", act_fn="gelu_new", d_mlp=64, seed=0,
    )  # fmt: skip
    bridge = TransformerBridge.boot_native(config, tokenizer=tokenizer).eval()
    grid = path_map(bridge, receivers="L2H1.v", freeze_mlps=freeze_mlps)
    assert grid.axes[1].labels == ("H0", "H1", "H2", "H3", "embed")
    for name, index in (("L0H2", (0, 2)), ("L1H1", (1, 1)), ("embed", (0, N_HEADS))):
        reads = parse_components("L2H1.v")
        expected = metric_by_hand(bridge, [Component.parse(name)], reads, freeze_mlps=freeze_mlps)
        assert grid["metric"][index] == pytest.approx(expected, abs=2e-4)


def test_prompts_of_other_lengths_are_aligned(gpt2):
    pair = Pair(CLEAN, "the dog saw sat on the mat and the", " cat", " dog")
    grid = path_map(gpt2, (pair,), receivers="L2H1.q, MLP1")
    model = LiveModel.of(gpt2)
    base, source = (model.tokenize(text).token_ids for text in (pair.corrupted, pair.clean))
    aligned = grid.alignment.source
    where = [p for p, q in enumerate(aligned) if q >= 0]
    assert len(base) != len(source)
    assert len(where) < len(base)
    logits = by_hand(
        gpt2, base, source, [Component.parse("L0H3")], parse_components("L2H1.q MLP1"),
        freeze_mlps=True, where=where, there=[int(aligned[p]) for p in where],
    )  # fmt: skip
    expected = logits[-1, model.token_id(" cat")] - logits[-1, model.token_id(" dog")]
    assert grid["metric"][0, 3] == pytest.approx(float(expected), abs=2e-4)


names = st.sampled_from(
    [*(f"L{i}H{h}" for i in range(N_LAYERS) for h in range(N_HEADS)), "MLP0", "MLP1", "embed"]
)
inputs = st.sampled_from(
    [*(f"L{i}H{h}.{p}" for i in (1, 2) for h in range(N_HEADS) for p in "qkv"), "MLP1", "MLP2"]
)


@settings(max_examples=25)
@given(
    family=st.sampled_from(["gpt2", "llama", "neox", "gemma2"]),
    senders=st.lists(names, min_size=1, max_size=3, unique=True),
    receivers=st.lists(inputs, min_size=1, max_size=3, unique=True),
    where=st.sets(st.integers(0, 7), min_size=1),
    freeze_mlps=st.booleans(),
)
def test_any_path_at_any_positions_equals_runs_by_hand(
    families, family, senders, receivers, where, freeze_mlps
):
    """One sender to several receivers, and several senders to one receiver."""
    bridge = families[family]
    layout = LiveModel.of(bridge).layout
    options = {"freeze_mlps": freeze_mlps, "positions": tuple(where)}
    reads = [layout.resolve(r) for r in parse_components(receivers)]
    writes = parse_components(senders)
    by_hand_with = {"freeze_mlps": freeze_mlps, "where": sorted(where)}

    one, several = writes[0], [r for r in reads if layout.reaches(writes[0], r)]
    grid = path_map(bridge, receivers=", ".join(receivers), **options)
    found = next(grid["metric"][i] for i, name in rows_and_columns(grid) if name == str(one))
    if several:
        expected = metric_by_hand(bridge, [one], several, **by_hand_with)
        assert found == pytest.approx(expected, abs=2e-4)
    else:
        assert np.isnan(found)

    grid = path_map(bridge, sender=", ".join(senders), **options)
    found = next(grid["metric"][i] for i, name in rows_and_columns(grid) if name == str(reads[0]))
    if any(layout.reaches(sender, reads[0]) for sender in writes):
        expected = metric_by_hand(bridge, writes, reads[:1], **by_hand_with)
        assert found == pytest.approx(expected, abs=2e-4)
    else:
        assert np.isnan(found)


@pytest.mark.parametrize("freeze_mlps", [True, False])
def test_bfloat16_keeps_to_its_own_tolerance(tokenizer, freeze_mlps):
    narrow, wide = (
        models.bridge(models.hf_llama(), tokenizer, dtype=dtype)
        for dtype in (torch.bfloat16, torch.float32)
    )
    found, expected = (
        path_map(bridge, receivers="L2H1.v, MLP2", freeze_mlps=freeze_mlps)["metric"]
        for bridge in (narrow, wide)
    )
    np.testing.assert_allclose(found, expected, atol=0.1)


# Identities.


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_everything_sent_to_the_logits_is_the_source_run(every_bridge, direction):
    grid = path_map(every_bridge, sender=EVERYTHING, direction=direction)
    assert grid.axes[1].labels[-1] == "logits"
    assert grid["effect"][LAST, -1] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("freeze_mlps", [True, False])
def test_everything_sent_to_one_receiver_is_activation_patching_of_it(every_bridge, freeze_mlps):
    """What a receiver then reads is what it read in the source run."""
    grid = path_map(every_bridge, sender=EVERYTHING, freeze_mlps=freeze_mlps)
    labels = grid.axes[1].labels
    for site in ("q", "k", "v"):
        columns = [i for i, label in enumerate(labels) if label.endswith(f".{site}")]
        expected = activation_map(every_bridge, site=site)["effect"]
        assert grid["effect"][:, columns] == pytest.approx(expected, abs=2e-4)
    assert grid["effect"][:, labels.index("MLP")] == pytest.approx(
        [mlp_patched(every_bridge, layer) for layer in range(N_LAYERS)], abs=2e-4
    )


def mlp_patched(bridge, layer):
    """The effect of the source's whole MLP output, by hand."""
    model = LiveModel.of(bridge)
    base, source = (model.tokenize(text).token_ids for text in (CORRUPTED, CLEAN))
    name = naive.hook("mlp_out", layer)
    value = run_by_hand(bridge, source, (), [name])[0][name]
    change = naive.Change(name, (slice(None),), value)
    runs = [
        run_by_hand(bridge, ids, changes, ())[1][-1]
        for ids, changes in ((base, ()), (source, ()), (base, [change]))
    ]
    ids = [model.token_id(token) for token in (" cat", " dog")]
    base_m, source_m, patched = (float(run[ids[0]] - run[ids[1]]) for run in runs)
    return (patched - base_m) / (source_m - base_m)


def test_in_the_last_layer_the_path_to_the_logits_is_all_there_is(every_bridge):
    """With MLPs recomputed, whatever a head of the last layer does goes that way."""
    heads = activation_map(every_bridge, site="z")["effect"][LAST]
    grid = path_map(every_bridge, receivers="logits", freeze_mlps=False)
    assert grid["effect"][LAST, :N_HEADS] == pytest.approx(heads, abs=2e-4)
    mlp = mlp_patched(every_bridge, LAST)
    assert grid["effect"][LAST, N_HEADS] == pytest.approx(mlp, abs=2e-4)


def test_between_a_head_and_the_logits_are_only_held_mlps_in_a_model_of_one_layer(tokenizer):
    """Direct and through the MLP: the two definitions differ by exactly the MLP's share."""
    bridge = models.bridge(models.hf_gpt2(n_layer=1), tokenizer)
    held, free = (
        path_map(bridge, receivers="logits", freeze_mlps=freeze) for freeze in (True, False)
    )
    total = activation_map(bridge, site="z")["effect"][0]
    assert free["effect"][0, :N_HEADS] == pytest.approx(total, abs=2e-4)
    assert np.abs(held["effect"][0, :N_HEADS] - total).max() > 1e-3


# Sets, answers, states.


def test_a_set_is_the_mean_of_its_pairs(llama):
    pairs = (
        Pair("the cat sat on the mat", "the dog sat on the mat", " cat", " dog"),
        Pair("the mat saw the cat on", "the dog saw the cat on", " mat", " dog"),
        Pair("the cat saw the dog on the mat", "the mat saw the dog on the mat", " cat", " mat"),
    )
    grid = path_map(llama, pairs, receivers="L2H1.q, L1H0.v")
    assert (grid.axes[0].labels[0], len(grid.axes[0])) == ("mean", 4)
    alone = [path_map(llama, (pair,), receivers="L2H1.q, L1H0.v") for pair in pairs]
    metrics = np.stack([g["metric"] for g in alone])
    np.testing.assert_allclose(grid["metric"][1:], metrics, atol=1e-4)
    base, source = ([g.baselines[i].value for g in alone] for i in (1, 0))
    change = (metrics - np.array(base)[:, None, None]).mean(0)
    expected = change / (np.mean(source) - np.mean(base))
    np.testing.assert_allclose(grid["effect"][0], expected, atol=1e-4)
    known = ~np.isnan(grid["effect"][0])
    assert (grid["low"][0][known] <= grid["high"][0][known]).all()
    assert (grid.states[0] == np.where(known, EXACT, NOT_APPLICABLE)).all()


def test_an_answer_of_several_tokens_is_read_in_all_its_runs(gpt2):
    pair = Pair(CLEAN, CORRUPTED, " cat sat", " dog saw")
    grid = path_map(gpt2, (pair,), sender=EVERYTHING)
    expected = activation_map(gpt2, (pair,), site="q")["effect"]
    assert grid["effect"][:, :N_HEADS] == pytest.approx(expected, abs=2e-4)


def test_heads_that_share_keys_have_one_cell_and_one_name(llama):
    grid = path_map(llama, sender="L0H0")
    labels = grid.axes[1].labels
    assert [label for label in labels if ".k" in label] == ["KV0.k", "KV1.k"]
    by_query_head, by_kv_head = (
        path_map(llama, receivers=name)["effect"] for name in ("L1H3.k", "L1KV1.k")
    )
    np.testing.assert_allclose(by_query_head, by_kv_head, atol=1e-5)
    assert by_kv_head[0, 0] == pytest.approx(grid["effect"][1, labels.index("KV1.k")], abs=1e-5)
    both = path_map(llama, sender="L0KV1")["effect"]
    np.testing.assert_allclose(both, path_map(llama, sender="L0H2 L0H3")["effect"], atol=1e-5)
    assert any("share each key-value head" in note for note in grid.provenance.notes)


def test_small_groups_and_another_metric_give_the_same(gpt2, monkeypatch):
    wanted = path_map(gpt2, receivers="L2H1.q", metric="log_prob")
    live = LiveModel.of(gpt2)
    live.forget_runs()
    monkeypatch.setattr(PatchingEngine, "most_tokens", 1)
    path_map(gpt2, receivers="L2H1.q")
    found = path_map(gpt2, receivers="L2H1.q", metric="log_prob")
    np.testing.assert_allclose(found["metric"], wanted["metric"], atol=1e-4)
    np.testing.assert_array_equal(found.states, wanted.states)


def test_another_metric_of_the_same_paths_computes_nothing(gpt2):
    live = LiveModel.of(gpt2)
    path_map(live, receivers="L2H1.q")
    analysis = REGISTRY["path_patching"]
    request = analysis.request((PAIR,), receivers="L2H1.q", metric="prob")
    _, steps = drain(analysis.run(live, request))
    assert any(step.message.startswith("0 of") for step in steps)
    assert not [step for step in steps if step.fraction > 0.05]


def test_partial_maps_say_what_is_waiting(gpt2, monkeypatch):
    from headscope.analyses import path_patching

    monkeypatch.setattr(path_patching, "_PARTIAL_S", 0.0)
    monkeypatch.setattr(PatchingEngine, "most_tokens", 1)
    LiveModel.of(gpt2).forget_runs()
    analysis = REGISTRY["path_patching"]
    request = analysis.request((PAIR,), receivers="L2H1.q")
    grid, steps = drain(analysis.run(LiveModel.of(gpt2), request))
    partial = [step.partial for step in steps if step.partial is not None]
    waiting = [int((p.states == CELL_STATES.index("waiting")).sum()) for p in partial]
    assert waiting == sorted(waiting, reverse=True)
    assert len(set(waiting)) > 3
    for shown in partial:
        exact = shown.states == EXACT
        np.testing.assert_allclose(shown["metric"][exact], grid["metric"][exact], atol=1e-6)
        assert np.isnan(shown["effect"][~exact]).all()


def test_what_was_asked_is_in_the_provenance(gpt2):
    grid = path_map(gpt2, receivers="L1H2.q", positions=(1,), freeze_mlps=False)
    parameters = grid.provenance.parameters
    assert (parameters["receivers"], parameters["sender"]) == ("L1H2.q", None)
    assert (parameters["freeze_mlps"], parameters["positions"]) == (False, (1,))
    assert "through MLPs" in grid.provenance.normalisation
    assert path_map(gpt2).provenance.parameters["receivers"] == "logits"


# On a trained model.


def test_paths_of_the_indirect_object_add_up_to_what_patching_whole_heads_gives():
    """The giver's name comes through one head; from there it goes to the logits and to queries."""
    live = LiveModel.of(hs.load_demo())
    pairs = tuple(Pair(p.clean, p.corrupted, p.answer, p.wrong) for p in hs.demo.prompts["ioi"])
    whole = activation_map(live, pairs, site="z")["effect"][0]
    layer, head = np.unravel_index(whole.argmax(), whole.shape)
    assert whole[layer, head] > 0.9
    n_heads = whole.shape[1]

    senders = path_map(live, pairs, freeze_mlps=False)["effect"][0]
    assert np.nanargmax(senders) == layer * senders.shape[1] + head
    receivers = path_map(live, pairs, sender=f"L{layer}H{head}", freeze_mlps=False)["effect"][0]
    assert receivers[-1, -1] == pytest.approx(senders[layer, head], abs=1e-4)
    queries = receivers[:, :n_heads]
    assert receivers[-1, -1] + np.nansum(queries) == pytest.approx(whole[layer, head], abs=0.1)
    # Other heads that matter do so by what they ask for, which this head tells them.
    listeners = [(i, j) for i, j in np.argwhere(whole > 0.03) if i > layer]
    assert listeners
    for index in listeners:
        assert queries[tuple(index)] == pytest.approx(whole[tuple(index)], abs=0.03)


# Refusals.


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"receivers": "L1H2.x"}, "no component 'L1H2.x'"),
        ({"receivers": "L7H0.q"}, "no L7H0.q"),
        ({"receivers": "L1H9.q"}, "no L1H9.q"),
        ({"receivers": "embed"}, "embed receives nothing"),
        ({"receivers": "logits, L1H0.q"}, "others have no effect"),
        ({"sender": "L1H0.q"}, "L1H0.q sends nothing"),
        ({"sender": "logits"}, "logits sends nothing"),
        ({"sender": "MLP9"}, "no MLP9"),
        ({"sender": "L1H0", "receivers": "logits"}, "both given"),
        ({"positions": (99,)}, "positions has 99"),
        ({"positions": ()}, "positions is empty"),
        ({"direction": "up"}, "no direction 'up'"),
        ({"metric": "bits"}, "no metric 'bits'"),
        ({"pairs": ()}, "no prompt pair"),
        ({"pairs": (Pair(CLEAN, None, " cat", " dog"),)}, "no corrupted prompt"),
        ({"pairs": (Pair(CLEAN, CLEAN, " cat", " dog"),)}, "the same tokens"),
        ({"pairs": (PAIR, PAIR), "alignment": (0, 1)}, "belongs to one prompt pair"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused_in_one_line(gpt2, parameters, says):
    with pytest.raises((RequestError, PromptError), match=says) as refusal:
        path_map(gpt2, **parameters)
    assert refusal.value.hint
    assert "\n" not in str(refusal.value)


def test_positions_that_meet_no_token_are_refused(gpt2):
    pair = Pair(CLEAN, "the dog saw sat on the mat and the", " cat", " dog")
    shown = path_map(gpt2, (pair,)).alignment.source
    lonely = int(np.flatnonzero(shown < 0)[0])
    with pytest.raises(RequestError, match="meet none of the other prompt"):
        path_map(gpt2, (pair,), positions=(lonely,))
