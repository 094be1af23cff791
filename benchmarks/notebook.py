"""A notebook in JupyterLab under Chromium, with the model loaded in its kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.browser import chromium
from tests.e2e.lab import Lab, Notebook

ROOT = Path(__file__).parents[1]
PAGE_JS = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
#: Seconds after which a picture counts as not there.
PATIENCE_S = 60

#: The first cell belongs to what is timed.
SETUP = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import headscope as hs
from IPython.display import HTML
from benchmarks.models import forward_s, gpt2_small, patterns, token_ids, words
from benchmarks.peers import circuitsvis_html
model = gpt2_small()
print("ready")
"""


class Bench:
    """An open notebook whose page can be timed."""

    def __init__(self, notebook: Notebook) -> None:
        self.page = notebook.page
        self._notebook = notebook
        self.page.evaluate(f"() => {{ window.bench = {PAGE_JS.rstrip()}; }}")
        said = self.python(SETUP)
        if not said.endswith("ready"):
            raise RuntimeError(said.splitlines()[-1])

    def python(self, code: str) -> str:
        """Run code in the kernel; what it prints."""
        return self._notebook.python(code)

    def forward_s(self, n_tokens: int) -> float:
        """Seconds of the bare forward pass in this very kernel."""
        return float(self.python(f"print(forward_s(model, token_ids({n_tokens})))"))

    def run_cell(self, code: str, who: str) -> float | None:
        """Seconds from running a cell to its picture; None if it is not there in time."""
        self.begin("runCell", code=code, who=who)
        return self.end()

    def begin(self, function: str, **arguments: Any) -> None:
        """Call a function of the page and leave it running."""
        arguments["limitS"] = PATIENCE_S
        self.page.evaluate(
            f"""(a) => {{
              window.timed = undefined;
              bench.{function}(a).then((s) => {{ window.timed = [s]; }});
            }}""",
            arguments,
        )

    def end(self) -> float | None:
        """What the function that was begun came to; None also where the page is stuck or dead."""
        from playwright.sync_api import Error

        try:
            # Not at every frame, which would draw beside what is timed.
            self.page.wait_for_function(
                "() => window.timed", timeout=1.2 * PATIENCE_S * 1000, polling=100
            )
        except Error:
            return None
        seconds: float | None = self.page.evaluate("() => window.timed[0]")
        return seconds


@contextmanager
def open_bench(lab: Lab) -> Iterator[Bench]:
    """A fresh notebook in a fresh browser, whatever the last one did to its own."""
    with chromium() as context:
        name = lab.write("bench.ipynb", "")
        yield Bench(lab.open(context, name, run=False, own_kernel=True))
