"""Examples are typed as lines or given as pairs; the vector can be used elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import headscope as hs
from tests.models import N_LAYERS
from tests.unit.page import Page

EXAMPLES = [("cat", "dog"), ("dog", "mat"), ("mat", "cat")]
ASKED: dict[str, Any] = {"template": "{x} saw {y}\n", "shots": 1, "shuffles": 2}


@pytest.fixture
def widget(gpt2: Any) -> Any:
    made = hs.TaskVectors(gpt2, EXAMPLES, "sat → on", **ASKED)
    made.run()
    return made


def test_lines_and_pairs_are_one(widget: Any, gpt2: Any) -> None:
    assert widget.prompt == "cat → dog\ndog → mat\nmat → cat"
    typed = hs.TaskVectors(gpt2, "cat -> dog\n\n dog→ mat\nmat → cat", [("sat", "on")], **ASKED)
    assert typed.queries == "sat → on"
    assert typed.template == "{x} saw {y}\\n"
    assert (typed.run().values == widget.result.values).all()
    assert "\n" in widget.result.provenance.prompts[0].text


def test_the_vector_is_used_elsewhere(widget: Any, gpt2: Any) -> None:
    assert len(widget.vector(1).values) == 32
    with widget.replacing(1).applied(gpt2), torch.no_grad():
        best = int(gpt2(gpt2.to_tokens("sat saw"))[0, -1].argmax())
    assert best == widget.result.top.ids[1, 2, 0]
    near = hs.NearestTokens(gpt2, widget.direction)
    assert near.prompt == "mean of 2"
    assert near.run().shape == (N_LAYERS + 1, 10)
    with pytest.raises(hs.RequestError, match="no layer 3"):
        widget.vector(3)


def test_what_is_mistyped_is_said_with_its_line(widget: Any) -> None:
    page = Page(widget)
    page.ask(1, "tokenize", text="cat → dog\ndog")
    assert "Line 2 is no example" in page.reply(1)["value"]["error"]["message"]
    page.ask(2, "tokenize", text="cat → dog")
    assert "".join(page.reply(2)["value"]["tokens"]).endswith("cat saw")
    widget.queries = "cat → dog"
    with pytest.raises(hs.RequestError, match="'cat' is an example and a query"):
        widget.run()
    for wrong in ("", [("a",)], 3):
        with pytest.raises(hs.HeadscopeError):
            hs.TaskVectors(widget._model.bridge, wrong, "sat → on").run()
