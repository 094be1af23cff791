"""`ActivationPatching` as a user and a page see it: maps, cells looked into, pins, alignments."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses.contrast import Spot
from headscope.errors import Cancelled, RequestError, ResultError
from headscope.model.patching import PatchingEngine
from headscope.wire import decode
from tests import models, naive
from tests.analyses.by_hand import ESTIMATED, EXACT, LONGER, PAIR, ByHand
from tests.unit.page import Page, until

SET = [PAIR, hs.Pair("the dog sat on", "the cat saw on", " dog", " mat")]


@pytest.fixture
def widget(gpt2: Any) -> Iterator[hs.ActivationPatching]:
    made = hs.ActivationPatching(gpt2, PAIR.clean, PAIR.corrupted, answer=" mat", wrong=" dog")
    made.run()
    yield made
    made.close()


def answer_to(page: Page, ask_id: int, what: str, **params: Any) -> Any:
    page.ask(ask_id, what, **params)
    reply = page.reply(ask_id)
    assert reply["ok"], reply["error"]
    return reply["value"]


def test_the_map_is_the_analysis(widget: hs.ActivationPatching, gpt2: Any) -> None:
    ByHand(gpt2).check(widget.result)
    assert np.array_equal(decode(widget._result)["effect"], widget.result["effect"])


def test_every_field_is_a_synced_trait_with_help(widget: hs.ActivationPatching) -> None:
    for spec in widget._fields:
        trait = widget.traits()[spec["name"]]
        assert trait.metadata["sync"]
        assert spec["help"]
        values = [choice["value"] for choice in spec["choices"]]
        assert (spec["type"] == "choice") == bool(values)
        assert not values or getattr(widget, spec["name"]) in values


@pytest.mark.parametrize(
    "fields",
    [
        {"site": "z"}, {"site": "k", "over": "head_position", "layer": 2},
        {"site": "mlp_out", "window": 2, "direction": "noising"}, {"metric": "kl"},
        {"source": "zero", "site": "attn_out"}, {"site": "v", "over": "layer_position", "head": 3},
    ],
    ids=str,
)  # fmt: skip
def test_fields_edited_in_the_page_make_another_map(
    widget: hs.ActivationPatching, gpt2: Any, fields: dict[str, Any]
) -> None:
    Page(widget).write(**fields)
    ByHand(gpt2, **fields).check(widget.result)


def test_prompts_and_answers_edited_in_the_page(widget: hs.ActivationPatching, gpt2: Any) -> None:
    pair = hs.Pair("the dog sat the", "the mat sat the", " cat", " the cat")
    Page(widget).write(
        prompt=pair.clean, corrupted=pair.corrupted, answer=pair.answer, wrong=pair.wrong
    )
    ByHand(gpt2, pair).check(widget.result)


def test_ids_in_place_of_texts(gpt2: Any) -> None:
    clean, corrupted = (0, 5, 9, 40), (0, 5, 8, 40)
    made = hs.ActivationPatching(gpt2, clean, torch.tensor([corrupted]), answer=7, wrong=11)
    try:
        ByHand(gpt2, hs.Pair(clean, corrupted, 7, 11)).check(made.result)
    finally:
        made.close()


def test_estimates_alone(gpt2: Any) -> None:
    hs.close_all()
    made = hs.ActivationPatching(gpt2, PAIR, exact=False)
    try:
        assert np.isin(made.result.states, (ESTIMATED, EXACT)).all()
        assert (made.result.states == ESTIMATED).any()
        assert "neither" not in " ".join(made.result.provenance.notes)
    finally:
        made.close()


# A cell, looked into.


def test_a_cell_shows_what_its_patch_does(widget: hs.ActivationPatching, gpt2: Any) -> None:
    cell = (1, 3)
    shown = answer_to(Page(widget), 1, "cell", index=list(cell))
    found, result = widget.outcome(*cell), widget.result
    assert shown["label"] == found.label == "resid_pre L1, token 3 ' saw'"
    assert shown["effect"]["exact"] == pytest.approx(result["effect"][cell], abs=1e-4)
    assert shown["effect"]["estimate"] == pytest.approx(result["estimate"][cell], abs=1e-4)
    told = {term.label: term.value for term in result.baselines}
    assert shown["metric"] == pytest.approx(
        {**told, "patched": float(result["metric"][cell])}, abs=1e-4
    )
    by_hand = ByHand(gpt2)
    changes = by_hand.changes("resid_pre", 1, None, [3])
    runs = {
        "clean": naive.logits(gpt2, by_hand.source),
        "corrupted": naive.logits(gpt2, by_hand.base),
        "patched": naive.logits(gpt2, by_hand.base, changes),
    }
    tokens = shown["distributions"]["tokens"]
    for name, logits in runs.items():
        shares = logits[-1].softmax(-1)
        assert [token[name] for token in tokens] == pytest.approx(
            [float(shares[token["token_id"]]) for token in tokens], abs=1e-5
        )
        assert int(shares.argmax()) in [token["token_id"] for token in tokens]
    texts = [token["text"] for token in tokens]
    assert {" mat", " dog"} <= set(texts)


def test_a_cell_of_a_set_is_one_pairs(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, SET, site="mlp_out")
    try:
        for number, pair in enumerate(SET, 1):
            found = made.outcome(number, 0, 4)
            assert found.metric["patched"] == pytest.approx(
                ByHand(gpt2, pair, site="mlp_out").cell(made.result, 0, 4), abs=1e-5
            )
            assert {pair.answer, pair.wrong} <= {token.text for token in found.tokens}
            assert found.exact == pytest.approx(made.result["effect"][number, 0, 4], abs=1e-4)
        with pytest.raises(RequestError, match=r"There is no experiment 3\. Choose 1 to 2"):
            made.outcome(3, 0, 4)
    finally:
        made.close()


def test_a_cell_of_the_mean_is_the_means(gpt2: Any) -> None:
    """Raw values, effects and their intervals are the set's; distributions are a single pair's."""
    made = hs.ActivationPatching(gpt2, SET, site="mlp_out")
    try:
        cell, result = (1, 3), made.result
        found, each = made.outcome(0, *cell), [made.outcome(k, *cell) for k in (1, 2)]
        for name, mean in found.metric.items():
            assert mean == pytest.approx(np.mean([one.metric[name] for one in each]), abs=1e-5)
        assert found.tokens == ()
        assert found.exact == pytest.approx(result["effect"][(0, *cell)], abs=1e-5)
        assert found.estimate == pytest.approx(result["estimate"][(0, *cell)], abs=1e-5)
        assert found.interval == pytest.approx(
            (result["low"][(0, *cell)], result["high"][(0, *cell)]), abs=1e-5
        )
        low, high = found.estimate_interval or (np.nan, np.nan)
        assert low <= found.estimate <= high
        assert [one.interval for one in each] == [None, None]
        shown = answer_to(Page(made), 1, "cell", index=[0, *cell])
        assert shown["interval"]["exact"] == found.interval
    finally:
        made.close()


def test_the_mean_is_called_so_in_a_table(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, SET, site="mlp_out")
    try:
        table = made.result.to_dataframe()
        assert table["pair"].unique().tolist() == ["mean", 1, 2]
        assert (table["layer"].unique() == [0, 1, 2]).all()
        second = table[(table.pair == 2) & (table.layer == 1)]
        assert np.array_equal(second["effect"], made.result["effect"][2, 1])
    finally:
        made.close()


def test_the_map_says_which_neurons_it_shows(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, PAIR, site="mlp_post", layer=1)
    try:
        assert "32 of 128 neurons of L1" in made.result.title
        said = made.result.measures[0].definition
        assert "Shown are the 32 of 128 neurons of L1 with the largest estimated effects" in said
        made.metric = "rank"  # which has no gradient
        assert "largest changes of their activation" in made.result.measures[0].definition
    finally:
        made.close()


def test_fields_are_shown_where_they_have_an_effect(widget: hs.ActivationPatching) -> None:
    """What is hidden changes no number, whatever its value."""

    def shown() -> set[str]:
        def holds(condition: dict[str, list[str]]) -> bool:
            return all(getattr(widget, name) in values for name, values in condition.items())

        return {f["name"] for f in widget._fields if not f["when"] or any(map(holds, f["when"]))}

    other = {"head": 2, "layer": 1, "wrong": " sat", "direction": "noising"}
    for fields, gone in (
        ({"site": "resid_pre"}, {"head", "layer", "window"}),
        ({"site": "z"}, {"head", "layer"}),
        ({"site": "z", "over": "layer_position"}, {"layer"}),
        ({"site": "z", "over": "head_position"}, {"head"}),
        ({"site": "mlp_post", "over": ""}, {"head"}),
        ({"site": "mlp_out", "metric": "log_prob"}, {"head", "layer", "wrong"}),
        ({"source": "zero"}, {"head", "layer", "wrong", "corrupted", "direction"}),
    ):
        for name, value in fields.items():
            setattr(widget, name, value)
        assert {f["name"] for f in widget._fields} - shown() == gone
        before = widget.result["metric"]
        for name in gone & other.keys():
            kept = getattr(widget, name)
            setattr(widget, name, other[name])
            assert np.allclose(widget.result["metric"], before, atol=1e-5), name
            setattr(widget, name, kept)


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_cells_patched_together(llama: Any, direction: Any) -> None:
    made = hs.ActivationPatching(llama, PAIR, site="attn_out", direction=direction)
    try:
        cells = [(0, 2), (1, 4), (2, 4)]
        found = answer_to(Page(made), 1, "joint", indices=[list(cell) for cell in cells])
        by_hand = ByHand(llama, site="attn_out", direction=direction)
        places = [("attn_out", layer, None, [position]) for layer, position in cells]
        metric = by_hand.metric(by_hand.base, places, position=-1)
        assert found["metric"] == pytest.approx(metric, abs=1e-5)
        told = {term.label: term.value for term in made.result.baselines}
        base, source = told["corrupted"], told["clean"]
        if direction == "noising":
            base, source = source, base
        assert found["joint"] == pytest.approx((metric - base) / (source - base), abs=1e-3)
        single = [float(made.result["effect"][cell]) for cell in cells]
        assert found["single"] == pytest.approx(single, abs=1e-4)
        assert found["sum"] == pytest.approx(sum(single), abs=1e-4)
        again = made.joint(*cells)
        assert found.keys() == again.keys()
        for key in ("metric", "joint", "sum"):
            assert found[key] == pytest.approx(again[key], abs=1e-5)
    finally:
        made.close()


def test_cells_of_a_set_together_are_means(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, SET, site="z")
    try:
        cells = [(0, 1), (2, 3)]
        every = [made.joint(*((number, *cell) for cell in cells)) for number in (1, 2)]
        assert made.joint(*cells)["joint"] == pytest.approx(np.mean([e["joint"] for e in every]))
        assert made.joint(*cells)["metric"] == pytest.approx(np.mean([e["metric"] for e in every]))
    finally:
        made.close()


# Pins.


def test_the_next_map_is_made_on_top_of_what_is_pinned(
    widget: hs.ActivationPatching, gpt2: Any
) -> None:
    page = Page(widget)
    before = widget.result["effect"].copy()
    answer_to(page, 1, "pin", indices=[[1, 3], [2, 4]])
    spots = (Spot("resid_pre", 1, (3,), None), Spot("resid_pre", 2, (4,), None))
    assert widget.pinned == spots
    widget.site = "z"
    ByHand(gpt2, site="z", pinned=spots).check(widget.result)
    answer_to(page, 2, "unpin", index=0)
    ByHand(gpt2, site="z", pinned=spots[1:]).check(widget.result)
    answer_to(page, 3, "unpin")
    widget.site = "resid_pre"
    assert np.allclose(widget.result["effect"], before, atol=1e-5)
    assert widget.pinned == ()


def test_pins_are_of_one_pair_and_go_with_its_prompts(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, SET)
    try:
        with pytest.raises(RequestError, match="Patches are pinned on a single pair"):
            made.pin((0, 0))
        made.prompt, made.corrupted = "the cat sat on the", "the dog sat on the"
        assert made.result.axes[0].name == "layer"
        made.pin((0, 5))
        assert made.result.provenance.parameters["pinned"] != "[]"
        made.corrupted = "the dog"
        assert made.pinned == ()
        assert made.run().provenance.parameters["pinned"] == "[]"
    finally:
        made.close()


# Alignments.


def test_an_alignment_is_edited_and_belongs_to_its_prompts(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, LONGER, site="mlp_out")
    try:
        page = Page(made)
        source = [0, 1, -1, 3, -1, 4]
        answer_to(page, 1, "align", source=source)
        ByHand(gpt2, LONGER, site="mlp_out", alignment=tuple(source)).check(made.result)
        assert made.result.alignment is not None
        assert made.result.alignment.given
        answer_to(page, 2, "align", source=[0, 1, 2, 1, -1, 4])
        with pytest.raises(RequestError, match="The alignment crosses itself"):
            made.run()
        page.write(corrupted=PAIR.corrupted)
        assert made.alignment is None
        ByHand(gpt2, hs.Pair(LONGER.clean, PAIR.corrupted, " mat", " dog"), site="mlp_out").check(
            made.result
        )
    finally:
        made.close()


# Sets.


def test_a_set_is_shown_whole_until_its_pair_is_edited(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, SET)
    try:
        assert len(made.result.axes[0]) == 3
        made.answer = " cat"
        assert made.result.axes[0].name == "layer"
        made.answer = " mat"
        assert len(made.result.axes[0]) == 3
        assert made.run().to_dataframe().columns[0] == "pair"
    finally:
        made.close()


# Time.


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Maps are computed a few cells at a time, on the loop; the cells that were."""
    monkeypatch.setattr("headscope.widgets.base.FIRST_BUDGET_S", 0.0)
    monkeypatch.setattr(PatchingEngine, "most_tokens", 5)
    computed: list[int] = []
    compute = PatchingEngine.compute

    def counted(self: Any, runs: Any, importance: Any = None) -> Any:
        for progress in compute(self, runs, importance):
            computed.extend(progress.runs)
            time.sleep(0.06)
            yield progress

    monkeypatch.setattr(PatchingEngine, "compute", counted)
    hs.close_all()
    return computed


