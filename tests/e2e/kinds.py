"""A widget of every kind, as notebooks show it, and what each must answer without a kernel too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from playwright.sync_api import Locator, Page, expect

SETUP = """
import headscope as hs, torch
torch.set_num_threads(1)
model, transcoders = hs.load_demo(), hs.load_demo_transcoders()
pair = hs.demo.prompts["ioi"][0]
both = (model, pair.clean, pair.corrupted)
capitals = [(state.name, state.capital) for state in hs.demo.states()]
capital = "The capital of the state containing Dallas is"
"""

#: An expression for each kind.
WIDGETS = {
    "AttentionPatterns": "hs.AttentionPatterns(model, pair.clean)",
    "LogitLens": "hs.LogitLens(model, capital)",
    "NearestTokens": "hs.NearestTokens(model, 'Austin - Texas + Ohio', to='embedding')",
    "TaskVectors": "hs.TaskVectors(model, capitals[:8], capitals[8:11], shots=0, shuffles=3, "
    "template='The capital of {x} is {y}', into='The bird of {x} is {y}')",
    "LogitAttribution": "hs.LogitAttribution(model, capital, answer=' Austin')",
    "ActivationPatching": "hs.ActivationPatching(*both)",
    "PathPatching": "hs.PathPatching(*both, receivers='L3H1.q')",
    "CircuitDiscovery": "hs.CircuitDiscovery(*both)",
    "AttributionGraph": "hs.AttributionGraph(model, capital, transcoders, max_nodes=200)",
    "GraphView": "hs.GraphView(AttributionGraph.result)",
    "LayerRobustness": "hs.LayerRobustness(model, [capital, pair.clean])",
    "ResultView": "hs.ResultView(hs.difference(*(hs.LogitLens(model, text).result"
    " for text in (pair.clean, pair.corrupted))))",
    "Intervene": "hs.Intervene(model, pair.clean, hs.Interventions().zero('L3H1'), pair.corrupted)",
    "SelfRepair": "hs.SelfRepair(model, pair.clean, pair.answer, pair.wrong)",
    "Generation": "hs.Generation(model, capital, hs.Interventions().zero('L1H2'), n_tokens=8)",
    "InferenceStages": "hs.InferenceStages(model, [capital, pair.clean])",
    "Explorer": "hs.Explorer(model, pair.clean)",
    "Compare": "hs.Compare(*(hs.LogitLens(model, text) for text in (pair.clean, pair.corrupted)))",
}

#: Those with no model behind them.
STILL = {"GraphView", "ResultView"}

#: Those that hold others, and how many of these are open.
PANES = {"Explorer": 4, "Compare": 3}

#: One cell each, which leaves its widget under the name of its class.
CELLS = [f"{name} = {call}\n{name}" for name, call in WIDGETS.items()]

#: Whether any drawing of a widget has more than a few colours.
IS_DRAWN = """(root) => [...root.querySelectorAll("canvas")].some((canvas) => {
  const { width, height } = canvas;
  if (width * height === 0) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return new Set(new Uint32Array(data.buffer)).size > 20;
})"""


def roots_in(page: Page) -> Locator:
    """The widgets of a page, without those in panes of others."""
    return page.locator(".hs-root:not(.hs-embedded)")


def root_of(page: Page, name: str) -> Locator:
    """The widget of one kind."""
    return roots_in(page).nth(list(WIDGETS).index(name))


def check_every_kind(page: Page) -> None:
    """Every widget of the notebook, in the order of its cells, is drawn and answers."""
    expect(roots_in(page)).to_have_count(len(WIDGETS), timeout=90_000)
    for name in WIDGETS:
        root = root_of(page, name)
        root.scroll_into_view_if_needed()
        drawn = root.locator(".hs-embedded") if name in PANES else root
        expect(drawn).to_have_count(PANES.get(name, 1))
        for one in drawn.all():
            one.scroll_into_view_if_needed()
            expect(one.locator(".hs-stage")).to_have_attribute("aria-busy", "false")
            expect(one.locator("canvas").first).to_be_visible()
            assert one.evaluate(IS_DRAWN), f"{name} is blank"
        _ANSWERS.get(name, _grid_answers)(root)


def _grid_answers(root: Locator, across: float = 0.25, says: str = ".") -> None:
    """A cell tells its value under the pointer."""
    grid = root.locator(".hs-heatmap-scroller")
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box is not None
    grid.hover(position={"x": box["width"] * across, "y": box["height"] * 0.5})
    expect(root.locator(".hs-tooltip")).to_contain_text(says)
    style = root.locator(".hs-tooltip").evaluate(
        "(tip) => [getComputedStyle(tip).position, tip.matches(':popover-open')]"
    )
    assert style == ["fixed", True]


def _heads_answer(root: Locator) -> None:
    """Another head is chosen by key and shown in full."""
    overview = root.get_by_label("Heads. Arrow keys move")
    overview.focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        overview.press(key)
    expect(root.locator("figcaption strong")).to_have_text("L1H1")


def _graph_answers(root: Locator) -> None:
    """A node is found by its name, and its panel opens."""
    search = root.get_by_label("Search nodes")
    search.fill("logit")
    search.press("Enter")
    expect(root.locator(".hs-graph-detail strong").first).to_contain_text("logit")


def _curves_answer(root: Locator) -> None:
    """A layer tells its numbers under the pointer, and is pinned by a key."""
    chart = root.locator(".hs-curve").first
    chart.scroll_into_view_if_needed()
    chart.hover(position={"x": 120, "y": 60})
    expect(root.locator(".hs-tooltip")).to_contain_text("KL to the final output")
    root.get_by_label("Curves over layer").press("ArrowRight")
    expect(root.get_by_role("status")).to_contain_text("Pinned: L0")


def _texts_answer(root: Locator) -> None:
    """A token tells its numbers under the pointer, and is pinned by a key."""
    root.locator("[data-step]").nth(1).hover()
    expect(root.locator(".hs-tooltip")).to_contain_text("By the other run")
    root.get_by_label("plain: ").press("ArrowRight")
    expect(root.get_by_label("Pinned token")).to_contain_text("Log ratio")


def _bars_answer(root: Locator) -> None:
    """The interventions are listed, and another measure is drawn."""
    expect(root.locator(".hs-iv-words")).to_have_text(["L3H1 := 0"])
    root.get_by_role("radio", name="Logit", exact=True).check(force=True)
    expect(root.get_by_role("img", name="Logit: ")).to_be_visible()


def _panes_answer(root: Locator) -> None:
    """A token that is pinned in one view is pinned in another."""
    lens, attention = (
        root.get_by_role("region", name=name, exact=True) for name in ("Lens", "Attention")
    )
    expect(attention.locator(".hs-att-sources")).to_have_count(0)
    grid = lens.locator(".hs-heatmap-scroller")
    grid.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        grid.press(key)
    expect(lens.get_by_role("status").last).to_contain_text("position 1")
    expect(attention.locator(".hs-att-sources caption")).to_contain_text("what dest 1")


def _sides_answer(root: Locator) -> None:
    """What is chosen in one of three is chosen in all."""
    tables = root.locator(".hs-heatmap-table")
    expect(tables).to_have_count(0)
    root.get_by_role("button", name="Table", exact=True).first.click()
    for side in root.locator(".hs-pane").all():
        side.scroll_into_view_if_needed()  # what is out of sight may wait to be drawn
        expect(side.locator(".hs-heatmap-table")).to_be_visible()
    expect(tables).to_have_count(3)


_ANSWERS: dict[str, Callable[[Locator], None]] = {
    "AttentionPatterns": _heads_answer,
    "CircuitDiscovery": _graph_answers,
    "AttributionGraph": _graph_answers,
    "GraphView": _graph_answers,
    "Generation": _texts_answer,
    "SelfRepair": partial(_grid_answers, across=0.16),  # behind it parts do not apply to each head
    "ResultView": partial(_grid_answers, says="Δ Probability"),  # where both agree it is plain 0
    "InferenceStages": _curves_answer,
    "Intervene": _bars_answer,
    "Explorer": _panes_answer,
    "Compare": _sides_answer,
}


def edit(page: Page) -> None:
    """A prompt that is typed is computed by the kernel, for one view and for several."""
    for name in ("LogitLens", "Explorer"):
        root = root_of(page, name)
        box = root.get_by_label("Prompt", exact=True)
        box.fill("Monday Tuesday Wednesday")
        box.press("Enter")
        expect(root.locator(".hs-next-token").first).to_be_enabled()
        expect(root.locator(".hs-tokens").first).to_contain_text("Wednesday")
        expect(root.locator(".hs-previous")).to_have_count(0)
