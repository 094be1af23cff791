"""Bad input: one clear line with the call that fixes it, from the analysis and in the widget."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch

import headscope as hs
from headscope.analyses.contrast import Spot
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import HeadscopeError, ModelError, PromptError, RequestError
from headscope.model import LiveModel
from tests import models
from tests.analyses.by_hand import LONGER, PAIR, patched

SAME = "Both runs give the same {}, so there is nothing to normalise by. Choose another answer, met"


def pair(**changes):
    return dataclasses.replace(PAIR, **changes)


#: What is asked, and how the one line begins; `bridge` is GPT-2's unless said.
CASES = {
    "identical prompts": (
        {"pair": pair(corrupted=PAIR.clean)},
        "The clean and the corrupted prompt are the same tokens. Change what is to be located",
    ),
    "no counterpart": (
        {"pair": pair(corrupted=None)},
        "There is no corrupted prompt. Pass corrupted=..., or an ablation that needs none, such as "
        "'zero' or 'mean'.",
    ),
    "nothing in common": (
        {"pair": pair(corrupted=" dog dog")},
        r"No token of the two prompts meets another. Pass alignment=\[...\], or prompts that share",
    ),
    "a long prompt": (
        {"pair": pair(clean="the cat" + " the" * 78)},
        "The prompt is 81 tokens long, 64 is the longest this model takes. Shorten it by 17; Head",
    ),
    "a prompt too long for its answer": (
        {"pair": pair(clean="the cat" + " the" * 61, corrupted="the dog" + " the" * 61,
                      answer=" the cat"), "metric": "log_prob"},
        "Prompt and answer are 65 tokens long, 64 is the longest this model takes. Shorten the pr",
    ),
    "an empty prompt": ({"pair": pair(clean="")}, "The prompt is empty. Type at least one token."),
    "an answer that is empty ids": (
        {"pair": pair(answer=-5)}, "Token id -5 is outside the vocabulary. Ids run from 0 to 331.",
    ),
    "an answer that is nothing": (
        {"pair": pair(answer=1.5)}, "An answer is a text or token ids, not 1.5. Pass ' Paris', or",
    ),
    "half an answer": (
        {"pair": pair(answer="\ud800")}, "The token has half a character at position 0. Type it a",
    ),
    "half a prompt": (
        {"pair": pair(corrupted="the \ud800")}, "The prompt has half a character at position 4.",
    ),
    "the same answer": (
        {"pair": pair(wrong=PAIR.answer)},
        "Answer and wrong answer are the same token, ' mat'. Leave out wrong, and choose metric=",
    ),
    "the same predictions": (
        {"pair": Pair("the cat sat on", "the dog sat on"), "position": 1},
        "Answer and wrong answer are the same token, .*. Pass answer=... and wrong=...: the model",
    ),
    "answers of several tokens for a rank": (
        {"pair": pair(answer=" the cat"), "metric": "rank"},
        "rank is defined for an answer of one token; this one has 2. Use metric='log_prob', 'prob",
    ),
    "answers of several tokens in the middle": (
        {"pair": pair(answer=" the cat"), "position": 2},
        "An answer of several tokens is read after the last token of the prompt. Pass position=-1.",
    ),
    "no wrong answer for an ablation": (
        {"pair": pair(corrupted=None, wrong=None), "source": "zero"},
        "logit_diff needs a wrong answer too. Pass wrong=..., or metric='log_prob'.",
    ),
    "position": (
        {"position": 5}, "There is no position 5. The prompt has 5 tokens: use -5 to 4.",
    ),
    "negative position": ({"position": -6}, "There is no position -6. The prompt has 5 tokens:"),
    "a position without counterpart": (
        {"pair": LONGER, "position": 4},
        "Position 4 has no counterpart in the other prompt. Read the metric at the last position",
    ),
    "runs that agree": ({"position": 1, "pair": PAIR}, SAME.format(r"logit difference \(.*\)")),
    "runs that agree in rank": (
        {"metric": "rank", "position": 0}, SAME.format(r"rank \(.*\)"),
    ),
    "alignment": (
        {"alignment": (0, 1)}, "The alignment has 2 entries for 5 tokens. Give one index into the",
    ),
    "patterns of shifted prompts": (
        {"pair": LONGER, "site": "pattern"},
        "The tokens of one prompt are shifted against the other's, so their attention patterns "
        "cannot take each other's place. Use prompts of equal length, or another site, such as",
    ),
    "site": ({"site": "resid"}, r"There is no site 'resid'. Choose from \('resid_pre', 'resid_mi"),
    "over": ({"over": "heads"}, "There is no over 'heads'. Choose from"),
    "direction": ({"direction": "up"}, r"There is no direction 'up'. Choose from \('denoising', "),
    "source": ({"source": "other"}, r"There is no source 'other'. Choose from \('prompt', 'zero',"),
    "metric": ({"metric": "loss"}, r"There is no metric 'loss'. Choose from \('logit_diff', "),
    "heads of the stream": (
        {"over": "layer_head"}, r"resid_pre has no map over layer_head. Choose from \('layer_po",
    ),
    "neurons by layer": (
        {"site": "mlp_post", "over": "layer_position"},
        r"mlp_post has no map over layer_position. Choose from \('unit_position',\).",
    ),
    "head": (
        {"site": "z", "over": "layer_position", "head": 4},
        "over='layer_position' needs a head; it is 4. Pass head=0 to 3.",
    ),
    "no head": (
        {"site": "z", "over": "layer_position"},
        "over='layer_position' needs a head; it is None. Pass head=0 to 3.",
    ),
    "key-value head": (
        {"bridge": "llama", "site": "k", "over": "layer_position", "head": 2},
        "over='layer_position' needs a head; it is 2. Pass head=0 to 1.",
    ),
    "layer": (
        {"site": "z", "over": "head_position", "layer": -1},
        "over='head_position' needs a layer; it is -1. Pass layer=0 to 2.",
    ),
    "layer of neurons": (
        {"site": "mlp_post", "layer": 3},
        "over='unit_position' needs a layer; it is 3. Pass layer=0 to 2.",
    ),
    "window": ({"site": "z", "window": 0}, "window is 0. Choose 1 to 3 layers."),
    "wide window": ({"site": "z", "window": 4}, "window is 4. Choose 1 to 3 layers."),
    "window of the stream": (
        {"window": 2},
        "A window of layers has no meaning for resid_pre: the last layer overwrites the others. U",
    ),
    "mean pattern": (
        {"site": "pattern", "source": "mean"},
        "A pattern has no mean over positions. Choose another site or source='zero'.",
    ),
    "parallel blocks": (
        {"bridge": "neox", "site": "resid_mid"},
        "tiny-neox has no resid_mid in layer 2. Where attention and MLP run side by side there is",
    ),
    "noise": (
        {"source": "noise", "noise_at": (9,)}, "noise_at has position 9. Positions are 0 to 4.",
    ),
    "noise at a word": (
        {"source": "noise", "noise_at": (" cat",)}, "noise_at has position ' cat'. Positions are",
    ),
    "samples": ({"source": "noise", "samples": 0}, "samples is 0. Use at least 1."),
    "no pairs": ({"pair": ()}, r"There is no prompt pair. Pass clean=... and corrupted=...."),
    "an alignment for a set": (
        {"pair": (PAIR, PAIR), "alignment": (0,) * 5},
        "An alignment belongs to one prompt pair. Pass a single pair, or no alignment.",
    ),
    "pins on a set": (
        {"pair": (PAIR, PAIR), "pinned": (Spot("z", 0, None, 0),)},
        "Patches can be pinned on a single prompt pair only. Pass one pair, or unpin.",
    ),
    "a pin beyond the prompt": (
        {"pinned": (Spot("resid_pre", 0, (7,), None),)},
        "A patch is pinned at position 7, the prompt patched into has 5 tokens. Unpin it: widget",
    ),
}  # fmt: skip
#: What the widget has no field for, or refuses as it is made (`tests/unit/test_refusals.py`).
NOT_IN_THE_WIDGET = {
    "samples", "no pairs", "pins on a set", "a pin beyond the prompt", "no head",
    "an alignment for a set", "an answer that is nothing", "site", "over", "direction", "source",
    "metric", "noise at a word",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_analysis_says_it_in_one_line(families, name):
    fields, message = CASES[name]
    fields = {"pair": PAIR, "bridge": "gpt2"} | fields
    bridge = families[fields.pop("bridge")]
    with pytest.raises(HeadscopeError) as refusal:
        patched(bridge, **fields)
    assert_one_line(refusal.value, message)


def assert_one_line(error, message):
    assert re.match(message, str(error)), str(error)
    assert error.hint
    assert "\n" not in str(error)
    assert error._render_traceback_() == [f"{type(error).__name__}: {error}"]


@pytest.mark.parametrize("name", [name for name in CASES if name not in NOT_IN_THE_WIDGET])
def test_the_widget_shows_it_and_mends_it(families, name):
    fields, message = CASES[name]
    fields = {"pair": PAIR, "bridge": "gpt2"} | fields
    bridge, asked = families[fields.pop("bridge")], fields.pop("pair")
    widget = hs.ActivationPatching(bridge, asked, **fields)
    try:
        assert_one_line(widget.last_error, message)
        assert widget._error == {
            "kind": type(widget.last_error).__name__,
            "message": widget.last_error.message,
            "hint": widget.last_error.hint,
        }
        with pytest.raises(HeadscopeError):
            widget.run()
    finally:
        widget.close()


def test_an_answer_set_from_python_that_is_nothing(gpt2):
    widget = hs.ActivationPatching(gpt2, PAIR)
    try:
        with pytest.raises(RequestError) as refusal:
            widget.answer = {"text": " mat"}
        assert_one_line(refusal.value, "answer cannot be {'text': ' mat'}. Give a text or a whole")
    finally:
        widget.close()
    with pytest.raises(RequestError, match=r"An answer is a text or token ids, not 1\.5"):
        hs.ActivationPatching(gpt2, PAIR.clean, PAIR.corrupted, answer=1.5)


def test_the_widget_recovers(gpt2):
    widget = hs.ActivationPatching(gpt2, PAIR.clean, PAIR.clean, answer=" mat", wrong=" dog")
    try:
        assert widget.status["state"] == "error"
        widget.corrupted = PAIR.corrupted
        assert widget.run()["effect"].shape == (3, 5)
        assert (widget.last_error, widget._error) == (None, None)
    finally:
        widget.close()


GIVEN = {"answer": 7, "wrong": 11}


@pytest.mark.parametrize(
    ("where", "answers", "metric"),
    [
        ("embed", {}, "logit_diff"), ("mlp", GIVEN, "logit_diff"), ("unembed", {}, "logit_diff"),
        ("embed", GIVEN, "kl"), ("mlp", {}, "prob"), ("unembed", GIVEN, "rank"),
        ("mlp", GIVEN, "rank"),
    ],
)  # fmt: skip
def test_logits_that_are_not_finite(tokenizer, where, answers, metric):
    bridge = models.bridge(models.hf_gpt2(tie_word_embeddings=False), tokenizer)
    weight = {
        "embed": bridge.embed.original_component.weight,
        "mlp": bridge.blocks[2].mlp.out.original_component.weight,
        "unembed": bridge.unembed.original_component.weight,
    }[where]
    with torch.no_grad():
        weight[3] = torch.nan if where != "embed" else weight[3]
        weight[:, 0] = torch.nan if where == "embed" else weight[:, 0]
    message = "The model's logits are not finite on these prompts. Load it with dtype=torch.float32"
    given = Pair(PAIR.clean, PAIR.corrupted, **answers)
    with pytest.raises(ModelError) as refusal:
        patched(bridge, given, metric=metric)
    assert_one_line(refusal.value, message)
    with pytest.raises(ModelError) as refusal:
        hs.ActivationPatching(bridge, given, metric=metric)
    assert_one_line(refusal.value, message)


def test_a_model_in_training_mode(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    bridge.train()
    for ask in (lambda: patched(bridge), lambda: hs.ActivationPatching(bridge, PAIR)):
        with pytest.raises(ModelError, match=r"^The model is in training mode. Call bridge.eval"):
            ask()


def test_a_model_whose_logits_are_not_read_off_the_stream(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    bridge.add_hook("unembed.hook_out", lambda logits, hook: logits.flip(-1))
    with pytest.raises(ModelError, match="does not compute its logits as final norm and unembed"):
        patched(bridge)


def test_what_memory_does_not_hold(gpt2, monkeypatch):
    from headscope.model import memory

    LiveModel.of(gpt2).forget_runs()
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    with pytest.raises(RequestError, match=r"on 5 tokens needs about .* on cpu, .* are free\. Use"):
        patched(gpt2)


def test_an_answer_that_no_text_spells(gpt2):
    """Every text is some tokens; an id outside the vocabulary is none."""
    with pytest.raises(PromptError, match="Token id 999 is outside the vocabulary"):
        patched(gpt2, pair(answer=(5, 999)))
    assert ActivationPatchingRequest((pair(answer=(5, 6)),)).resolved()