def test_a_cancelled_map_keeps_what_it_has_and_goes_on(gpt2: Any, slowly: list[int]) -> None:
    async def main() -> None:
        made = hs.ActivationPatching(gpt2, PAIR, site="mlp_out")
        page = Page(made)
        try:
            await until(lambda: len(slowly) > 1)
            page.send(type="cancel_job")
            await until(lambda: made.status["state"] == "cancelled")
            half = len(slowly)
            assert (made.result.states == EXACT).any()  # what it had
            assert (made.result.states == ESTIMATED).any()
            assert (made.run().states == EXACT).all()
            assert 2 <= half < len(slowly) == 9  # all but the first two tokens, once each
        finally:
            made.close()

    asyncio.run(main())


def test_it_pauses_and_goes_on(gpt2: Any, slowly: list[int]) -> None:
    async def main() -> None:
        made = hs.ActivationPatching(gpt2, PAIR, site="mlp_out")
        page = Page(made)
        try:
            await until(lambda: len(slowly) > 1)
            page.ask(1, "pause")
            await until(lambda: page.of_type("reply"))
            assert made.status["message"] == "Paused"
            half = len(slowly)
            await asyncio.sleep(0.15)
            assert len(slowly) == half < 9
            page.ask(2, "resume")
            await until(lambda: made.status["state"] == "done")
            assert (made.result.states == EXACT).all()
            assert len(slowly) == 9
        finally:
            made.close()

    asyncio.run(main())


