"""Pages that stand alone, and Plotly figures."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headscope as hs
from headscope.errors import HeadscopeError, ResultError
from headscope.export import html
from headscope.export.plotly import figure
from headscope.results import Axis, Measure, Result, Scale
from headscope.wire import decode
from tests.golden import build

HOSTILE = "</script><img src=x onerror=alert(1)><!-- <script>"


class Shown:
    """What `save_html` needs of a widget."""

    def __init__(self, result: Result, prompt: str = HOSTILE) -> None:
        self.result = result
        self.prompt = prompt

    def snapshot(self) -> html.Snapshot:
        return {
            "widget": "LogitLens",
            "fields": [],
            "values": {},
            "status": {
                "job": 1,
                "state": "done",
                "fraction": 1.0,
                "eta_s": None,
                "message": "",
                "paused": None,
            },
            "error": None,
            "prompt": self.prompt,
            "selection": {"layer": None, "head": None, "dest": None, "src": None, "token": None},
            "view": {},
            "payload": html.freeze(self.result),
        }


class Elements(HTMLParser):
    """Elements, attributes and script texts as an HTML parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.in_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.in_script = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script:
            self.scripts[-1] += data


@pytest.fixture
def front_end(static: Path) -> str:
    """A bundle with everything in it that could break out of its script element."""
    code = f"const trap = '{HOSTILE}', upper = '</SCRIPT>', ok = 1 </ /re/.test('');"
    (static / "frozen.js").write_text(code)
    for view in ("attention", "graph"):
        (static / f"frozen-{view}.js").write_text(f"'the view {view}'")
    return code


def saved(tmp_path: Path, *shown: Shown, **options: Any) -> str:
    return html.save_html(tmp_path / "page", *shown, **options).read_text(encoding="utf-8")


def test_a_page_holds_the_exact_payloads_and_the_bundle_once(
    front_end: str, tmp_path: Path
) -> None:
    text = saved(tmp_path, Shown(build.grid()), Shown(build.patterns()))
    parsed = Elements(text)
    assert len(parsed.scripts) == 3, "one block of data, a view, one of code"
    assert parsed.scripts[1] == "'the view attention'"
    data = json.loads(parsed.scripts[0])
    assert data["version"] == html.VERSION
    for widget, name in zip(data["widgets"], ["grid", "patterns"], strict=True):
        assert widget["payload"] == json.loads((build.HERE / f"{name}.json").read_text())
        buffers = [base64.b64decode(b) for b in widget["payload"]["buffers"]]
        decode({"header": widget["payload"]["header"], "buffers": buffers})
    places = [a["data-index"] for tag, a in parsed.tags if a.get("class") == "headscope-frozen"]
    assert places == ["0", "1"]


def test_hostile_text_stays_data(front_end: str, tmp_path: Path) -> None:
    text = saved(tmp_path, Shown(build.grid()), title=HOSTILE)
    parsed = Elements(text)
    assert {tag for tag, _ in parsed.tags} == {
        "html", "head", "meta", "title", "body", "main", "h1", "div", "script",
    }  # fmt: skip
    assert json.loads(parsed.scripts[0])["widgets"][0]["prompt"] == HOSTILE
    assert text.lower().count("</script>") == 2
    assert "<!--" not in text


def test_the_code_still_means_the_same(front_end: str, tmp_path: Path) -> None:
    script = Elements(saved(tmp_path, Shown(build.grid()))).scripts[1]
    assert script.replace("<\\/", "</").replace("<\\!", "<!") == front_end


