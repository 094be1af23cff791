"""What runs is what is shown: ids, texts and refusals."""

from __future__ import annotations

import pytest
import torch

from headscope.errors import PromptError
from headscope.model import LiveModel
from tests import models


@pytest.fixture
def model(gpt2):
    return LiveModel.of(gpt2)


@pytest.fixture
def wordless():
    """A bridge without a tokenizer."""
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    hf = models.hf_gpt2()
    return LiveModel.of(
        build_bridge_from_module(
            hf, "GPT2LMHeadModel", hf_config=hf.config, tokenizer=None, model_name="wordless"
        )
    )


def test_the_prompt_is_what_the_bridge_runs(model):
    prompt = model.tokenize(models.PROMPT)
    assert prompt.text == models.PROMPT
    assert list(prompt.token_ids) == model.bridge.to_tokens(models.PROMPT)[0].tolist()
    assert prompt.tokens == (
        models.BOS,
        *["the", " cat", " sat", " on", " the", " mat", " the", " cat"],
    )


def test_the_bridge_decides_about_the_beginning_token(model, monkeypatch):
    monkeypatch.setattr(model.bridge.cfg, "default_prepend_bos", False)
    assert model.tokenize("the cat").tokens == ("the", " cat")


@pytest.mark.parametrize("as_given", [tuple, list, torch.tensor, lambda ids: torch.tensor([ids])])
def test_token_ids_run_as_they_are(model, as_given):
    prompt = model.tokenize(as_given([265, 273]))
    assert prompt.token_ids == (265, 273)
    assert prompt.tokens == (" cat", " sat")
    assert prompt.text == ""
    assert model.tokenize(prompt) == prompt


@pytest.mark.parametrize("nothing", ["", (), [], torch.empty(1, 0, dtype=torch.long)])
def test_an_empty_prompt_is_refused(model, nothing):
    with pytest.raises(PromptError, match="empty"):
        model.tokenize(nothing)


def test_a_long_prompt_is_refused_not_truncated(model):
    longest = " cat" * (models.N_CTX - 1)  # and the beginning-of-sequence token
    assert len(model.tokenize(longest).token_ids) == models.N_CTX
    with pytest.raises(PromptError, match=f"66 tokens long, {models.N_CTX} is .* Shorten it by 2"):
        model.tokenize(longest + " cat cat")


@pytest.mark.parametrize("bad", [(models.D_VOCAB,), (-1,)])
def test_ids_outside_the_vocabulary_are_refused(model, bad):
    with pytest.raises(PromptError, match=f"Ids run from 0 to {models.D_VOCAB - 1}"):
        model.tokenize(bad)
    with pytest.raises(PromptError, match="outside the vocabulary"):
        model.token_id(bad[0])


@pytest.mark.parametrize("bad", [[0.5], [True], torch.zeros(2, 3, dtype=torch.long)])
def test_what_is_no_sequence_of_ids_is_refused(model, bad):
    with pytest.raises(PromptError, match="to_tokens"):
        model.tokenize(bad)


def test_without_a_tokenizer_ids_work_and_strings_say_so(wordless):
    assert wordless.tokenize((5, 6)).tokens == ("5", "6")
    assert wordless.token_id(7) == 7
    assert not wordless.capabilities.tokenizer
    for ask in (wordless.tokenize, wordless.token_id):
        with pytest.raises(PromptError, match="Pass token ids"):
            ask("the cat")
    with pytest.raises(PromptError, match="no tokenizer"):
        wordless.decode([5])


def test_part_of_a_character_shows_its_bytes(model):
    prompt = model.tokenize("the 日é")
    assert "�" not in "".join(prompt.tokens)
    assert prompt.tokens[-5:] == ("<0xE6>", "<0x97>", "<0xA5>", "<0xC3>", "<0xA9>")
    assert "�" not in "".join(model.token_text(i) for i in range(models.D_VOCAB))


def test_the_texts_spell_the_prompt(model):
    assert "".join(model.tokenize("the cat\n sat <b>").tokens[1:]) == "the cat\n sat <b>"


def test_sentencepiece_tokens_keep_their_space(model, monkeypatch):
    class Pieces:
        def convert_ids_to_tokens(self, token_id):
            return {0: "▁Paris", 1: "<0xE6>"}[token_id]

        def decode(self, ids, **_):
            return {0: "Paris", 1: "�"}[ids[0]]

    fresh = LiveModel(model.bridge)
    monkeypatch.setattr(type(fresh._tokens), "_tokenizer", Pieces())
    assert fresh.token_text(0) == " Paris"
    assert fresh.token_text(1) == "<0xE6>"


def test_ids_beyond_the_tokenizer_have_a_name(model, monkeypatch):
    monkeypatch.setattr(model.bridge.cfg, "d_vocab", 400)
    assert LiveModel(model.bridge).token_text(399) == "399"


def test_a_token_is_found_as_given_first(model):
    for text in ("the", " the"):
        assert model.token_text(model.token_id(text)) == text


def test_a_token_is_found_with_a_space_where_only_that_is_one(model):
    encode = model.bridge.tokenizer.encode
    words = [word.strip() for word in models.WORDS]
    bare = next(w for w in words if len(encode(w, add_special_tokens=False)) > 1)
    assert model.token_text(model.token_id(bare)) == f" {bare}"


def test_several_tokens_are_refused_with_their_pieces(model):
    with pytest.raises(PromptError, match=r"' cat', ' sat'\. Pass one of them") as refusal:
        model.token_id(" cat sat")
    assert "265" in refusal.value.hint


def test_an_empty_token_is_refused(model, monkeypatch):
    monkeypatch.setattr(
        type(model._tokens), "_encode", lambda self, text: [1, 2] if text.strip() else []
    )
    with pytest.raises(PromptError, match="empty"):
        model.token_id("")


def test_decoding_leaves_out_the_beginning_token(model):
    prompt = model.tokenize("the cat")
    assert model.decode([*prompt.token_ids, model.token_id(" sat")]) == "the cat sat"
    assert model.decode([265, 0]) == f" cat{models.BOS}"
