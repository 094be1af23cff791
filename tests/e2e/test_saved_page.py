"""Saved pages of every kind of widget, opened from `file://` with the network off."""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

import headscope as hs
from headscope.analyses import attention
from headscope.export import png_file
from tests.e2e.zoo import every_widget

HOSTILE = 'John </script><img src=x onerror="window.hacked=1"> and Mary'
NEEDS = "Needs a live kernel"
Open = Callable[[str], Page]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`all.html`: everything of every widget; `some.html`: of some what is on show."""
    folder = tmp_path_factory.mktemp("saved")
    widgets = every_widget()
    model = hs.load_demo()
    hostile = hs.LogitAttribution(model, HOSTILE, answer=" Austin", wrong=" Sacramento")
    hs.save_page([*widgets.values(), hostile], folder / "all")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "_HELD_BYTES", 0)
        long = hs.AttentionPatterns(model, HOSTILE, selection={"layer": 2, "head": 1})
        long.run()
    parts = [long.freeze("visible"), long, widgets["LogitLens"].freeze("visible")]
    hs.save_page(parts, folder / "some", link=False, captions=["On show", "All", ""])
    return folder


@pytest.fixture
def open_page(browser: BrowserContext, saved: Path) -> Iterator[Open]:
    """Nothing but the page itself is ever asked for, and the console stays silent."""
    asked: list[str] = []
    complaints: list[str] = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    browser.set_offline(True)

    def go(name: str) -> Page:
        page.goto((saved / name).as_uri())
        return page

    yield go
    browser.set_offline(False)
    assert len(asked) == 1
    assert complaints == []
    page.close()


def widget(page: Page, title: str, nth: int = 0) -> Locator:
    """A drawn widget, by the beginning of its title."""
    root = page.locator(".hs-root").filter(has=page.get_by_role("heading", name=title)).nth(nth)
    root.scroll_into_view_if_needed()
    expect(root.locator("canvas").first).to_be_visible()
    return root


def press(target: Locator, *keys: str) -> None:
    target.focus()
    for key in keys:
        target.press(key)


def test_everything_is_drawn_and_what_needs_a_kernel_says_so(open_page: Open) -> None:
    page = open_page("all.html")
    expect(page.locator(".hs-root")).to_have_count(9)
    for root in page.locator(".hs-root").all():
        root.scroll_into_view_if_needed()
        expect(root.locator("canvas").first).to_be_visible()
        expect(root.locator(".hs-note, .hs-error")).to_have_count(0)
    expect(page.get_by_text("Saved page, no kernel")).to_have_count(8)  # not of a graph alone
    for control in page.get_by_label("Prompt", exact=True).all():
        expect(control).to_be_disabled()
        expect(control).to_have_attribute("title", NEEDS)
    for name in ("Generate next token", "Minimality", "Suggest groups", "Patch here"):
        buttons = page.get_by_role("button", name=name)
        assert buttons.count() > 0, name
        for button in buttons.all():
            expect(button).to_be_disabled()
    assert page.evaluate("() => window.hacked") is None
    expect(page.locator("img")).to_have_count(0)
    expect(page.get_by_label("Prompt", exact=True).last).to_have_value(HOSTILE)


def test_a_head_chosen_in_one_widget_is_chosen_in_the_others(open_page: Open) -> None:
    page = open_page("all.html")
    attention_root = widget(page, "Attention patterns")
    press(attention_root.get_by_label("Heads. Arrow keys move"), "ArrowDown", "ArrowRight", "Enter")
    expect(attention_root.locator("figcaption")).to_contain_text("L3H2")
    paths = widget(page, "Path patching")
    expect(paths.get_by_text("L3H2")).not_to_have_count(0)

    lens = widget(page, "Logit lens")
    expect(lens.locator(".hs-panel").first).to_be_visible()
    press(lens.locator(".hs-heatmap-scroller"), "Home", "ArrowUp", "ArrowUp", "Enter")
    same = widget(page, "Direct logit attribution")  # of the same prompt
    expect(same.locator(".hs-panel")).to_be_visible()


def test_attention_answers_hover_keys_and_every_form(open_page: Open) -> None:
    root = widget(open_page("all.html"), "Attention patterns")
    overview = root.get_by_label("Heads. Arrow keys move")
    overview.hover(position={"x": 60, "y": 60})
    expect(root.locator(".hs-att-tip")).to_contain_text("Induction")
    press(overview, "ArrowUp", " ")
    expect(root.locator("figcaption")).to_have_count(2)
    for name in ("× value norm", "Text", "Lines"):
        root.get_by_role("radio", name=name).click()
    expect(root.get_by_label("Lines from dest tokens")).to_be_visible()
    root.get_by_role("radio", name="Text", exact=True).click()
    root.get_by_role("combobox", name="Of", exact=True).select_option("mean_all")
    expect(root.locator(".hs-att-title")).to_contain_text("Mean over all heads")
    expect(root.get_by_text("not in this page")).to_have_count(0)


@pytest.mark.parametrize(
    "title", ["Logit lens", "Direct logit attribution", "Activation patching", "Path patching"]
)
def test_a_heatmap_answers_hover_pins_measures_and_the_table(open_page: Open, title: str) -> None:
    root = widget(open_page("all.html"), title)
    grid = root.locator(".hs-heatmap-scroller")
    grid.hover(position={"x": 200, "y": 60})
    expect(root.locator(".hs-tooltip")).not_to_be_empty()
    grid.click(position={"x": 200, "y": 60})
    expect(root.get_by_role("status").last).to_contain_text("Pinned")
    expect(root.locator(".hs-panel").first).to_be_visible()
    press(grid, "Escape")
    expect(root.get_by_role("status").last).to_have_text("Unpinned")
    for choice in root.get_by_role("radiogroup", name="Colour").get_by_role("radio").all():
        choice.click()
        expect(choice).to_be_checked()
    root.get_by_role("button", name="Larger cells").click()
    root.get_by_role("button", name="Table", exact=True).click()
    expect(root.locator(".hs-heatmap-table tbody tr").first).to_be_visible()


@pytest.mark.parametrize("title", ["Attention patterns", "Logit lens", "Attribution graph"])
def test_what_is_shown_is_saved_as_pictures_and_numbers(open_page: Open, title: str) -> None:
    root = widget(open_page("all.html"), title)
    files = {name: exported(root, name) for name in ("SVG", "PNG", "CSV")}
    drawn = ElementTree.fromstring(files["SVG"])
    width, height = float(drawn.attrib["width"]), float(drawn.attrib["height"])
    assert struct.unpack(">II", files["PNG"][16:24]) == (2 * width, 2 * height)
    record = drawn.findtext("{http://www.w3.org/2000/svg}metadata")
    assert record
    assert record == png_file.text_of(files["PNG"])
    head, *rows = csv.reader(io.StringIO(files["CSV"].decode()))
    assert len(rows) > 10
    assert {len(row) for row in rows} == {len(head)}
    root.get_by_role("button", name="Export").press("Enter")
    expect(root.get_by_role("menuitem", name="PDF")).to_have_text("PDF needs a live kernel")
    expect(root.get_by_role("menuitem", name="PDF")).to_be_disabled()


def exported(root: Locator, name: str) -> bytes:
    root.get_by_role("button", name="Export").click()
    with root.page.expect_download() as download:
        root.get_by_role("menuitem", name=name).click()
    return Path(download.value.path()).read_bytes()


@pytest.mark.parametrize(("title", "nth"), [("Circuit", 0), ("Attribution graph", 1)])
def test_a_graph_is_pruned_grouped_and_labelled_in_the_page(
    open_page: Open, title: str, nth: int
) -> None:
    root = widget(open_page("all.html"), title, nth)
    count = root.locator(".hs-graph-count")
    before = count.inner_text()
    slider = root.get_by_role("slider").first
    press(slider, *["ArrowLeft"] * 12)
    expect(count).not_to_have_text(before)
    root.get_by_role("button", name="As computed").click()
    expect(count).to_have_text(before)
    picture = root.get_by_label("nodes. Up follows")
    press(picture, "ArrowDown", "Enter")
    expect(root.get_by_label("Pinned only")).to_be_enabled()
    press(picture, " ", "ArrowDown", " ")
    root.get_by_label("Label of the new group").fill("two of them")
    root.get_by_role("button", name="Group", exact=True).click()
    expect(root.get_by_label("Label of the group")).to_be_visible()
    root.get_by_role("button", name="Undo").click()
    expect(root.get_by_label("Label of the group")).to_have_count(0)
    root.get_by_label("Table", exact=True).check()
    expect(root.get_by_role("table").first).to_be_visible()


def test_what_was_left_out_is_named_disabled_and_explained(open_page: Open) -> None:
    page = open_page("some.html")
    part = widget(page, "Attention patterns", 0)
    expect(part.locator(".hs-note")).to_contain_text(
        "Not in this page, needs a live kernel: 23 of 24 heads in full"
    )
    expect(part.locator("figcaption")).to_contain_text("L2H1")
    overview = part.get_by_label("Heads. Arrow keys move")
    press(overview, "ArrowDown", "Enter")
    expect(part.locator("figcaption")).to_contain_text("L2H1")
    expect(part.get_by_role("status").last).to_contain_text("L3H1 needs a live kernel")
    part.get_by_role("radio", name="Text", exact=True).click()
    part.get_by_role("combobox", name="Of", exact=True).select_option("max_all")
    expect(part.get_by_text("it needs a live kernel")).to_be_visible()

    whole = widget(page, "Attention patterns", 1)
    expect(whole.locator(".hs-note")).to_have_count(0)
    press(whole.get_by_label("Heads. Arrow keys move"), "ArrowDown", "Enter")
    expect(whole.locator("figcaption")).to_contain_text("L3H1")
    expect(part.locator(".hs-att-title")).to_contain_text("Maximum")  # as it was: not linked

    lens = widget(page, "Logit lens")
    expect(lens.locator(".hs-note")).to_contain_text("4 of 5 measures (Log-probability")
    entropy = lens.get_by_role("radio", name="Entropy")
    expect(entropy).to_be_disabled()
    expect(lens.locator("label", has_text="Entropy")).to_have_attribute("title", NEEDS)
    expect(page.locator("main > figure > figcaption")).to_have_text(["On show", "All"])
