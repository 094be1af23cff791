"""Drive a real JupyterLab, or Notebook 7 on the same server: one page per scenario."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import BrowserContext, Page

from tests.e2e.servers import serving

READY = """async () => {
  const widget = jupyterapp.shell.currentWidget;
  await widget.context.ready;
  await widget.context.sessionContext.ready;
  await widget.context.sessionContext.session.kernel.info;
}"""

RUN_ALL = """() => {
  window.__ran = null;
  jupyterapp.commands.execute('notebook:run-all-cells').then(
    (ok) => { window.__ran = [ok]; }, (error) => { window.__ran = [String(error)]; });
}"""

EXECUTE = """async (code) => {
  const kernel = jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  const out = [];
  future.onIOPub = (message) => {
    const { content, header } = message;
    if (header.msg_type === 'stream') out.push(content.text);
    if (header.msg_type === 'execute_result') out.push(content.data['text/plain']);
    if (header.msg_type === 'error') out.push(`${content.ename}: ${content.evalue}`);
  };
  await future.done;
  return out.join('');
}"""

START = """(code) => {
  const kernel = jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  kernel.requestExecute({ code, store_history: false });
}"""

RESTART = """async () => {
  const { session } = jupyterapp.shell.currentWidget.context.sessionContext;
  await session.kernel.restart();
  await session.kernel.info;
}"""


#: Makes a kernel as good as new, but for what it has imported.
CLEAN = """
from ipywidgets import Widget
Widget.close_all()
get_ipython().reset(new_session=True)
"""


class Lab:
    """A running JupyterLab server on a folder of notebooks.

    Importing torch takes a kernel many times as long as most tests, so they share one.
    """

    def __init__(self, url: str, root: Path) -> None:
        self.url = url
        self.root = root
        self._kernel: str | None = None

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
        )
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.root / name)
        return name

    def open(
        self,
        context: BrowserContext,
        name: str,
        *,
        run: bool = True,
        app: str = "lab/tree",
        own_kernel: bool = False,
    ) -> Notebook:
        """Open a notebook, wait until its kernel answers, and run it.

        `app` is `notebooks` for Notebook 7; `own_kernel` is for what ends its kernel, changes what
        it has imported, or depends on all that it has run.
        """
        if not own_kernel:
            self._share_kernel(name)
        page = context.new_page()
        page.goto(f"{self.url}/{app}/{name}?reset")
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context")
        page.evaluate(READY)
        notebook = Notebook(page)
        if run:
            notebook.run_all()
        return notebook

    def _share_kernel(self, name: str) -> None:
        """Give a notebook that is about to be opened the shared kernel, cleaned."""
        kernel: dict[str, str] = {"name": "python3"}
        if self._kernel is not None:
            self._clean(self._kernel)
            kernel = {"id": self._kernel}
        session = {"path": name, "name": name, "type": "notebook", "kernel": kernel}
        self._kernel = self._post("/api/sessions", session)["kernel"]["id"]

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        data = json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data)) as answer:
            return json.load(answer)

    def _clean(self, kernel: str) -> None:
        runtime = self.root.with_name("home") / "runtime"
        client = BlockingKernelClient()
        client.load_connection_file(str(runtime / f"kernel-{kernel}.json"))
        client.start_channels()
        try:
            reply = client.execute(CLEAN, reply=True, timeout=60, store_history=False)
            assert reply["content"]["status"] == "ok", reply["content"]
        finally:
            client.stop_channels()


class Notebook:
    """An open notebook."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def run_all(self, timeout_s: float = 90) -> None:
        """Run all cells; an error in a cell fails the test with its text."""
        self.page.evaluate(RUN_ALL)
        self.page.wait_for_function("() => window.__ran", timeout=timeout_s * 1000)
        errors = self.page.locator(".jp-RenderedText[data-mime-type*='stderr']").all_inner_texts()
        assert self.page.evaluate("() => window.__ran") == [True], errors

    def python(self, code: str) -> str:
        """Run code in the notebook's kernel and return what it printed."""
        return str(self.page.evaluate(EXECUTE, code)).strip()

    def becomes(self, code: str, printed: str, timeout_s: float = 15) -> None:
        """Wait until code prints this: what is done in the page takes its time to Python."""
        deadline = time.monotonic() + timeout_s
        while (last := self.python(code)) != printed:
            assert time.monotonic() < deadline, f"{code} prints {last}, not {printed}"
            time.sleep(0.05)

    def restart(self) -> None:
        """Restart the kernel, and wait until the new one answers."""
        self.page.evaluate(RESTART)

    def start(self, code: str) -> None:
        """Start code in the kernel without waiting for its end."""
        self.page.evaluate(START, code)

    def theme(self, name: str) -> None:
        """Switch the theme: "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        dark = "false" if name.endswith("Dark") else "true"
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{dark}'")


@contextmanager
def serve(**extra: Any) -> Iterator[Lab]:
    """Start JupyterLab, which serves Notebook 7 too."""
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", "--ServerApp.port={port}", "--ServerApp.port_retries=0",
        "--IdentityProvider.token=", "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True", "--ServerApp.root_dir={root}",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with serving(command, "/api/status", **extra) as (url, root):
        yield Lab(url, root)
