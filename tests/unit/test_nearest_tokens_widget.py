"""Directions are typed in the page, refused with their place, and given in Python as data."""

from __future__ import annotations

from typing import Any

import pytest

import headscope as hs
from tests.attribution.transcoders import random_transcoders
from tests.models import D_MODEL, N_LAYERS
from tests.unit.page import Page


def test_typed_and_given_directions_are_one(gpt2: Any) -> None:
    typed = hs.NearestTokens(gpt2, "cat - dog + mat", to="embedding", k=3)
    given = hs.NearestTokens(
        gpt2, hs.Token(" cat") - hs.Token(" dog") + hs.Token(" mat"), to="embedding", k=3
    )
    assert given.prompt == "cat − dog + mat"
    assert (typed.result.values == given.result.values).all()
    assert typed.result.title == "Nearest tokens to cat − dog + mat"
    assert typed.result.shape == (N_LAYERS + 1, 3)
    given.prompt = "cat - dog"
    assert given.result.provenance.prompts[0].text == "cat − dog"


def test_what_was_given_counts_until_its_text_is_edited(gpt2: Any) -> None:
    vector = hs.Vector([1.0] + [0.0] * (D_MODEL - 1), name="mine")
    widget = hs.NearestTokens(gpt2, vector)
    assert widget.prompt == "mine"
    assert widget.result.provenance.prompts[0].token_ids == ()
    widget.k = 2
    assert widget.result.shape == (N_LAYERS + 1, 2)
    widget.prompt = "mine + cat"
    with pytest.raises(hs.PromptError, match="' mine' is"):
        widget.run()


def test_a_bad_expression_is_said_with_its_place(gpt2: Any) -> None:
    page = Page(hs.NearestTokens(gpt2, "cat"))
    page.ask(1, "tokenize", text="cat - + dog")
    assert "At character 7" in page.reply(1)["value"]["error"]["message"]
    page.ask(2, "tokenize", text='cat - "the dog"')
    answer = page.reply(2)["value"]
    assert (answer["error"], answer["n_ctx"]) == (None, None)
    assert "".join(answer["tokens"]).replace("<|endoftext|>", "|") == "| cat|the dog"
    page.widget.prompt = "cat -"
    with pytest.raises(hs.RequestError, match="At character 6"):
        page.widget.run()
    assert page.widget.last_error is not None


def test_features_need_transcoders(gpt2: Any) -> None:
    widget = hs.NearestTokens(gpt2, "cat", random_transcoders(N_LAYERS, D_MODEL, 9), to="decoder")
    assert widget.result.top.texts[str(widget.result.top.ids[0, 0, 0])].startswith("L0F")
    bare = hs.NearestTokens(gpt2, "cat", to="decoder")
    with pytest.raises(hs.RequestError, match="no features without transcoders"):
        bare.run()


def test_what_is_no_direction_is_refused(gpt2: Any) -> None:
    with pytest.raises(hs.RequestError, match="3 is no direction"):
        hs.NearestTokens(gpt2, 3)
