"""Analyses with interventions, without, and the difference, against the model as it is by hand."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import REGISTRY, logit_lens
from headscope.analyses.intervened import under
from headscope.analyses.rerun import request_of
from headscope.errors import HeadscopeError, RequestError, ResultError
from headscope.interventions import Interventions
from headscope.jobs.steps import drained
from headscope.model import LiveModel
from headscope.model.intervening import plan, planning
from headscope.results import Grid
from headscope.widgets.effects import Effects
from tests import models
from tests.analyses.test_left_as_found import state_of
from tests.attribution.transcoders import random_transcoders
from tests.golden import build
from tests.models import D_MODEL, N_LAYERS
from tests.unit.page import Page, until

PROMPT, OTHER = "the cat sat on the mat the", "the dog sat on the mat the"
NONE = Interventions()
LISTS = {
    "head": NONE.zero("L2H1"),
    "edge": NONE.knock_out("L1", None, 0).scale("MLP1", 2.5, positions=[-1]),
    "stream": NONE.steer(1, hs.TokenDifference(5, 9), 3.0, positions=[2]).clamp("L1N3", 4.0),
    "patch": NONE.patch("L1H0.v", OTHER).freeze_pattern("L2H0", OTHER),
    "order": NONE.swap(0, 1),
    "off": NONE.zero("L2H1").scale("L1H1", 3.0).changed(0, on=False),
}
#: Where an analysis must know that a block is in another place, or that a stream is steered.
UNKNOWN_BY_HAND = {
    ("attribution", "stream"), ("heads", "stream"), ("lens", "order"), ("attribution", "order"),
    ("heads", "order"),
}  # fmt: skip
KINDS = ("attention", "lens", "attribution", "heads", "patching")


def made(kind: str, model: Any, interventions: Any = None, prompt: Any = PROMPT) -> Any:
    match kind:
        case "attention":
            return hs.AttentionPatterns(model, prompt, interventions=interventions)
        case "lens":
            return hs.LogitLens(model, prompt, read_out="all", interventions=interventions)
        case "attribution":
            return hs.LogitAttribution(model, prompt, interventions=interventions)
        case "heads":
            return hs.LogitAttribution(model, prompt, by="head", interventions=interventions)
    return hs.ActivationPatching(
        model, prompt, OTHER, answer=" mat", wrong=" dog", interventions=interventions
    )


def numbers(result: Any) -> dict[str, Any]:
    """Every array of a result, by name."""
    if isinstance(result, Grid):
        return {m.name: m.values for m in result.measures}
    held = {f"L{h.layer}H{h.head}": h.weights for h in result.heads}
    scores = {s.name: s.values for s in result.scores}
    return held | scores | {"values": result.value_norm, "outputs": result.output_norm}


def assert_same(one: Any, other: Any, rtol: float = 0.0, atol: float = 0.0) -> None:
    mine, its = numbers(one), numbers(other)
    assert mine.keys() == its.keys()
    for name, values in mine.items():
        np.testing.assert_allclose(values, its[name], rtol, atol, err_msg=name)


@pytest.fixture(scope="module")
def plain(gpt2: Any) -> dict[str, Any]:
    for kind in KINDS:
        made(kind, gpt2)  # ways to compute are tried on the first run: later ones round alike
    return {kind: made(kind, gpt2).run() for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LISTS)
def test_a_view_with_interventions_is_that_of_the_model_with_them(
    gpt2: Any, plain: dict[str, Any], kind: str, name: str
) -> None:
    acting, live = LISTS[name], LiveModel.of(gpt2)
    live.forget_runs()
    before, widget = state_of(gpt2), made(kind, gpt2, acting)
    effects = widget.effects
    assert state_of(gpt2) == before
    shown = effects["with"].provenance
    if (kind, name) not in UNKNOWN_BY_HAND:
        with acting.applied(gpt2):
            by_hand = drained(REGISTRY[shown.analysis].run(live, request_of(shown)))
        # Runs in batches of another size round otherwise.
        assert_same(effects["with"], by_hand, rtol=1e-4, atol=5e-5)
    assert_same(effects["without"], plain[kind])
    mine, its, less = (numbers(effects[effect]) for effect in ("with", "without", "difference"))
    for measure, values in its.items() if (kind, name) != ("attribution", "stream") else ():
        np.testing.assert_array_equal(less[measure], mine[measure] - values)
    assert shown.interventions == tuple(map(json.dumps, acting.active.to_list()))
    assert shown.user_hooks == ()
    assert effects["without"].provenance.interventions == ()
    widget.close()


def test_steering_is_a_part_of_a_logit_by_itself(gpt2: Any, plain: dict[str, Any]) -> None:
    steering = NONE.steer(1, hs.TokenDifference(5, 9), 3.0)
    effects = made("attribution", gpt2, steering).effects
    acting, less = effects["with"], effects["difference"]
    row = acting.axes[0].labels.index("interventions")
    assert acting.identity.residue < 1e-4
    assert {term.label for term in acting.identity.terms} > {"interventions"}
    np.testing.assert_allclose(less["contribution"][row], acting["contribution"][row])
    np.testing.assert_allclose(
        np.delete(less["contribution"], row, 0),
        np.delete(acting["contribution"], row, 0) - plain["attribution"]["contribution"],
    )
    assert less.identity.residue < 1e-4


@pytest.mark.parametrize(
    "change", [NONE.steer(0, hs.TokenDifference(5, 9), 3.0), NONE.zero("embed")]
)
def test_what_is_done_to_the_first_stream_is_no_embedding(
    gpt2: Any, llama: Any, change: Interventions
) -> None:
    for bridge in (gpt2, llama):
        acting = made("attribution", bridge, change).effects["with"]
        _, cache = bridge.run_with_cache(bridge.to_tokens(PROMPT))
        path, answer = LiveModel.of(bridge).read_out(), acting.provenance.parameters["answer_id"]
        with plan(bridge, change).installed(), torch.no_grad():
            _, changed = bridge.run_with_cache(bridge.to_tokens(PROMPT))
        last = LiveModel.of(bridge).n_layers - 1
        scale = path.scale(changed[f"blocks.{last}.hook_resid_post"][0])[:, 0]
        expected = cache["hook_embed"][0] @ path.direction(answer, None) / scale
        labels = acting.axes[0].labels
        row = acting["contribution"][labels.index("embed")]
        np.testing.assert_allclose(row, expected.detach(), atol=1e-5)
        rest = changed["blocks.0.hook_resid_pre"][0] - cache["blocks.0.hook_resid_pre"][0]
        moved = rest @ path.direction(answer, None) / scale
        row = acting["contribution"][labels.index("interventions")]
        np.testing.assert_allclose(row, moved.detach(), atol=1e-4)
        assert acting.identity.residue < 1e-4


def test_features_are_clamped_in_every_view(gpt2: Any) -> None:
    transcoders = random_transcoders(N_LAYERS, D_MODEL, 40)
    clamped = NONE.clamp("L1F3", 2.0)
    explorer = hs.Explorer(gpt2, PROMPT, OTHER, transcoders, interventions=clamped)
    acting = plan(gpt2, clamped, transcoders)
    with acting.installed():
        expected = hs.LogitLens(gpt2, PROMPT).result
    assert_same(explorer.lens.run(), expected, 1e-5, 1e-5)
    explorer.patching.answer, explorer.patching.wrong = " mat", " dog"
    for view in (explorer.lens, explorer.attention, explorer.attribution, explorer.patching):
        assert view.run() is view.effects["with"]
        names = {"model": gpt2, "transcoders": transcoders}
        exec(view.to_code(), names)
        assert_same(names["widget"].result, view.result, 1e-5, 1e-5)  # runs in other batches
    explorer.close()


def test_texts_of_interventions_run_one_a_step(gpt2: Any) -> None:
    model, texts = LiveModel.of(gpt2), ["the cat", "the dog sat", "the mat"]
    changes = NONE.mean("L1H0", texts).steer(1, hs.Means(texts), 2.0).patch("L1H1", OTHER)
    assert len(list(planning(model, changes))) == 7
    work = planning(model, changes)
    next(work)
    gpt2.add_hook("blocks.1.hook_in", lambda t, hook: t)
    try:
        with pytest.raises(ResultError, match="have changed since the interventions were begun"):
            next(work)
    finally:
        gpt2.reset_hooks()


def test_layers_in_another_order_are_a_rebuilt_model(gpt2: Any, tokenizer: Any) -> None:
    rebuilt = models.hf_gpt2()
    blocks = rebuilt.transformer.h
    blocks[1], blocks[2] = blocks[2], blocks[1]
    for at, block in enumerate(blocks):
        block.attn.layer_idx = at  # where its keys and values are kept
    oracle = models.bridge(rebuilt, tokenizer, name="rebuilt")
    swapped = NONE.swap(1, 2)
    assert_same(made("lens", gpt2, swapped).run(), made("lens", oracle).run(), atol=1e-5)
    mine = made("attribution", gpt2, swapped).run()
    assert mine.identity.residue < 1e-4
    assert "interventions" not in mine.axes[0].labels
    patched = [made("patching", m, i).run() for m, i in ((gpt2, swapped), (oracle, None))]
    order = [0, 2, 1]
    np.testing.assert_allclose(
        patched[0]["effect"][order], patched[1]["effect"], rtol=1e-3, atol=1e-4
    )
    mine, its = (made("attention", m, i) for m, i in ((gpt2, swapped), (oracle, None)))
    np.testing.assert_allclose(mine.head(1, 0), its.head(2, 0), atol=1e-6)


def test_a_layer_that_is_left_out_looks_at_nothing_and_writes_nothing(gpt2: Any) -> None:
    skipped = NONE.skip(1)
    attention = made("attention", gpt2, skipped)
    assert not attention.head(1, 2).any()
    np.testing.assert_allclose(attention.head(2, 0).sum(-1), 1, rtol=1e-5)
    lens = made("lens", gpt2, skipped).run()
    rows = dict(zip(lens.axes[0].labels, lens["probability"], strict=True))
    np.testing.assert_array_equal(rows["L0 post"], rows["L1 post"])
    parts = made("attribution", gpt2, skipped).run()
    assert not parts["contribution"][parts.axes[0].labels.index("L1 attn")].any()
    with pytest.raises(RequestError, match="Layer 1 is left out, so it has no z"):
        hs.ActivationPatching(
            gpt2, PROMPT, OTHER, answer=" mat", wrong=" dog", site="z", interventions=skipped
        ).run()


def test_a_slider_runs_the_plain_model_no_more(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[bool] = []
    run = logit_lens.run

    def counted(model: Any, request: Any) -> Any:
        ran.append(bool(model.interventions))
        return (yield from run(model, request))

    monkeypatch.setattr(logit_lens, "run", counted)
    widget = made("lens", gpt2, NONE.scale("L1H1", 2.0))
    assert ran == [False, True]
    widget.interventions = widget.interventions.changed(0, factor=3.0)
    first = widget.result
    assert ran == [False, True, True]
    for effect in ("without", "difference", "with"):
        widget.effect = effect
        assert widget.result is widget.effects[effect]
        assert widget._result["header"]["data"]["title"] == widget.result.title
    assert widget.result is first
    assert len(ran) == 3
    widget.interventions = widget.interventions.changed(0, on=False)
    assert widget.result is widget.effects["without"]
    widget.prompt = OTHER
    widget.interventions = widget.interventions.changed(0, on=True)
    assert widget.result.provenance.prompts[0].text == OTHER
    assert ran[3:] == [False, True]


def test_both_sides_ask_for_the_same_answer(gpt2: Any) -> None:
    turned = NONE.zero("L2.resid_post").scale("L0.mlp_out", -4.0)
    both = made("attribution", gpt2, turned).effects
    answers = {both[e].provenance.parameters["answer_id"] for e in ("with", "without")}
    assert len(answers) == 1
    turned = NONE.scale("L1.mlp_out", -3.0)
    pair = hs.Pair(PROMPT, OTHER, None, " dog")
    patched = hs.ActivationPatching(gpt2, [pair], interventions=turned).effects
    answers = {patched[e].provenance.parameters["answer_ids"] for e in ("with", "without")}
    assert len(answers) == 1


def test_next_tokens_before_and_after_are_those_of_one_run_each(gpt2: Any) -> None:
    ids = torch.tensor([LiveModel.of(gpt2).tokenize(PROMPT).token_ids])
    acting = LISTS["edge"]
    with torch.no_grad():
        before = gpt2(ids)[0, -1].softmax(-1)
        with acting.applied(gpt2):
            after = gpt2(ids)[0, -1].softmax(-1)
    for kind in KINDS:
        widget = made(kind, gpt2, acting)
        assert widget.result.provenance.interventions
        shifts = widget._shifts
        assert len(shifts) == 10
        for shift in shifts:
            assert shift["before"] == pytest.approx(float(before[shift["token_id"]]), rel=1e-4)
            assert shift["after"] == pytest.approx(float(after[shift["token_id"]]), rel=1e-4)
    assert made("lens", gpt2)._shifts == []


def test_questions_are_about_the_model_that_is_shown(gpt2: Any) -> None:
    acting = NONE.knock_out("L2H1", None, 0).scale("MLP0", 3.0)
    attention, lens, patching = (made(k, gpt2, acting) for k in ("attention", "lens", "patching"))
    plain = made("attention", gpt2)
    shown = attention.effects
    assert (attention.head(2, 1)[1:, 0] == 0).all()
    np.testing.assert_array_equal(attention.head(2, 1), shown["with"][2, 1])
    attention.effect = "difference"
    np.testing.assert_allclose(attention.head(2, 1), shown["difference"][2, 1], atol=1e-7)
    attention.effect = "without"
    np.testing.assert_array_equal(attention.head(2, 1), plain.head(2, 1))
    moved = lens._shifts[0]
    for effect, probability in (("with", moved["after"]), ("without", moved["before"])):
        lens.effect = effect
        track = lens.track(moved["token_id"])
        assert track.probability[-1, -1] == pytest.approx(probability, rel=1e-4)
    expected = float(patching.result["effect"][1, 3])  # computed by now, however slow the machine
    assert patching.outcome(1, 3).exact == pytest.approx(expected, abs=1e-4)
    patching.effect = "without"
    expected = float(patching.result["effect"][1, 3])
    assert patching.outcome(1, 3).exact == pytest.approx(expected, abs=1e-4)
    for widget, ask in ((lens, lambda: lens.track(5)), (patching, lambda: patching.outcome(1, 3))):
        widget.effect = "difference"
        with pytest.raises(RequestError, match="a difference is of two"):
            ask()


def test_hooks_of_the_users_are_named_beside_interventions(gpt2: Any) -> None:
    acting = NONE.zero("L1H0")
    with gpt2.hooks(fwd_hooks=[("blocks.0.hook_mlp_out", lambda x, hook: 2 * x)]):
        widget = made("lens", gpt2, acting)
        record = widget.result.provenance
        assert record.user_hooks == ("blocks.0.mlp.hook_out",)
        assert len(record.interventions) == 1
        hooked = widget.effects["without"]
    with pytest.raises(ResultError, match="hooks have changed"):
        widget.track(5)
    assert not np.array_equal(hooked["kl"], widget.run()["kl"])


def test_what_ran_with_interventions_runs_again(gpt2: Any, tmp_path: Any) -> None:
    for kind in KINDS:
        widget = made(kind, gpt2, LISTS["patch"])
        again = hs.rerun(hs.load_result(widget.result.save(tmp_path / kind)), gpt2)
        assert_same(again, widget.result, rtol=1e-4, atol=5e-5)
        assert again.provenance.interventions == widget.result.provenance.interventions
        names: dict[str, Any] = {"model": gpt2}
        widget.effect = "without"
        exec(widget.to_code(), names)
        assert names["widget"].interventions == widget.interventions
        assert names["widget"].effect == "without"
        assert names["widget"].to_code() == widget.to_code()


@pytest.mark.parametrize("kind", ["lens", "patching"])
def test_nothing_is_left_after_an_error_or_a_cancel(gpt2: Any, kind: str) -> None:
    before = state_of(gpt2)
    with pytest.raises(HeadscopeError, match="position 50"):
        made(kind, gpt2, NONE.zero("L1H0", positions=[50])).run()
    assert state_of(gpt2) == before
    live, request = LiveModel.of(gpt2), request_of(made(kind, gpt2).result.provenance)
    steps = REGISTRY["logit_lens" if kind == "lens" else "activation_patching"].run
    total = sum(1 for _ in under(plan(live, LISTS["edge"]), steps(live, request)))
    for stop in range(total):
        job = under(plan(live, LISTS["edge"]), steps(live, request))
        for _ in range(stop + 1):
            next(job)
            assert state_of(gpt2) == before
        job.close()
        assert state_of(gpt2) == before


def test_two_widgets_and_a_users_cells_never_meet(gpt2: Any) -> None:
    """On the loop, step by step between each other, each sees its own interventions only."""
    first, second = NONE.scale("L1H0", 4.0), NONE.zero("MLP0").knock_out("L2", None, 0)
    ids = torch.tensor([LiveModel.of(gpt2).tokenize(PROMPT).token_ids])
    wanted = {
        (kind, at): made(kind, gpt2, acting).result
        for kind in ("lens", "patching")
        for at, acting in enumerate((first, second))
    }

    async def main() -> None:
        with torch.no_grad():
            plain = gpt2(ids)
        widgets = [made(kind, gpt2) for kind in ("lens", "patching") for _ in range(2)]
        await until(lambda: all(w.status["state"] == "done" for w in widgets))
        for repeat in range(3):
            for at, widget in enumerate(widgets):
                # Cleared first, so that all of it is computed with the others' steps between.
                widget._forget()
                widget.interventions = (first, second)[(at + repeat) % 2]
            while any(w.status["state"] != "done" or w._begun_at != w._edits for w in widgets):
                with torch.no_grad():
                    assert torch.equal(gpt2(ids), plain)
                await asyncio.sleep(0.001)
            for at, widget in enumerate(widgets):
                kind = "lens" if at < 2 else "patching"
                assert_same(widget.result, wanted[kind, (at + repeat) % 2], 1e-4, 5e-5)

    asyncio.run(main())


def test_the_page_edits_the_list_and_chooses_the_effect(gpt2: Any) -> None:
    async def main() -> None:
        widget = made("lens", gpt2)
        page = Page(widget)
        page.write(interventions=NONE.zero("L2H1").to_list())
        await until(lambda: page.state.get("_shifts"))
        first = page.state["_result"]["header"]["data"]["provenance"]["interventions"]
        assert len(first) == 1
        page.write(effect="difference")
        assert page.state["_result"]["header"]["data"]["provenance"]["analysis"] == "difference"
        page.ask(1, "cell", row=1, position=2)
        await until(lambda: page.of_type("reply"))
        assert "a difference is of two" in page.reply(1)["error"]["message"]
        page.write(interventions=[{"kind": "zero", "component": "L9H9"}])
        await until(lambda: page.state.get("_error"))
        assert "L9" in page.state["_error"]["message"]
        page.write(interventions=[])
        await until(lambda: page.state["_status"]["state"] == "done")
        assert page.state["_shifts"] == []

    asyncio.run(main())


def test_a_layer_is_left_out_where_attention_and_mlp_run_side_by_side(neox: Any) -> None:
    effects = hs.LogitLens(neox, PROMPT, interventions=NONE.skip(1)).effects
    rows = dict(zip(effects["with"].axes[0].labels, effects["with"]["kl"], strict=True))
    np.testing.assert_array_equal(rows["L0"], rows["L1"])


def test_graphs_have_no_difference() -> None:
    graph = build.circuit_graph()
    assert [*Effects((None, None), graph, graph)] == ["with", "without"]


def test_a_difference_where_nothing_acts_is_0(gpt2: Any) -> None:
    """Not the plain result, which would pass for one."""
    lens = hs.LogitLens(gpt2, PROMPT, interventions=LISTS["head"])
    lens.effect = "difference"
    assert abs(lens.result.values).max() > 0
    lens.interventions = None
    assert (lens.result.values == 0).all()
    assert lens.result.provenance.analysis == "difference"
    effects = hs.Intervene(gpt2, PROMPT, LISTS["head"])
    effects.effect = "difference"  # an explorer sets it on every view
    assert effects.result["probability"].max() > 0
