"""Figures from Python: drawn as the page draws, whole, readable, and with where they came from."""

from __future__ import annotations

import dataclasses
import json
import re
import struct
import subprocess
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import headscope as hs
from headscope.export import engine, png_file
from headscope.results import Axis, Stretch
from tests.golden.build import TOKENS, circuit_graph, grid, patterns
from tests.unit.page import Page


def curves() -> hs.Grid:
    """Three rows, of which two are the edges of a band, and what they are read by."""
    found = grid()
    return dataclasses.replace(
        found,
        axes=(Axis("statistic", ("mean", "low", "high")), Axis("layer", TOKENS, selects="layer")),
        top=None,
        drawn="curves",
        stretches=(Stretch("Early", "The first ones.", 0, 2), Stretch("Late", "None of them.")),
    )


def texts() -> hs.Grid:
    """Rows that say what the top tokens are, hostile ones too."""
    return dataclasses.replace(grid(), drawn="texts", states=None)


def bars() -> hs.Grid:
    """A pair for each token, one of which is not known."""
    found = grid()
    measures = (dataclasses.replace(m, values=m.values.T.copy()) for m in found.measures)
    return dataclasses.replace(
        found,
        axes=(Axis("token", TOKENS, tokens=True), Axis("run", ("before", "after", "change"))),
        measures=tuple(measures), states=None, top=None, identity=None, drawn="bars",
    )  # fmt: skip


BUILDERS = {
    "grid": grid, "patterns": patterns, "circuit_graph": circuit_graph, "curves": curves,
    "texts": texts, "bars": bars,
}  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"
LONG = "the cat sat on the mat and the dog saw the cat on the mat " * 4


