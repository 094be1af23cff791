"""Results computed again from what they say of themselves: saved, read, and the same numbers."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import REGISTRY
from headscope.analyses.contrast import Spot
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import RequestError, ResultError
from headscope.model import LiveModel
from headscope.wire import encode
from tests.analyses.steps import result_of
from tests.attribution.transcoders import random_transcoders
from tests.models import D_MODEL, N_LAYERS, bridge, hf_gpt2

IDS = (0, 264, 270, 264, 271, 270, 264)  # cut as no tokenizer would cut their text
OTHER = (0, 264, 280, 264, 271, 280, 264)
ONE = (Pair(IDS, OTHER, 281, 282),)
SET = (*ONE, Pair(OTHER, IDS, (283, 284), (285, 286)))
TRANSCODERS = dataclasses.replace(random_transcoders(N_LAYERS, D_MODEL, 40), revision="1")

#: Requests of every analysis, with what is not by default.
ASKED: dict[str, list[dict[str, Any]]] = {
    "activation_patching": [
        {"pairs": ONE, "site": "z", "over": "head_position", "layer": 1, "estimate": False,
         "pinned": (Spot("resid_pre", 1, (2,), None), Spot("z", 0, None, 2))},
        {"pairs": SET, "direction": "noising", "metric": "log_prob", "site": "mlp_out",
         "window": 2, "seed": 3},
        {"pairs": (Pair(IDS, None, 281, 282), Pair(OTHER, None, 283, 284)), "source": "noise",
         "samples": 2, "seed": 5, "exact": False},
        {"pairs": ONE, "alignment": (0, 1, 2, 3, -1, 5, 6), "site": "q", "qk_fix": True},
    ],
    "attention": [{"prompt": IDS}, {"prompt": IDS, "head": (2, 1)}],
    "attribution_graph": [
        {"prompt": IDS, "max_nodes": 12, "node_share": 0.6},
        {"prompt": IDS, "transcoders": TRANSCODERS, "targets": (281,), "wrong": 282},
        {"prompt": IDS, "transcoders": TRANSCODERS, "most_targets": 3, "target_share": 0.5},
    ],
    "circuit_discovery": [
        {"pairs": SET[:1], "method": "eap", "rule": "greedy", "n_edges": 20, "n_exact": 2},
        {"pairs": ONE, "method": "eap", "n_edges": 40, "neurons": (0, 2)},
        {"pairs": (Pair(IDS, OTHER, 281, 282), Pair(OTHER, IDS, 282, 281)), "ablation": "mean",
         "rule": "threshold", "least": 0.01, "signed": True, "ig_steps": 2},
    ],
    "generation": [
        {"prompt": IDS, "n_tokens": 5, "temperature": 0.5, "seed": 7,
         "interventions": hs.Interventions().zero("L1H0").skip(1, "mlp")},
        {"prompt": IDS, "n_tokens": 2, "transcoders": TRANSCODERS,
         "interventions": hs.Interventions().clamp("L1F3", 2.0)},
    ],
    "logit_attribution": [
        {"prompt": IDS}, {"prompt": IDS, "answer": 281, "wrong": 282, "by": "source",
                          "position": -2},
    ],
    "logit_lens": [{"prompt": IDS, "read_out": "all", "top_k": 3}],
    "layer_robustness": [{"prompt": IDS, "more": (OTHER,)}],
    "nearest_tokens": [
        {"of": hs.Token(" cat") - 2 * hs.Means(["the dog sat"]), "to": "embedding", "k": 4},
        {"of": hs.Vector([1.0] * 31 + [2.0]), "layers": (0, 3)},
        {"of": hs.Token(" cat"), "to": "encoder", "transcoders": TRANSCODERS},
    ],
    "path_patching": [
        {"pairs": ONE, "receivers": "L2H1.q, MLP1", "freeze_mlps": False, "positions": (2, -1)},
        {"pairs": SET, "sender": "L0H1"},
    ],
    "prediction_effect": [
        {"prompt": IDS, "answer": 281, "position": -2, "top_k": 3,
         "interventions": hs.Interventions().zero("L1H2").scale("MLP0", 2.5, [1]).skip(2, "attn")},
        {"prompt": IDS, "transcoders": TRANSCODERS,
         "interventions": hs.Interventions().clamp("L1F3", 2.0)},
    ],
    "self_repair": [
        {"prompt": IDS, "heads": ("L0H1", "L1H2"), "position": -2},
        {"prompt": IDS, "corrupted": OTHER, "answer": 281, "wrong": 282},
    ],
    "stages": [{"prompt": IDS, "more": (OTHER,), "seed": 3}],
    "task_vectors": [
        {"examples": (("cat", "dog"), ("dog", "mat"), ("mat", "cat")), "queries": (("sat", "on"),),
         "template": "{x} saw {y} ", "into": "the {x} {y}", "shots": 1, "shuffles": 3, "seed": 7,
         "layers": (0, 2)},
    ],
}  # fmt: skip
CASES = [(name, fields) for name, asked in ASKED.items() for fields in asked]


def run(name: str, fields: dict[str, Any], model: Any) -> Any:
    return result_of(REGISTRY[name].run(LiveModel.of(model), REGISTRY[name].request(**fields)))


def assert_equal(one: Any, other: Any) -> None:
    """The same but for rounding, and for notes of how long it took."""
    here, there = encode(one), encode(other)
    both = zip(here["header"]["arrays"], here["buffers"], there["buffers"], strict=True)
    for entry, *buffers in both:
        first, second = (np.frombuffer(buffer, entry["dtype"]) for buffer in buffers)
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)
    assert bare(here["header"]["data"]["provenance"]) == bare(there["header"]["data"]["provenance"])


def bare(record: dict[str, Any]) -> dict[str, Any]:
    """A record without notes, and of its prompts the tokens only."""
    prompts = [prompt["token_ids"] for prompt in record["prompts"]]
    sources = [bare(source) for source in record["sources"]]
    kept = {name: of for name, of in record.items() if name != "notes"}
    return kept | {"prompts": prompts, "sources": sources}


def test_every_analysis_is_here() -> None:
    assert set(ASKED) == set(REGISTRY)


@pytest.mark.parametrize(("name", "fields"), CASES)
def test_a_saved_result_is_computed_again(
    name: str, fields: dict[str, Any], gpt2: Any, tmp_path: Path
) -> None:
    first = run(name, fields, gpt2)
    read = hs.load_result(first.save(tmp_path / "result"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = hs.rerun(read, gpt2, fields.get("transcoders"))
    assert again is not first
    assert_equal(again, first)


def test_a_text_is_run_as_the_tokens_it_was(gpt2: Any) -> None:
    first = run("logit_lens", {"prompt": "the cat sat on the mat"}, gpt2)
    record = json.loads(json.dumps(dataclasses.asdict(first.provenance)))
    assert_equal(hs.rerun(record, gpt2), first)
    assert_equal(hs.rerun(first.provenance, gpt2), first)


def test_another_model_is_said_to_be_one(gpt2: Any, gpt2_processed: Any, tokenizer: Any) -> None:
    first = run("logit_lens", {"prompt": IDS}, gpt2)
    renamed = bridge(hf_gpt2(), tokenizer, name="copy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hs.rerun(first, renamed)  # the same weights
    other = bridge(hf_gpt2(seed=1), tokenizer, name="tiny-gpt2")
    with pytest.warns(UserWarning, match="not as it was recorded: weights .*, was ") as said:
        again = hs.rerun(first, other)
    assert again.provenance.notes[-1] == str(said[0].message)
    assert "\n" not in again.provenance.notes[-1]
    with pytest.warns(UserWarning, match="processed weights True, was False"):
        hs.rerun(first, gpt2_processed)
    gpt2.add_hook("blocks.1.hook_in", lambda t, hook: t)
    try:
        with pytest.warns(UserWarning, match=r"hooks of yours blocks.1.hook_in, was None"):
            hs.rerun(first, gpt2)
    finally:
        gpt2.reset_hooks()


def test_an_edited_weight_changes_the_fingerprint_and_a_copy_does_not(tokenizer: Any) -> None:
    model = LiveModel.of(bridge(hf_gpt2(), tokenizer, name="tiny-gpt2"))
    before = model.fingerprint
    assert LiveModel.of(bridge(hf_gpt2(), tokenizer, name="other")).fingerprint == before
    with torch.no_grad():
        model.bridge.original_model.transformer.h[1].mlp.c_fc.original_component.weight.mul_(1.01)
    assert LiveModel.of(model.bridge).fingerprint != before


def test_transcoders_are_asked_for_and_told_apart(gpt2: Any) -> None:
    first = run("attribution_graph", {"prompt": IDS, "transcoders": TRANSCODERS}, gpt2)
    with pytest.raises(RequestError, match=r"made with transcoders, 'random'. Pass hs.load_tr"):
        hs.rerun(first, gpt2)
    others = dataclasses.replace(TRANSCODERS, name="others")
    with pytest.warns(UserWarning, match="transcoders others, was random"):
        hs.rerun(first, gpt2, others)


@pytest.mark.parametrize("given", [3, {"analysis": "logit_lens"}, {"prompts": 3, "parameters": {}}])
def test_what_is_no_record_is_refused(given: Any, gpt2: Any) -> None:
    with pytest.raises(ResultError, match="provenance"):
        hs.rerun(given, gpt2)


def test_what_another_tool_made_is_refused(gpt2: Any) -> None:
    first = run("logit_lens", {"prompt": IDS}, gpt2)
    foreign = dataclasses.replace(first.provenance, analysis="circuit-tracer")
    with pytest.raises(ResultError, match="not computed by an analysis of Headscope: 'circuit-t"):
        hs.rerun(foreign, gpt2)


@pytest.mark.parametrize("kind", [hs.LogitLens, hs.AttentionPatterns, hs.LogitAttribution])
def test_a_difference_is_computed_again_with_and_without_interventions(
    kind: Any, gpt2: Any, tmp_path: Path
) -> None:
    widget = kind(gpt2, IDS, interventions=hs.Interventions().zero("L1H2"))
    widget.run()
    less = widget.effects["difference"]
    widget.close()
    again = hs.rerun(hs.load_result(less.save(tmp_path / "less")), gpt2)
    assert_equal(again, less)
    said = "Shown is with zero L1H2, less without interventions: positive where there is more"
    assert said in again.provenance.sign


def test_a_difference_of_two_models_is_left_to_the_user(gpt2: Any, tokenizer: Any) -> None:
    other = bridge(hf_gpt2(seed=1), tokenizer, name="tuned")
    one, two = (run("logit_lens", {"prompt": IDS}, model) for model in (gpt2, other))
    with pytest.raises(ResultError, match=r"of two models, tiny-gpt2 and tuned\. Run each of"):
        hs.rerun(hs.difference(one, two), gpt2)