def test_a_page_loads_nothing(tmp_path: Path) -> None:
    text = saved(tmp_path, Shown(build.grid()))
    parsed = Elements(text)
    assert not [a for _, a in parsed.tags if {"src", "href"} & set(a)]
    (policy,) = [
        a["content"]
        for tag, a in parsed.tags
        if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    code = parsed.scripts[1]
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|import\(|@import", code)
    urls = set(re.findall(r"https?://[^\s\"'`)]+", code))
    assert all(url.startswith("http://www.w3.org/") for url in urls), "namespaces only"


def test_what_cannot_be_saved_says_why(front_end: str, gpt2: Any, tmp_path: Path) -> None:
    widget = hs.LogitLens(gpt2, "")
    with pytest.raises(ResultError, match=r"empty.*widget\.run\(\)"):
        widget.save_html(tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
    widget.close()


def test_a_missing_bundle_names_the_command(static: Path) -> None:
    with pytest.raises(HeadscopeError, match="make build"):
        html.save_html(static / "page", Shown(build.grid()))


def test_a_widget_saves_what_it_shows(front_end: str, gpt2: Any, tmp_path: Path) -> None:
    widget = hs.LogitLens(gpt2, "the cat sat", selection={"layer": 1}, read_out="all")
    widget.run()
    widget.view = {"measure": "rank"}
    path = widget.save_html(tmp_path / "lens")
    assert path == tmp_path / "lens.html"
    parsed = Elements(path.read_text(encoding="utf-8"))
    (data,) = json.loads(parsed.scripts[0])["widgets"]
    assert data["widget"] == "LogitLens"
    assert data["fields"] == widget._fields
    assert data["values"] == {"read_out": "all"}
    assert data["prompt"] == "the cat sat"
    assert data["selection"] == widget.selection
    assert data["view"] == {"measure": "rank"}
    assert data["status"]["state"] == "done"
    provenance = data["payload"]["header"]["data"]["provenance"]
    assert provenance["prompts"][0]["token_ids"] == gpt2.to_tokens("the cat sat")[0].tolist()
    widget.close()


# Plotly.


def test_a_grid_figure_has_its_numbers_labels_and_scale() -> None:
    grid = build.grid()
    shown = grid.to_plotly(measure="effect")
    (heatmap,) = shown.data
    np.testing.assert_array_equal(heatmap.z, grid["effect"])
    assert (heatmap.zmin, heatmap.zmid, heatmap.zmax) == (-3.0, 0.0, 3.0)
    lowest, highest = heatmap.colorscale[0][1], heatmap.colorscale[-1][1]
    assert (lowest, highest) == ("rgb(103,0,31)", "rgb(5,48,97)"), "red below 0, blue above"
    assert shown.layout.title.text == "Golden grid"
    assert shown.layout.xaxis.title.text == "position"
    assert shown.layout.yaxis.title.text == "read_out"
    assert list(shown.layout.xaxis.tickvals) == list(range(7))
    assert heatmap.colorbar.title.text == "Effect (logits)"


def test_repeated_tokens_keep_their_columns_and_glyphs() -> None:
    ticks = build.grid().to_plotly().layout.xaxis.ticktext
    assert ticks.count("·the") == 2
    assert ticks[2] == "⏎"
    assert ticks[6] == "·"
    assert "<" not in "".join(ticks)
    assert "&lt;img" in ticks[3]


def test_hover_shows_labels_value_and_top_tokens() -> None:
    grid = build.grid()
    (heatmap,) = grid.to_plotly().data
    row, column, top, value = heatmap.customdata[1][4]
    assert (row, column, value) == ("L1 resid_post", "·the", grid.values[1, 4])
    assert top.count("<br>") == 2
    assert "Probability %{customdata[3]:.4g}" in heatmap.hovertemplate
    assert heatmap.hoverongaps is False


def test_cells_that_do_not_apply_are_gaps() -> None:
    (heatmap,) = build.grid().to_plotly().data
    assert np.isnan(heatmap.z[0][2])
    (heatmap,) = build.patterns().to_plotly().data
    assert np.isnan(heatmap.z[0][1:]).all(), "masked is not zero"


def test_ranks_are_drawn_on_their_logarithm_and_hovered_as_they_are() -> None:
    grid = build.grid()
    ranks = np.arange(21, dtype=np.float32).reshape(3, 7) * 100
    measure = Measure(
        "rank", "Rank", "rank", "", ranks, Scale.sequential(ranks, reverse=True, log=True)
    )
    shown = dataclasses.replace(grid, measures=(measure,)).to_plotly()
    (heatmap,) = shown.data
    np.testing.assert_allclose(heatmap.z, np.log1p(ranks))
    assert heatmap.customdata[2][6][3] == 2000
    assert heatmap.reversescale is True
    assert heatmap.zmax == pytest.approx(np.log1p(2000))
    assert heatmap.colorbar.ticktext == ("0", "1", "10", "100", "1000")
    np.testing.assert_allclose(heatmap.colorbar.tickvals, np.log1p([0, 1, 10, 100, 1000]))


def test_patterns_figure_is_one_head_by_name() -> None:
    patterns = build.patterns()
    shown = patterns.to_plotly(layer=1, head=0)
    (heatmap,) = shown.data
    visible = np.tri(7, dtype=bool)
    np.testing.assert_array_equal(np.asarray(heatmap.z)[visible], patterns[1, 0][visible])
    assert shown.layout.title.text == "Golden patterns, L1H0"
    assert (shown.layout.yaxis.title.text, shown.layout.xaxis.title.text) == ("dest", "src")
    assert (heatmap.zmin, heatmap.zmax) == (0.0, 1.0)


def test_choosers_pick_a_slice() -> None:
    values = np.arange(42, dtype=np.float32).reshape(2, 3, 7)
    grid = dataclasses.replace(
        build.grid(),
        axes=(Axis("prompt", ("clean", "corrupted")), *build.grid().axes),
        measures=(Measure("m", "M", "", "", values, Scale.diverging(values)),),
        top=None,
        states=None,
    )
    shown = figure(grid, prompt=1)
    np.testing.assert_array_equal(shown.data[0].z, values[1])
    assert shown.layout.title.text == "Golden grid, prompt corrupted"


@pytest.mark.parametrize(
    ("kind", "choices"),
    [
        ("grid", {"measure": "rank"}),
        ("grid", {"layer": 1}),
        ("patterns", {"layer": 0}),
        ("patterns", {"measure": "attention"}),
    ],
)
def test_figures_of_what_is_not_there_are_refused(kind: str, choices: dict[str, Any]) -> None:
    with pytest.raises(ResultError) as refusal:
        build.RESULTS[kind]().to_plotly(**choices)
    assert refusal.value.hint
