"""Write the README's pictures, `docs/*.png`, from pages that Headscope saved."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.browser import chromium

import headscope as hs

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Save pages, open them in Chromium, take their pictures."""
    model = hs.load_demo()
    attention = hs.AttentionPatterns(model, hs.demo.prompts["induction"][1].clean)
    scores = attention.run().score("induction")
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    attention.selection = {"layer": layer, "head": head}
    pair = hs.demo.prompts["two_hop"][0]
    graph = hs.AttributionGraph(
        model, pair.clean, hs.load_demo_transcoders(), target=pair.answer, wrong=pair.wrong
    )
    logit = graph.run().names[-1]
    graph.pinned = ["token@7", "L0F419@7", "L2F0@7", logit]
    graph.labels = {"L0F419@7": "in Texas", "L2F0@7": "Texas"}
    with TemporaryDirectory() as folder, chromium(device_scale_factor=1.5) as context:
        for name, widget in (("attention", attention), ("graph", graph)):
            page = context.new_page()
            page.set_viewport_size({"width": 1000, "height": 900})
            page.goto(widget.save_html(Path(folder) / f"{name}.html").as_uri())
            root = page.locator(".hs-root")
            root.locator("canvas").first.wait_for()
            page.wait_for_timeout(500)
            root.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main()
