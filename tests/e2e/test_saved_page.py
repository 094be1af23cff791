"""A page from `save_page`, opened from `file://` with the network off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import headscope as hs

HOSTILE = 'John </script><img src=x onerror="window.hacked=1"> and Mary'


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    torch.set_num_threads(1)
    model = hs.load_demo()
    widgets = [
        hs.AttentionPatterns(model, "When John and Nicole went to the store, John gave a drink to"),
        hs.LogitLens(model, "The capital of the state containing Dallas is"),
        hs.LogitAttribution(model, HOSTILE, answer=" Austin", wrong=" Sacramento"),
    ]
    for widget in widgets:
        widget.run()
    return hs.save_page(widgets, tmp_path_factory.mktemp("saved") / "page.html")


@pytest.fixture
def page(browser: BrowserContext, saved: Path) -> Iterator[Page]:
    page = browser.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    browser.set_offline(True)
    page.goto(saved.as_uri())
    expect(page.locator(".hs-root")).to_have_count(3)
    yield page
    browser.set_offline(False)
    assert requests == [saved.as_uri()]
    assert complaints == []
    page.close()


def test_everything_is_drawn_and_says_that_there_is_no_kernel(page: Page) -> None:
    for root in page.locator(".hs-root").all():
        root.scroll_into_view_if_needed()
        expect(root.locator("canvas").first).to_be_visible()
        expect(root.get_by_text("Saved page, no kernel")).to_be_visible()
        expect(root.get_by_label("Prompt", exact=True)).to_be_disabled()
        expect(root.get_by_role("button", name="Generate next token")).to_be_disabled()


def test_token_text_stays_text(page: Page) -> None:
    assert page.evaluate("() => window.hacked") is None
    expect(page.locator("img")).to_have_count(0)
    expect(page.get_by_label("Prompt", exact=True).nth(2)).to_have_value(HOSTILE)


def test_another_head_can_be_chosen_and_hover_tells_its_values(page: Page) -> None:
    root = page.locator(".hs-root").first
    overview = root.get_by_label("Heads. Arrow keys move")
    overview.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        overview.press(key)
    expect(root.get_by_text("L2H1").first).to_be_visible()
    overview.hover(position={"x": 60, "y": 60})
    expect(root.locator(".hs-att-tip")).to_contain_text("Induction")


def test_the_lens_answers_hover_and_click(page: Page) -> None:
    root = page.locator(".hs-root").nth(1)
    grid = root.locator(".hs-heatmap-scroller")
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box is not None
    spot = {"x": box["width"] * 0.6, "y": box["height"] * 0.6}
    grid.hover(position=spot)
    expect(root.locator(".hs-tooltip")).to_contain_text("Probability")
    grid.click(position=spot)
    expect(root.locator(".hs-top").first).to_be_visible()
    root.get_by_role("radio", name="Entropy").click()
    expect(root.locator(".hs-legend").first).to_contain_text("Entropy")
