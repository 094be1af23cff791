"""Every view of one prompt in one widget."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import json
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import headscope as hs
from headscope.analyses import attention, logit_lens
from headscope.model import LiveModel
from tests import models
from tests.attribution.transcoders import random_transcoders
from tests.models import D_MODEL, N_LAYERS
from tests.unit.page import Page, until

PROMPT = "the cat sat on the mat"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    hs.close_all()


@pytest.fixture
def analyses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The analyses that began, in their order."""
    seen: list[str] = []

    def counted(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def steps(*args: Any, **kwargs: Any) -> Any:
            seen.append(name)
            return (yield from run(*args, **kwargs))

        return steps

    for name, module in (("lens", logit_lens), ("attention", attention)):
        monkeypatch.setattr(module, "run", counted(name, module.run))
    return seen


def of(explorer: hs.Explorer) -> dict[str, Any]:
    """The widget in each pane."""
    return {pane["name"]: pane["widget"] for pane in explorer._panes}


def done(explorer: hs.Explorer) -> bool:
    return explorer._status["state"] == "done"


def test_only_what_is_open_is_made_and_a_closed_view_follows_when_it_is_opened(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat")
    assert [name for name, view in of(explorer).items() if view is None] == ["repair", "circuit"]
    page = Page(explorer)
    page.write(view={"collapsed": ["attention", "repair", "circuit"]})
    explorer.prompt = "the mat sat on the cat"
    attended = of(explorer)["attention"]
    assert attended.prompt == PROMPT, "nobody sees it"
    page.write(view={"collapsed": ["repair", "circuit"]})
    assert attended.result.provenance.prompts[0].text == "the mat sat on the cat"
    assert explorer.attention is attended
    assert explorer.circuit is of(explorer)["circuit"] is not None


def test_an_edit_computes_what_is_open_one_after_the_other_what_is_in_sight_first(
    gpt2: Any, analyses: list[str]
) -> None:
    async def main() -> None:
        explorer = hs.Explorer(gpt2, PROMPT)
        page = Page(explorer)
        page.write(view={"collapsed": ["attribution", "next_token", "repair"]})
        page.ask(1, "sight", names=["attention"])
        await until(lambda: page.of_type("reply") and done(explorer))
        for change in ({"prompt": "the dog"}, {"interventions": [_zero()]}):
            analyses.clear()
            page.write(**change)
            assert not done(explorer)
            await until(lambda: done(explorer))
            assert analyses == ["attention", "lens"]
        assert explorer.lens.result.provenance.prompts[0].text == "the dog"

    asyncio.run(main())


def _zero() -> dict[str, Any]:
    return hs.Interventions().zero("L0H0").to_list()[0]


def test_an_edit_during_a_computation_takes_its_place(gpt2: Any, analyses: list[str]) -> None:
    async def main() -> None:
        explorer = hs.Explorer(gpt2, PROMPT)
        await until(lambda: done(explorer))
        for prompt in ("the dog", "the mat", "the cat"):
            explorer.prompt = prompt
            await asyncio.sleep(0)
        await until(lambda: done(explorer))
        await asyncio.sleep(0.02)
        shown = [view.result.provenance.prompts[0].text for view in of(explorer).values() if view]
        assert shown == ["the cat"] * 4

    asyncio.run(main())


def test_an_edit_that_is_taken_back_before_its_turn_leaves_no_view_idle(gpt2: Any) -> None:
    async def main() -> None:
        explorer = hs.Explorer(gpt2, PROMPT)
        await until(lambda: done(explorer))
        views = [view for view in of(explorer).values() if view]
        explorer.prompt = "the dog"
        await until(lambda: any(view.status["state"] == "idle" for view in views))
        explorer.prompt = PROMPT
        await until(lambda: done(explorer))
        for view in views:
            assert view.status["state"] == "done"
            assert view.result.provenance.prompts[0].text == PROMPT

    asyncio.run(main())


def test_the_next_token_is_that_of_the_model_with_the_interventions(gpt2: Any) -> None:
    changes = hs.Interventions().skip([0, 1])
    explorer = hs.Explorer(gpt2, PROMPT, interventions=changes)
    explorer.run()
    explorer.next_token.run()  # which tells no shifts
    after = {shift["token_id"]: shift["after"] for shift in explorer._shifts}
    plain = explorer.next_token.result.next_tokens[0].token_id
    likeliest = max(after, key=lambda token: after[token])
    assert likeliest != plain
    page = Page(explorer)
    page.write(view={"collapsed": [name for name in explorer.views if name != "next_token"]})
    page.write(effect="difference", interventions=hs.Interventions().skip([0]).to_list())
    assert explorer._shifts == [], "nobody is left to tell"
    page.write(interventions=changes.to_list())
    page.ask(1, "extend", token_id=None)
    assert explorer.next_token.result.provenance.prompts[0].token_ids[-1] == likeliest


def test_a_view_that_is_made_later_takes_what_it_has_of_the_selection(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT, selection={"layer": 1, "token": 5})
    explorer.prompt = "the cat"
    selected = explorer.repair.selection
    assert (selected["layer"], selected["token"]) == (1, None)


def test_one_selection_and_one_history_for_all(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT)
    explorer.run()
    explorer.attention.selection |= {"layer": 1, "head": 2, "token": 3}
    assert explorer.selection["component"] == explorer.lens.selection["component"] == "L1H2"
    assert explorer.lens.selection["token"] == 3
    explorer.interventions = hs.Interventions().zero("L1H2")
    assert explorer.lens.interventions == explorer.attention.interventions == explorer.interventions
    page = Page(explorer)
    page.ask(1, "undo")
    assert (len(explorer.interventions), explorer.selection["layer"]) == (0, 1)
    explorer.undo()
    assert explorer.attention.selection["layer"] is None
    explorer.undo()  # there is nothing more
    page.ask(2, "redo")
    explorer.redo()
    assert explorer.lens.interventions == hs.Interventions().zero("L1H2")
    assert (page.state["_workspace"]["undo"], page.state["_workspace"]["redo"]) == (2, 0)


def test_a_view_that_is_edited_itself_takes_the_others_along(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat")
    explorer.patching.corrupted = "the dog sat on the cat"
    explorer.lens.prompt = "the cat sat on the cat"
    explorer.attention.interventions = hs.Interventions().zero("L0H0")
    assert (explorer.prompt, explorer.corrupted) == ("the cat sat on the cat",
                                                     "the dog sat on the cat")  # fmt: skip
    assert explorer.patching.prompt == "the cat sat on the cat"
    assert len(explorer.attribution.interventions) == 1
    explorer.effect = "without"
    assert explorer.lens.effect == "without"


def test_token_ids_run_as_they_are(gpt2: Any) -> None:
    ids = LiveModel.of(gpt2).tokenize(PROMPT).token_ids
    explorer = hs.Explorer(gpt2, list(ids))
    assert explorer.lens.result.provenance.prompts[0].token_ids == ids
    page = Page(explorer)
    assert explorer._arguments == {"prompt": list(ids)}
    page.ask(1, "extend", token_id=None)
    assert len(explorer.attention.result.provenance.prompts[0].token_ids) == len(ids) + 1


def test_a_failure_stays_in_its_pane(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")
        yield

    monkeypatch.setattr(attention, "run", broken)
    explorer = hs.Explorer(gpt2, PROMPT)
    assert explorer.attention.status["state"] == "error"
    assert explorer.lens.result is not None
    assert explorer._error is None


def test_a_run_goes_on_where_a_view_fails_and_says_which(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")
        yield

    explorer = hs.Explorer(gpt2, PROMPT)
    monkeypatch.setattr(attention, "run", broken)
    explorer.prompt = "the dog"
    with pytest.raises(hs.ResultError, match=r"^Attention: broken The traceback: explorer.last"):
        explorer.run()
    assert isinstance(explorer.last_error, RuntimeError)
    views = of(explorer)
    assert views["attention"]._error["message"] == "broken"
    for name in ("next_token", "lens", "attribution"):
        assert views[name].result.provenance.prompts[0].text == "the dog"
    monkeypatch.undo()
    assert set(explorer.run()) == {"attention", "next_token", "lens", "attribution"}
    explorer.prompt = "the cat " * 100
    with pytest.raises(hs.PromptError, match=r"^The prompt"):
        explorer.run()


def test_a_view_that_is_closed_leaves_the_others_and_is_made_anew(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT)
    explorer.attention.close()
    assert of(explorer)["attention"] is None
    explorer.prompt = "the dog"
    explorer.selection |= {"layer": 1}
    assert set(explorer.run()) == {"next_token", "lens", "attribution"}
    page = Page(explorer)
    page.write(view={"collapsed": ["repair"]})
    anew = of(explorer)["attention"]
    assert anew.result.provenance.prompts[0].text == "the dog"
    anew.close()
    assert explorer.attention is not anew, "asked for by name it is made too"
    assert explorer.attention.selection["layer"] == 1


def test_a_view_that_is_closed_while_it_computes_gives_its_turn_to_the_next(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headscope.widgets.workspace.FIRST_BUDGET_S", 0.0)
    monkeypatch.setattr("headscope.widgets.workspace.CHUNK_S", 0.0)

    async def main() -> None:
        explorer = hs.Explorer(gpt2, PROMPT)
        of(explorer)["attention"].close()
        await until(lambda: done(explorer))
        assert explorer.lens.status["state"] == "done"

    asyncio.run(main())


def test_an_answer_is_given_once_and_a_view_may_have_its_own(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat", answer=" cat", wrong=281)
    page = Page(explorer)
    assert [spec["name"] for spec in explorer._fields] == ["corrupted", "answer", "wrong"]

    def asked(name: str) -> dict[str, Any]:
        result: Any = getattr(explorer, name).result
        return {key: result.provenance.parameters.get(key) for key in ("answer", "wrong_id")}

    assert asked("attribution") == {"answer": " cat", "wrong_id": 281}
    assert asked("next_token")["answer"] == " cat"
    assert explorer.patching.answer == " cat"
    explorer.attribution.answer = " dog"
    explorer.prompt = "the mat sat on the mat"
    assert asked("attribution")["answer"] == " dog"
    assert asked("next_token")["answer"] == " cat"
    page.write(answer=" mat")
    assert {asked(name)["answer"] for name in ("attribution", "next_token")} == {" mat"}
    assert explorer.repair.answer == " mat", "made later"
    page.write(answer="")
    top = explorer.next_token.result.next_tokens[0].text
    assert asked("attribution")["answer"] == asked("next_token")["answer"] == top
    with pytest.raises(hs.RequestError, match="answer cannot be"):
        explorer.answer = 1.5  # type: ignore[assignment]


def test_an_answer_reaches_a_closed_pane_when_it_is_opened(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT)
    page = Page(explorer)
    page.write(view={"collapsed": ["attribution", "repair"]})
    explorer.answer = " dog"
    assert of(explorer)["attribution"].answer in ("", None)
    page.write(view={"collapsed": ["repair"]})
    assert of(explorer)["attribution"].answer == " dog"


def test_a_view_that_cannot_be_made_says_so_in_its_pane(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise hs.ModelError("The model shows no attention.", "Take another.")

    monkeypatch.setattr(hs.AttentionPatterns, "__init__", refuse)
    explorer = hs.Explorer(gpt2, PROMPT)
    panes = {pane["name"]: pane for pane in explorer._panes}
    assert panes["attention"]["error"]["message"] == "The model shows no attention."
    assert panes["lens"]["widget"].result is not None
    with pytest.raises(hs.ModelError):
        _ = explorer.attention


def test_a_prompt_that_cannot_run_is_refused_once(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT)
    explorer.prompt = "the cat " * 100
    assert isinstance(explorer.last_error, hs.PromptError)
    assert explorer._error is not None
    assert [view._error for view in of(explorer).values() if view] == [None] * 4
    explorer.prompt = "the dog"
    assert explorer._error is None
    assert explorer.lens.result.provenance.prompts[0].text == "the dog"


def test_what_needs_more_says_what(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT)
    with pytest.raises(hs.RequestError, match=r"Patching needs corrupted. Set explorer.corrupted"):
        _ = explorer.patching
    with pytest.raises(hs.RequestError, match="needs transcoders"):
        _ = explorer.features
    page = Page(explorer)
    explorer.corrupted = "the dog sat on the mat"
    assert [pane["name"] for pane in page.state["_panes"]][5:] == ["patching", "circuit"]
    assert explorer.patching.corrupted == "the dog sat on the mat"


def test_closing_lets_go_of_the_model_and_of_every_view(tokenizer: Any) -> None:
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    explorer = hs.Explorer(bridge, PROMPT)
    lens, seen = explorer.lens, weakref.ref(bridge)
    explorer.run()
    hs.close_all()
    del bridge
    gc.collect()
    assert seen() is None
    assert (repr(explorer), repr(lens)) == ("Explorer(closed)", "LogitLens(closed)")
    with pytest.raises(hs.ResultError, match="closed"):
        _ = explorer.lens
    explorer.close()


def test_a_saved_page_has_what_is_open_linked_and_says_what_failed(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")
        yield

    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat")
    monkeypatch.setattr(attention, "run", broken)
    explorer.interventions = hs.Interventions().zero("L0H0")
    explorer.view |= {"collapsed": ["repair", "circuit", "patching"]}
    frozen = explorer.freeze()
    assert {frozen.group, *(part.group for part in frozen.parts)} == {frozen.group} != {""}
    shown = unpacked(frozen)
    places = {pane["name"]: pane["widget"] or bool(pane["error"]) for pane in shown["panes"]}
    assert places == {
        "attention": True, "next_token": "0", "lens": "1", "attribution": "2",
        "repair": False, "patching": False, "circuit": False,
    }  # fmt: skip
    assert shown["common"]["ran"]["provenance"]["prompts"][0]["text"] == PROMPT
    with pytest.raises(hs.RequestError, match="more than max_bytes=100"):
        explorer.freeze(max_bytes=100)
    within = frozen.size + 500
    assert explorer.freeze(max_bytes=within).size <= within
    with pytest.raises(hs.RequestError, match="include is 'some'"):
        explorer.freeze("some")  # type: ignore[arg-type]


def unpacked(frozen: Any) -> dict[str, Any]:
    line = gzip.decompress(base64.b64decode(frozen.text)).split(b"\n", 1)[0]
    found: dict[str, Any] = json.loads(line)
    return found


def test_its_code_makes_it_again(gpt2: Any) -> None:
    ids = list(LiveModel.of(gpt2).tokenize(PROMPT).token_ids)
    explorer = hs.Explorer(
        gpt2, ids, "the dog sat on the mat", interventions=hs.Interventions().zero("L0H0"),
        selection={"layer": 1},
    )  # fmt: skip
    explorer.run()
    explorer.view |= {"shares": [2, 1]}
    names: dict[str, Any] = {"model": gpt2}
    exec(explorer.to_code(), names)
    again = names["widget"]
    assert again.to_code() == explorer.to_code()
    assert again.lens.result.provenance.prompts[0].token_ids == tuple(ids)
    assert (again.selection, again.interventions) == (explorer.selection, explorer.interventions)


def test_its_code_has_what_its_views_were_given(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat", answer=" mat")
    explorer.effect = "difference"
    explorer.attribution.answer, explorer.attribution.by = 281, "head"
    explorer.patching.metric, explorer.patching.direction = "log_prob", "noising"
    explorer.patching.alignment = [0, 1, 2, 3, -1, 5]
    explorer.repair.heads = ["L0H1", "L1H2"]
    explorer.lens.view = {"heatmap_measure": "rank"}
    explorer.circuit.method = "eap"
    names: dict[str, Any] = {"model": gpt2}
    exec(explorer.to_code(), names)
    again = names["widget"]
    assert again.to_code() == explorer.to_code()
    assert (again.effect, again.answer) == ("difference", " mat")
    assert again.lens.view == explorer.lens.view
    for name, view in of(explorer).items():
        copy = getattr(again, name)
        prompts = (one._prompts.source(one.prompt) for one in (copy, view))
        asked = [one._request(prompt) for one, prompt in zip((copy, view), prompts, strict=True)]
        assert asked[0] == asked[1], name


def test_one_run_of_the_prompt_serves_every_view(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the numbers are those of views that run it each for itself."""
    ran: list[tuple[int, ...]] = []
    run = gpt2.run_with_hooks

    def counted(ids: Any, **options: Any) -> Any:
        ran.append(tuple(ids[0].tolist()))
        return run(ids, **options)

    monkeypatch.setattr(gpt2, "run_with_hooks", counted)
    closed = ["next_token", "repair"]

    async def main() -> None:
        explorer = hs.Explorer(gpt2, PROMPT)
        page = Page(explorer)
        page.write(view={"collapsed": closed})
        await until(lambda: done(explorer))
        for prompt in ("the dog sat", "the mat sat"):
            ran.clear()
            page.write(prompt=prompt)
            await until(lambda: done(explorer))
            assert len(ran) == 1
        for factor in (2.0, 3.0):
            ran.clear()
            explorer.interventions = hs.Interventions().scale("L1H1", factor)
            await until(lambda: done(explorer))
            assert len(ran) == 1
            both = explorer.attribution.effects
            alone = hs.LogitAttribution(gpt2, prompt, interventions=explorer.interventions)
            alone.run()
            assert (both["with"]["contribution"] == alone.result["contribution"]).all()
            assert len(ran) > 1  # `run` really runs the model
        explorer.interventions = hs.Interventions()
        for view, kind in (
            (explorer.lens, hs.LogitLens),
            (explorer.attribution, hs.LogitAttribution),
            (explorer.attention, hs.AttentionPatterns),
        ):
            LiveModel.of(gpt2).forget_runs()
            alone: Any = kind(gpt2, "the mat sat")
            shown, expected = view.result, alone.run()
            if isinstance(shown, hs.Grid):
                assert all((shown[m.name] == expected[m.name]).all() for m in shown.measures)
            else:
                assert (shown.overview == expected.overview).all()
                assert (shown.value_norm == expected.value_norm).all()

    asyncio.run(main())


def test_the_other_prompt_reaches_every_view_that_takes_it(gpt2: Any) -> None:
    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat")
    explorer.run()
    explorer.corrupted = "the mat sat on the mat"
    ran = explorer.run()["patching"].provenance.prompts[1]
    assert ran.text == explorer.patching.corrupted == "the mat sat on the mat"


def test_a_script_runs_an_explorer_with_pairs(gpt2: Any) -> None:
    """Patching asks for no logits of a run that the others' needs are kept of."""
    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat")
    assert set(explorer.run()) >= {"lens", "attention", "attribution", "patching"}


def titles(explorer: hs.Explorer) -> dict[str, str]:
    return {pane["name"]: pane["title"] for pane in explorer._panes}


def test_a_pane_says_that_interventions_do_not_reach_it(gpt2: Any) -> None:
    transcoders = random_transcoders(N_LAYERS, D_MODEL, 40)
    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat", transcoders)
    explorer.interventions = hs.Interventions().zero("L0H0")
    assert titles(explorer)["features"] == "Features, without interventions"
    assert {titles(explorer)[name] for name in ("lens", "circuit", "repair")} == {
        "Lens", "Circuit", "Self-repair"
    }  # fmt: skip
    explorer.interventions = hs.Interventions().zero("L0H0").changed(0, on=False)
    assert titles(explorer)["features"] == "Features"
    explorer.close()


def test_circuit_and_repair_follow_interventions_and_what_is_shown_of_them(gpt2: Any) -> None:
    acting = hs.Interventions().zero("L1H0").scale("MLP1", 2.0)
    explorer = hs.Explorer(gpt2, PROMPT, "the dog sat on the mat", interventions=acting)
    for view, kind in ((explorer.circuit, hs.CircuitDiscovery), (explorer.repair, hs.SelfRepair)):
        alone: Any = kind(gpt2, PROMPT, corrupted=view.corrupted or None, interventions=acting)
        for effect in ("with", "without"):
            explorer.effect = effect  # type: ignore[assignment]
            shown, expected = view.result, alone.effects[effect]
            assert shown is view.effects[effect]
            assert bool(shown.provenance.interventions) == (effect == "with")
            for mine, its in zip(shown.measures, expected.measures, strict=True):
                np.testing.assert_allclose(mine.values, its.values, atol=1e-6)
        alone.close()
    explorer.effect = "difference"
    assert explorer.repair.result is explorer.repair.effects["difference"]
    assert explorer.circuit.result is explorer.circuit.effects["with"]
    assert titles(explorer)["circuit"] == "Circuit, with interventions"
    explorer.effect = "without"
    assert explorer.circuit.result is explorer.circuit.effects["without"]
    assert titles(explorer)["circuit"] == "Circuit"
    explorer.interventions = hs.Interventions().swap(0, 1)
    with pytest.raises(hs.RequestError, match="every layer once"):
        explorer.circuit.run()
    explorer.close()
