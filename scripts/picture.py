"""Write `docs/attention.png`, the README's picture, from a page that Headscope saved."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.browser import chromium

import headscope as hs

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Save a page, open it in Chromium, take its picture."""
    model = hs.load_demo()
    attention = hs.AttentionPatterns(model, hs.demo.prompts["induction"][1].clean)
    scores = attention.run().score("induction")
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    attention.selection = {"layer": layer, "head": head}
    with TemporaryDirectory() as folder, chromium(device_scale_factor=1.5) as context:
        page = context.new_page()
        page.set_viewport_size({"width": 1000, "height": 900})
        page.goto(hs.save_html(Path(folder) / "page.html", attention).as_uri())
        root = page.locator(".hs-root")
        root.locator("canvas").first.wait_for()
        (ROOT / "docs").mkdir(exist_ok=True)
        root.screenshot(path=ROOT / "docs" / "attention.png")


if __name__ == "__main__":
    main()
