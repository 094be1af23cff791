"""Widgets that hold others or act on the model, saved and live, before axe-core, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Locator, expect

import headscope as hs
from tests.e2e.axe import violations
from tests.e2e.kinds import SETUP, WIDGETS, roots_in
from tests.e2e.lab import Lab

#: Those of `kinds.py` that `zoo.py` lacks, but for the explorer, which is larger here.
BESIDES = (
    "NearestTokens", "TaskVectors", "LayerRobustness", "ResultView", "Intervene", "SelfRepair",
    "Generation", "InferenceStages", "Compare",
)  # fmt: skip

#: Rows with a slider and without, with positions and without, on and off.
EXPLORER = """
changes = (
    hs.Interventions().zero("L3H4").scale("L2H5", 0.5, positions=[2, 4])
    .patch("L1H1", pair.corrupted).mean("MLP1", [pair.clean]).knock_out("L0H1", 3, None)
    .freeze_pattern("L1H2", pair.clean).clamp("L2N3", 1.0).skip(0, "mlp").changed(0, on=False)
)
explorer = hs.Explorer(
    model, pair.clean, pair.corrupted, transcoders, interventions=changes,
    selection={"layer": 2, "head": 1, "dest": 5, "src": 2},
)
"""
OPEN_ALL = 'explorer.view = {**explorer.view, "collapsed": []}'


def unfold(root: Locator) -> None:
    """Everything that is folded in is open, and the lists of interventions are there."""
    folded = root.locator("details:not([open])")
    while folded.count():
        folded.evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
        expect(root.locator(".hs-iv")).to_have_count(root.locator(".hs-interventions").count())


def test_axe_finds_nothing_in_a_saved_page_of_the_other_kinds(
    browser: BrowserContext, tmp_path: Path
) -> None:
    names: dict[str, Any] = {}
    exec(SETUP + EXPLORER + OPEN_ALL, names)
    widgets = [eval(WIDGETS[name], names) for name in BESIDES]
    page = browser.new_page()
    page.emulate_media(reduced_motion="reduce")  # no colour is on its way
    page.goto(hs.save_page([names["explorer"], *widgets], tmp_path / "page").as_uri())
    expect(roots_in(page)).to_have_count(1 + len(BESIDES))
    for root in page.locator(".hs-root").all():
        root.scroll_into_view_if_needed()
        expect(root.locator("canvas").first).to_be_visible()
    expect(page.locator(".hs-embedded")).to_have_count(8 + 3)
    unfold(page.locator("body"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(f'.hs-root[data-theme="{scheme}"]')).to_have_count(21)
        assert violations(page) == []
    page.close()


def test_axe_finds_nothing_in_a_live_explorer_that_can_act(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook = lab.open(browser, lab.write("panel.ipynb", SETUP, EXPLORER + "explorer"))
    page = notebook.page
    root = roots_in(page)
    expect(root.locator(".hs-embedded")).to_have_count(5)
    for one in root.locator(".hs-embedded").all():
        one.scroll_into_view_if_needed()
        expect(one.locator(".hs-stage")).to_have_attribute("aria-busy", "false", timeout=60_000)
    unfold(root)
    for name in ("Act on L2H1", "Act on attention of L2H1", "Act on layer 2"):
        expect(root.get_by_role("group", name=name, exact=True)).to_be_visible()
    page.emulate_media(reduced_motion="reduce")
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        expect(page.locator(f'.hs-root[data-theme="{theme.lower()}"]')).to_have_count(6)
        assert violations(page, ".headscope") == []
    page.close()
