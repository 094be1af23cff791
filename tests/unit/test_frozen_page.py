"""Pages that stand alone: what travels, how small, and what they say is missing."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import headscope as hs
from headscope.errors import HeadscopeError, RequestError, ResultError
from headscope.export import frozen, html
from headscope.export.slices import slices_of
from headscope.results import HeadPattern, HeadScore, Patterns, Result
from headscope.widgets.selection import NOTHING
from headscope.wire.rounding import restored, rounded
from tests.golden import build
from tests.pages import Page, unpack

HOSTILE = "</script><img src=x onerror=alert(1)><!-- <script>"


def snapshot(**changes: Any) -> frozen.Snapshot:
    """Of a widget that shows nothing special."""
    shown: Any = {
        "widget": "LogitLens", "fields": [], "values": {}, "error": None, "prompt": HOSTILE,
        "status": {"job": 1, "state": "done", "fraction": 1.0, "eta_s": None, "message": "",
                   "paused": None},
        "interventions": None, "effect": "with", "shifts": [], "selection": NOTHING,
        "view": {}, "marks": {}, "notes": [], "missing": [],
    }  # fmt: skip
    return {**shown, **changes}


def freeze(
    result: Result,
    include: frozen.Include = "all",
    max_bytes: int | None = None,
    head: Any = None,
    **shown: Any,
) -> frozen.Frozen:
    taken = snapshot(**shown)
    slices = slices_of(result, taken["view"], taken["selection"], head)
    return frozen.freeze(taken, slices, include, max_bytes)


def model_of(layers: int, heads: int, n: int) -> tuple[Patterns, Any]:
    """An attention result that holds one head, and where the others come from: sharp weights."""
    random = np.random.default_rng(0)
    logits = np.where(np.tri(n, dtype=bool), 4 * random.normal(size=(layers, heads, n, n)), -np.inf)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights = (weights / weights.sum(-1, keepdims=True)).astype(np.float32)
    prompt = dataclasses.replace(
        build.provenance("attention", "").prompts[0], tokens=("x",) * n, token_ids=(1,) * n
    )
    side = min(n, 43)  # as attention.py has it for 144 heads
    overview = (weights[:, :, :side, :side] * 255).astype(np.uint8)
    overview = np.repeat(overview[None], 3, axis=0)
    written = random.random((3, layers, heads)).astype(np.float32)
    norms = random.random((layers, heads, n)).astype(np.float32)
    result = dataclasses.replace(
        build.patterns(),
        n_layers=layers, n_heads=heads, overview=overview, overview_max=written,
        value_norm=norms, output_norm=norms,
        scores=(HeadScore("induction", "Induction", "", 1.0, norms[:, :, 0].copy()),),
        heads=(HeadPattern(0, 0, weights[0, 0]),),
        provenance=dataclasses.replace(build.provenance("attention", ""), prompts=(prompt,)),
    )  # fmt: skip
    return result, lambda layer, head: HeadPattern(layer, head, weights[layer, head])


@pytest.fixture
def front_end(static: Path) -> str:
    """A bundle with everything in it that could break out of its script element."""
    code = f"const trap = '{HOSTILE}', upper = '</SCRIPT>', ok = 1 </ /re/.test('');"
    (static / "frozen.js").write_text(code)
    for view in ("attention", "graph"):
        (static / f"frozen-{view}.js").write_text(f"'the view {view}'")
    return code


# Rounding.

FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)


@given(arrays(np.float32, array_shapes(max_dims=3, max_side=6), elements=FLOATS))
def test_values_rounded_to_bytes_are_within_the_stated_bound(values: Any) -> None:
    found = rounded(values, "uint8")
    assert found is not None
    numbers, rounding = found
    back = restored(numbers, rounding)
    off = np.abs(back.astype(np.float64) - values)
    assert off.max() <= rounding["bound"]
    assert (back[values == 0] == 0).all()
    # Half a step, and what float32 itself cannot tell apart.
    slack = np.spacing(np.abs(values).max())
    assert rounding["bound"] <= rounding["step"] / 2 + slack or rounding["step"] == 1


@given(
    arrays(
        np.float32,
        array_shapes(max_dims=3, max_side=6),
        elements=st.floats(-65504, 65504, width=32) | st.just(np.nan),
    )
)
def test_values_rounded_to_half_precision_keep_eleven_bits_and_what_is_no_number(
    values: Any,
) -> None:
    found = rounded(values, "float16")
    assert found is not None
    back = restored(*found)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    off = np.abs(back.astype(np.float64) - values)
    assert np.nanmax(off, initial=0.0) <= found[1]["bound"]
    assert found[1]["bound"] <= max(np.nanmax(np.abs(values), initial=0.0) * 2.0**-11, 2.0**-25)


def test_what_a_dtype_cannot_hold_is_not_rounded() -> None:
    assert rounded(np.array([1.0, np.nan], np.float32), "uint8") is None
    assert rounded(np.array([70_000.0], np.float32), "float16") is None
    numbers, rounding = rounded(np.zeros((2, 2), np.float32), "uint8") or (None, None)
    assert rounding is not None
    np.testing.assert_array_equal(restored(numbers, rounding), 0)


# What travels.


def test_a_small_result_travels_whole_and_as_on_a_live_page() -> None:
    whole = freeze(build.grid())
    assert (whole.left_out, whole.bound) == ((), 0.0)
    shown, result = unpack(whole.text)
    assert (shown["notes"], shown["missing"], shown["prompt"]) == ([], [], HOSTILE)
    np.testing.assert_array_equal(result["effect"], build.grid()["effect"])


def test_visible_takes_the_measure_on_show_and_names_the_others() -> None:
    grid = build.grid()
    one = freeze(grid, "visible")
    shown, result = unpack(one.text)
    assert [m.name for m in result.measures] == ["probability"]
    others = [{"value": m.name, "title": m.title} for m in grid.measures[1:]]
    assert shown["missing"] == others
    count = len(grid.measures)
    assert re.match(rf"{count - 1} of {count} measures \(Effect", one.left_out[0])
    assert shown["notes"] == [f"Not in this page, needs a live kernel: {one.left_out[0]}."]
    chosen = unpack(freeze(grid, "visible", view={"heatmap_measure": "effect"}).text)[1]
    assert [m.name for m in chosen.measures] == ["probability", "effect"]


@pytest.mark.parametrize(
    ("view", "selection", "heads"),
    [
        ({}, {}, {(0, 0)}),
        ({}, {"layer": 2, "head": 1}, {(2, 1)}),
        ({"attention_heads": [[1, 1], [9, 9], "x"]}, {"layer": 2, "head": 1}, {(2, 1), (1, 1)}),
        ({"attention_heads": [[1, 1]]}, {"layer": 2}, {(1, 1)}),
        ({"attention_mode": "text", "attention_mix": "mean_layer"}, {"layer": 1, "head": 0},
         {(1, 0), (1, 1), (1, 2)}),
    ],
)  # fmt: skip
def test_visible_takes_the_heads_that_are_enlarged_or_mixed(
    view: Any, selection: Any, heads: set[tuple[int, int]]
) -> None:
    patterns, head = model_of(3, 3, 8)
    one = freeze(patterns, "visible", head=head, view=view, selection={**NOTHING, **selection})
    result = unpack(one.text)[1]
    assert {(h.layer, h.head) for h in result.heads} == heads
    for held in result.heads:
        np.testing.assert_allclose(held.weights, head(held.layer, held.head).weights, atol=2**-11)
    assert f"{9 - len(heads)} of 9 heads in full" in one.left_out[0]


@pytest.mark.parametrize("view", [{}, {"attention_sort": "induction"}])
def test_all_takes_the_most_relevant_heads_until_the_limit(view: Any) -> None:
    patterns, head = model_of(4, 4, 64)
    everything = freeze(patterns, head=head, max_bytes=10**7, view=view)
    assert (everything.left_out, everything.bound) == ((), 0.0)
    limit = 30_000
    some = freeze(patterns, head=head, max_bytes=limit, view=view)
    assert 0.8 * limit < some.size <= limit
    result = unpack(some.text)[1]
    relevance = patterns.score("induction") if view else patterns.overview_max[2]
    ranked = np.argsort(-relevance.ravel(), kind="stable").tolist()
    ranked = [0, *(at for at in ranked if at)]  # what is on show comes first
    taken = {4 * h.layer + h.head for h in result.heads}
    assert 1 < len(taken) < 16
    assert taken == set(ranked[: len(taken)])
    for held in result.heads:
        off = np.abs(held.weights - head(held.layer, held.head).weights)
        assert off.max() <= some.bound <= 0.5 / 255 + 1e-7
    assert f"{16 - len(taken)} of 16" in some.left_out[0]
    assert "rounded, by 0.002 at most" in unpack(some.text)[0]["notes"][-1]


def test_heads_that_nobody_can_give_any_more_are_said_to_be_left_out() -> None:
    patterns, _ = model_of(3, 3, 8)
    assert freeze(patterns).left_out == ("8 of 9 heads in full",)


def test_twelve_layers_of_twelve_heads_over_128_tokens_fit_in_3_megabytes(tmp_path: Path) -> None:
    patterns, head = model_of(12, 12, 128)
    packed = freeze(patterns, head=head)
    assert packed.left_out == ()
    assert packed.save_html(tmp_path / "page").stat().st_size < 3_000_000


def test_the_same_bytes_every_time() -> None:
    assert freeze(build.patterns()) == freeze(build.patterns())


def test_a_choice_that_is_none_and_a_limit_below_what_is_on_show_are_refused() -> None:
    with pytest.raises(RequestError, match=r'Choose "visible" or "all"'):
        freeze(build.grid(), "some")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match=r"max_bytes=\d+ or more") as refusal:
        freeze(build.grid(), max_bytes=100)
    enough = int(re.findall(r"max_bytes=(\d+) or more", str(refusal.value))[0])
    assert freeze(build.grid(), max_bytes=enough).size <= enough


# The page.


def test_a_page_holds_every_widget_and_the_front_end_once(front_end: str, tmp_path: Path) -> None:
    shown = [freeze(build.grid()), freeze(build.patterns()), freeze(build.patterns())]
    page = Page.read(hs.save_page(shown, tmp_path / "page", captions=["<b>One</b>", "", "Two"]))
    assert [result.kind for _, result in page.widgets] == ["grid", "patterns", "patterns"]
    assert page.codes == ["'the view attention'", front_end]
    assert [tag for tag, _ in page.tags].count("figcaption") == 2
    assert "b" not in {tag for tag, _ in page.tags}
    groups = [a.get("data-link") for _, a in page.tags if a.get("class") == "headscope-frozen"]
    assert groups == ["page"] * 3
    apart = Page.read(hs.save_page(shown, tmp_path / "apart", link=False))
    assert not [a for _, a in apart.tags if "data-link" in a]


def test_hostile_text_stays_data(front_end: str, tmp_path: Path) -> None:
    path = hs.save_page([freeze(build.grid())], tmp_path / "page", title=HOSTILE)
    page = Page.read(path)
    assert {tag for tag, _ in page.tags} == {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "figure", "div", "script",
    }  # fmt: skip
    assert page.widgets[0][0]["prompt"] == HOSTILE
    assert "<!--" not in path.read_text(encoding="utf-8")


def test_a_page_loads_nothing(tmp_path: Path) -> None:
    page = Page.read(hs.save_page([freeze(build.grid())], tmp_path / "page"))
    assert not [a for _, a in page.tags if {"src", "href"} & set(a)]
    (policy,) = [
        a["content"] or ""
        for tag, a in page.tags
        if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "eval" not in policy
    for code in [*page.codes, *page.scripts["inline"]]:
        assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|import\(|@import", code)
        urls = set(re.findall(r"https?://[^\s\"'`)]+", code))
        assert all(url.startswith("http://www.w3.org/") for url in urls), "namespaces only"


def test_what_is_no_page_is_refused(front_end: str, gpt2: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for wrong in ([], [build.grid()], build.grid(), "page.html"):
        with pytest.raises(ResultError, match=r"hs\.save_page\(\[widget\], path\)"):
            hs.save_page(wrong, path)  # type: ignore[arg-type]
    with pytest.raises(ResultError, match="1 widgets and 2 captions"):
        hs.save_page([freeze(build.grid())], path, captions=["a", "b"])
    widget = hs.LogitLens(gpt2, "")
    with pytest.raises(ResultError, match=r"empty.*widget\.run\(\)"):
        widget.save_html(path)
    assert not path.exists()
    widget.close()


def test_a_missing_bundle_names_the_command(static: Path) -> None:
    with pytest.raises(HeadscopeError, match="make build"):
        html.save_page([freeze(build.grid())], static / "page")


def test_a_widget_saves_what_it_shows(front_end: str, gpt2: Any, tmp_path: Path) -> None:
    widget = hs.LogitLens(gpt2, "the cat sat", selection={"layer": 1}, read_out="all")
    widget.run()
    widget.view = {"heatmap_measure": "rank"}
    path = widget.save_html(tmp_path / "lens")
    assert path == tmp_path / "lens.html"
    ((data, result),) = Page.read(path).widgets
    assert data["widget"] == "LogitLens"
    assert data["fields"] == widget._fields
    assert data["values"] == {"read_out": "all"}
    assert data["prompt"] == "the cat sat"
    assert data["selection"] == widget.selection
    assert data["view"] == {"heatmap_measure": "rank"}
    assert data["status"]["state"] == "done"
    ids = gpt2.to_tokens("the cat sat")[0].tolist()
    assert list(result.provenance.prompts[0].token_ids) == ids
    widget.close()


def test_heads_are_asked_of_the_model_while_it_is_unchanged(gpt2: Any) -> None:
    from headscope.analyses import attention

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "_HELD_BYTES", 0)  # as with a long prompt
        widget = hs.AttentionPatterns(gpt2, "the cat sat", selection={"layer": 1, "head": 0})
        widget.run()
    assert len(widget.result.heads) == 1
    everything = unpack(widget.freeze().text)[1]
    assert len(everything.heads) == widget.result.n_layers * widget.result.n_heads
    for held in everything.heads:
        exact = widget.head(held.layer, held.head)
        np.testing.assert_allclose(held.weights, exact, atol=2**-11)
    handle = gpt2.blocks[0].hook_resid_pre.register_forward_hook(lambda *_: None)
    try:
        assert len(unpack(widget.freeze().text)[1].heads) == 1
        assert widget.freeze().left_out
    finally:
        handle.remove()
    widget.close()