# What cannot be answered.


def test_questions_about_no_map_and_no_cell(widget: hs.ActivationPatching) -> None:
    page = Page(widget)
    for number, (what, params, says) in enumerate(
        [
            ("cell", {"index": [9, 9]}, "There is no cell (9, 9). Rows are 0 to 2, col"),
            ("joint", {"indices": []}, "No cell is given. Choose at least one."),
            ("joint", {"indices": [[0, 0], [3, 0]]}, "There is no cell (3, 0)."),
            ("pin", {"indices": [[0, 7]]}, "There is no cell (0, 7)."),
        ]
    ):
        page.ask(number, what, **params)
        error = page.reply(number)["error"]
        assert f"{error['message']} {error['hint']}".startswith(says)
    assert widget.pinned == ()


def test_questions_while_there_is_no_map(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, PAIR.clean, PAIR.clean)
    try:
        for ask in (
            lambda: made.outcome(0, 0),
            lambda: made.joint((0, 0)),
            lambda: made.pin((0, 0)),
        ):
            with pytest.raises(ResultError, match="There is no result: The clean and the corrup"):
                ask()
    finally:
        made.close()


def test_a_token_that_meets_none_has_nothing_to_patch(gpt2: Any) -> None:
    made = hs.ActivationPatching(gpt2, LONGER)
    try:
        (unmatched,) = np.flatnonzero(made.result.alignment.source < 0)
        with pytest.raises(RequestError, match="Nothing of the other run meets this place, so"):
            made.outcome(0, int(unmatched))
    finally:
        made.close()


def test_nothing_is_answered_about_a_model_that_has_changed(tokenizer: Any) -> None:
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    made = hs.ActivationPatching(bridge, PAIR)
    try:
        before = made.outcome(1, 3)
        with torch.no_grad():
            bridge.blocks[2].mlp.out.original_component.weight.mul_(0.5)
        for ask in (lambda: made.outcome(1, 3), lambda: made.joint((1, 3))):
            with pytest.raises(ResultError, match="weights or hooks have changed"):
                ask()
        made.run()
        ByHand(bridge).check(made.result)
        assert made.outcome(1, 3) != before
    finally:
        made.close()


def test_an_interrupted_run_says_so(gpt2: Any, monkeypatch: Any) -> None:
    made = hs.ActivationPatching(gpt2, PAIR, site="mlp_out")
    try:
        compute = PatchingEngine.compute

        def cancelling(self: Any, runs: Any, importance: Any = None) -> Any:
            made._runner.job.cancel()
            yield from compute(self, runs, importance)

        monkeypatch.setattr(PatchingEngine, "compute", cancelling)
        with pytest.raises(
            Cancelled, match=r"The computation was cancelled. Call widget.run\(\) a"
        ):
            made.run()
    finally:
        made.close()
