"""Two widgets and what they differ by: kept in step, on one scale, refused in one line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.errors import RequestError, ResultError
from headscope.wire import decode
from tests.golden import build
from tests.models import bridge, hf_gpt2
from tests.pages import unpack
from tests.unit.page import Page, until

CAT, DOG, LONGER = "the cat sat on the mat", "the dog sat on the mat", "the cat sat on the big mat"


@pytest.fixture(scope="module")
def tuned(tokenizer: Any) -> Any:
    model = bridge(hf_gpt2(), tokenizer, name="tuned")
    with torch.no_grad():
        model.original_model.transformer.h[1].mlp.c_proj.original_component.weight.mul_(1.5)
    return model


def shown(compare: Any) -> Any:
    """The difference that the page has."""
    return decode(compare._less.get_state(["_result"])["_result"])


def titles(compare: Any) -> list[str]:
    return [pane["title"] for pane in compare._panes]


def test_two_models_are_shown_with_their_difference_on_one_scale(gpt2: Any, tuned: Any) -> None:
    compare = hs.Compare(hs.LogitLens(gpt2, CAT), hs.LogitLens(tuned, CAT))
    one, other, less = compare.left.result, compare.right.result, compare.difference
    assert titles(compare) == ["Left: tiny-gpt2", "Right: tuned", "Right less left"]
    for found in (less, shown(compare)):
        np.testing.assert_array_equal(found.values, other.values - one.values)
    assert less.provenance.sources == (one.provenance, other.provenance)
    scales = compare.view["scales"]
    assert set(scales) == {measure.name for measure in one.measures}
    for name, (low, high) in scales.items():
        own = [m.scale for grid in (one, other) for m in grid.measures if m.name == name]
        assert (low, high) == (min(s.low for s in own), max(s.high for s in own))
    state = compare.get_state()
    assert state["_view_bundle"] == "panes"
    assert [pane["widget"].split(":")[1] for pane in state["_panes"]] == [
        widget.model_id for widget in (compare.left, compare.right, compare._less)
    ]
    left = compare.left
    compare.close()
    assert left.result is one, "the widgets live on"
    assert repr(compare) == "Compare(closed)"
    with pytest.raises(ResultError, match="This widget is closed"):
        _ = compare.difference


def test_what_the_two_have_in_common_stays_so(gpt2: Any, tuned: Any) -> None:
    models = hs.Compare(hs.LogitLens(gpt2, CAT), hs.LogitLens(tuned, CAT))
    models.left.prompt = DOG
    models.right.read_out = "all"
    assert (models.right.prompt, models.left.read_out) == (DOG, "all")
    assert models.difference.provenance.prompts[0].text == DOG
    left, right = models.left, models.right
    models.close()
    left.prompt = CAT
    assert right.prompt == DOG, "closed, they are apart"

    prompts = hs.Compare(hs.LogitAttribution(gpt2, CAT), hs.LogitAttribution(gpt2, LONGER))
    left, right, _ = titles(prompts)
    assert left.startswith("Left: '… the mat', answer ")
    assert right.startswith("Right: '… the big mat', answer ")
    prompts.left.prompt = DOG
    prompts.left.by = "head"
    assert (prompts.right.prompt, prompts.right.by) == (LONGER, "head")
    assert prompts.difference.axes[1].name == "head"
    prompts.close()

    fields = hs.Compare(hs.LogitLens(gpt2, CAT, read_out="resid_pre"), hs.LogitLens(gpt2, CAT))
    fields.left.prompt = DOG
    assert (fields.right.prompt, fields.right.read_out) == (DOG, "resid_post")
    fields.close()


def test_the_difference_follows_both_and_says_when_it_is_outdated(gpt2: Any, tuned: Any) -> None:
    async def follows() -> None:
        compare = hs.Compare(hs.LogitLens(gpt2, CAT), hs.LogitLens(tuned, CAT))
        page = Page(compare.left)
        less = compare._less
        page.write(prompt=DOG)
        assert (less._status["state"], less._status["message"]) == (
            "running", "Waiting for the left and the right",
        )  # fmt: skip
        await until(lambda: less._status["state"] == "done")
        assert shown(compare).provenance.prompts[0].text == DOG
        page.write(selection={"layer": 1, "token": 2})
        assert (compare.right.selection["layer"], less.selection["token"]) == (1, 2)
        compare.right.prompt = ""
        await until(lambda: less._status["state"] == "error")
        assert less._error["message"] == "The widget on the left has no result."
        compare.right.prompt = CAT
        await until(lambda: less._status["state"] == "done")
        assert less._error is None
        compare.right.close()
        assert less._error["message"] == "The widget on the right is closed."
        compare.close()

    asyncio.run(follows())


def test_heads_that_the_difference_lacks_are_asked_of_both_models(gpt2: Any, tuned: Any) -> None:
    compare = hs.Compare(hs.AttentionPatterns(gpt2, CAT), hs.AttentionPatterns(tuned, CAT))
    held = compare.difference.heads[-1]
    page = Page(compare._less)
    page.ask(1, "head", layer=held.layer, head=held.head)
    assert page.reply(1)["ok"]
    (buffer,) = page.reply_buffers(1)
    found = np.frombuffer(buffer, np.float16).reshape(3, *held.weights.shape)
    np.testing.assert_allclose(found[0], held.weights, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[1:], held.weighted, rtol=1e-3, atol=1e-6)
    assert set(compare.view["scales"]) == {"attention", "value", "output"}
    compare.close()


def test_saved_results_are_compared_with_no_model(gpt2: Any, tuned: Any) -> None:
    results = [hs.LogitLens(model, CAT).result for model in (gpt2, tuned)]
    compare = hs.Compare(*map(hs.ResultView, results))
    np.testing.assert_array_equal(compare.difference.values, hs.difference(*results).values)
    assert compare.run().title == "Logit lens, difference"
    compare.close()


def test_it_is_packed_and_drawn_as_it_is_shown(gpt2: Any, tuned: Any, tmp_path: Path) -> None:
    compare = hs.Compare(hs.LogitLens(gpt2, CAT), hs.LogitLens(tuned, CAT))
    compare.view |= {"heatmap_measure": "kl", "own_scale": True}
    for include in ("visible", "all"):
        frozen = compare.freeze(include)
        assert (frozen.kind, len(frozen.parts)) == ("panes", 3)
        shown = [unpack(part.text) for part in frozen.parts]
        assert all("kl" in [m.name for m in result.measures] for _, result in shown)
        views = [saved["view"] for saved, _ in shown]
        assert [view["heatmap_measure"] for view in views] == ["kl"] * 3
        assert views[0]["scales"] == views[1]["scales"] == compare.view["scales"]
        assert "scales" not in views[2]
    assert compare.left.view == {}, "the widgets have their own choices"
    assert compare.save_html(tmp_path / "compare").read_text().count("headscope-part") >= 3
    assert compare.to_svg().count("KL to the final output") >= 3
    assert compare._settled
    compare.close()


def test_its_code_makes_it_again(gpt2: Any, tuned: Any) -> None:
    results = [hs.LogitLens(model, CAT).result for model in (gpt2, tuned)]
    made = [
        hs.Compare(hs.LogitLens(gpt2, CAT), hs.LogitLens(tuned, DOG, read_out="all")),
        hs.Compare(hs.AttentionPatterns(gpt2, CAT), hs.AttentionPatterns(gpt2, DOG)),
        hs.Compare(*map(hs.ResultView, results)),
    ]
    names: dict[str, Any] = {"model": gpt2, "left_model": gpt2, "right_model": tuned}
    names |= dict(zip(("left_result", "right_result"), results, strict=True))
    for compare in made:
        compare.view = {"heatmap_measure": "kl", "own_scale": True}
        exec(compare.to_code(), names)
        again = names["widget"]
        assert again.view == compare.view
        assert again._less._status == compare._less._status
        for side in ("left", "right"):
            here, there = (getattr(each, side) for each in (again, compare))
            assert (here.prompt, here.result.provenance) == (there.prompt, there.result.provenance)
        again.close()
        compare.close()


def test_results_that_do_not_meet_are_told_in_the_pane(gpt2: Any) -> None:
    compare = hs.Compare(
        hs.LogitLens(gpt2, CAT, read_out="all"), hs.LogitLens(gpt2, DOG, read_out="resid_pre")
    )
    assert compare._less._error["message"].startswith("One has 7 read_outs, the other 4")
    with pytest.raises(ResultError, match="read_outs"):
        _ = compare.difference
    compare.right.read_out = "all"
    compare.run()
    assert compare._less._error is None
    compare.close()


def test_what_cannot_be_compared_is_refused(gpt2: Any) -> None:
    lens, heads = hs.LogitLens(gpt2, CAT), hs.AttentionPatterns(gpt2, CAT)
    graphs = [hs.GraphView(build.circuit_graph()) for _ in range(2)]
    closed = hs.LogitLens(gpt2, CAT)
    closed.close()
    refused = [
        ((lens, heads), "LogitLens and AttentionPatterns show different things"),
        ((lens, lens), "not compared with itself"),
        ((lens, closed), "This LogitLens is closed"),
        ((lens, "a prompt"), "'a prompt' cannot be compared"),
        (graphs, "cannot be compared"),
        ((lens,), "missing a required argument: 'right'"),
    ]
    for pair, words in refused:
        with pytest.raises(RequestError, match=words) as said:
            hs.Compare(*pair)
        assert "\n" not in str(said.value)
    for widget in (lens, heads, *graphs):
        widget.close()
