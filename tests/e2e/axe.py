"""What axe-core finds wrong with a page, for those who cannot see it well or use no mouse."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "js/node_modules/axe-core/axe.min.js"
_RUN = """async (within) => {
  const context = within ? { include: [[within]] } : document;
  const { violations } = await axe.run(context, { resultTypes: ['violations'] });
  return violations;
}"""


def violations(page: Page, within: str = "") -> list[str]:
    """What it finds, in words: in the whole page, or in what a selector matches.

    All of its rules run but those still in trial.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(content=_AXE.read_text(encoding="utf-8"))
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in page.evaluate(_RUN, within)
        for node in rule["nodes"]
    ]