def elements(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


@pytest.fixture(params=sorted(BUILDERS))
def result(request: pytest.FixtureRequest) -> Any:
    return BUILDERS[request.param]()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_svg_is_well_formed_and_holds_no_script_and_no_reference(
    result: Any, theme: str
) -> None:
    root = elements(result.to_svg(theme=theme))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    known = {"svg", "title", "metadata", "rect", "text", "line", "path", "image", "clipPath", "g"}
    assert tags <= known
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert "://" not in value
            if name.endswith("href"):
                assert value.startswith("data:image/png;base64,")


def test_the_record_is_enough_to_run_it_again(result: Any) -> None:
    svg, png = result.to_svg(), result.to_png(scale=1)
    metadata = elements(svg).find(f"{SVG}metadata")
    assert metadata is not None
    assert metadata.text == png_file.text_of(png)
    record = json.loads(metadata.text or "")["headscope"]
    assert record["analysis"] == result.provenance.analysis
    assert record["prompts"][0]["token_ids"] == list(result.provenance.prompts[0].token_ids)


def test_a_figure_is_as_wide_as_asked_for(result: Any) -> None:
    for width in (3.5, 7.0):
        root = elements(result.to_svg(width=width))
        assert float(root.attrib["width"]) == pytest.approx(width * 96)
        picture = result.to_png(width=width, scale=2)
        wide, high = struct.unpack(">II", picture[16:24])
        assert wide == pytest.approx(width * 192, abs=1)
        assert high == pytest.approx(2 * float(root.attrib["height"]), abs=2)
    box = re.search(rb"/MediaBox ?\[([^]]*)\]", result.to_pdf(width=3.5))
    assert box
    assert float(box[1].split()[2]) == pytest.approx(3.5 * 72, abs=0.5)


def test_a_picture_is_not_blank(result: Any) -> None:
    data = b"".join(body for kind, body in png_file._chunks(result.to_png()) if kind == b"IDAT")
    assert len(set(zlib.decompress(data))) > 20


def test_labels_of_sixty_tokens_do_not_collide(gpt2: Any) -> None:
    """They are slanted, and far enough apart across their direction."""
    root = elements(hs.LogitLens(gpt2, LONG).result.to_svg(width=7))
    labels = [e for e in root.iter(f"{SVG}text") if "rotate(-45" in e.attrib.get("transform", "")]
    assert len(labels) > 10
    places = sorted(float(label.attrib["x"]) for label in labels)
    size = float(labels[0].attrib["font-size"])
    apart = [b - a for a, b in pairwise(places)]
    assert min(apart) * 2**-0.5 >= size * 0.9


def test_tokens_are_text_and_nothing_else(gpt2: Any) -> None:
    hostile = '<script>alert(1)</script> & "quotes" \u202e\u0000 the'
    root = elements(hs.LogitLens(gpt2, hostile).result.to_svg())
    assert root.find(f".//{SVG}script") is None
    shown = "".join(text.text or "" for text in root.iter(f"{SVG}text"))
    assert "<" in shown
    assert "&" in shown


def test_a_figure_that_cannot_be_drawn_is_one_line_and_the_next_is_drawn() -> None:
    with pytest.raises(hs.ResultError, match="not drawn"):
        engine.call("headscopeFigure", "{", "", "{}")
    assert BUILDERS["grid"]().to_svg()
    with pytest.raises(hs.RequestError, match="title"):
        BUILDERS["grid"]().to_svg(title=3)


def test_texts_are_those_asked_for(result: Any) -> None:
    texts = [e.text for e in elements(result.to_svg(title="Mine", caption="")).iter(f"{SVG}text")]
    assert "Mine" in texts
    plain = [e.text for e in elements(result.to_svg(title="", caption="")).iter(f"{SVG}text")]
    assert "Mine" not in plain
    assert len(plain) == len(texts) - 1


def test_files_are_written_under_names_that_fit(result: Any, tmp_path: Path) -> None:
    for kind in ("svg", "png", "pdf"):
        path = getattr(result, f"to_{kind}")(tmp_path / "figure")
        assert path == tmp_path / f"figure.{kind}"
        assert path.stat().st_size > 500
        with pytest.raises(hs.ResultError, match=kind):
            getattr(result, f"to_{kind}")(tmp_path / "figure.txt")


@pytest.mark.parametrize(
    ("style", "says"),
    [({"width": 0.1}, "inches"), ({"theme": "blue"}, "light"), ({"size": 3}, "no 'size'")],
)
def test_a_style_that_there_is_not_is_refused(style: dict[str, Any], says: str) -> None:
    with pytest.raises(hs.RequestError, match=says):
        BUILDERS["grid"]().to_svg(**style)


def test_a_widget_draws_what_it_shows(gpt2: Any) -> None:
    """The selected head is enlarged; another measure is drawn once it is chosen."""
    attention = hs.AttentionPatterns(gpt2, "the cat sat", selection={"layer": 1, "head": 2})
    texts = {e.text for e in elements(attention.to_svg()).iter(f"{SVG}text")}
    assert "L1H2" in texts
    lens = hs.LogitLens(gpt2, "the cat sat")
    before = lens.to_svg()
    lens.view = {"heatmap_measure": "entropy"}
    assert lens.to_svg() != before
    assert "Entropy" in lens.to_svg()


def test_the_page_gets_a_pdf_of_what_it_shows(gpt2: Any) -> None:
    lens = hs.LogitLens(gpt2, "the cat sat")
    page = Page(lens)
    page.ask(1, "figure")
    assert page.reply(1)["ok"]
    (pdf,) = page.reply_buffers(1)
    assert bytes(pdf).startswith(b"%PDF-")


def test_a_pdf_holds_its_letters(gpt2: Any) -> None:
    """Fonts are embedded."""
    assert b"/FontFile" in hs.LogitLens(gpt2, "the cat").to_pdf()


def test_a_result_is_drawn_without_torch(tmp_path: Path) -> None:
    import sys

    BUILDERS["grid"]().save(tmp_path / "grid")
    code = (
        "import sys, headscope as hs; "
        f"hs.load_result({str(tmp_path / 'grid.safetensors')!r}).to_png(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_curves_are_lines_in_plotly() -> None:
    found = curves()
    every, one = found.to_plotly(), found.to_plotly(measure="effect")
    assert [line.name for line in every.data] == [
        f"{measure.title} ({measure.unit})" for measure in found.measures
    ]
    assert list(every.data[0].x) == list(found.axes[1].labels)
    assert len(one.data) == 3  # with the edges of its band
