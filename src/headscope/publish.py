"""`headscope publish`: a finished notebook as one page that works with no kernel and no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headscope.errors import HeadscopeError, ResultError
from headscope.wire.paths import write

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from headscope.export.notebook import Published


def publish(source: str | Path, target: str | Path | None = None, *, execute: bool = False) -> str:
    """Write a notebook as a page.

    Args:
        source: The notebook. It is not changed.
        target: The page; beside the notebook, with the ending `.html`, if None.
        execute: Whether to run its cells first, in its own folder.

    Returns:
        A line that says what was written.

    Raises:
        HeadscopeError: There is no such notebook, a cell failed, or nbconvert is not installed.
    """
    source = Path(source)
    target = source.with_suffix(".html") if target is None else Path(target)
    try:
        import nbformat

        from headscope.export.exporter import PageExporter
    except ModuleNotFoundError as missing:
        raise HeadscopeError(
            f"Publishing needs {missing.name}.", "pip install 'headscope[jupyter]'"
        ) from missing
    try:
        notebook = nbformat.read(source, as_version=4)
    except (OSError, ValueError) as unread:
        raise ResultError(f"{source} is no notebook that can be read ({unread}).") from unread
    if execute:
        _execute(notebook, source)
    page, resources = PageExporter().from_notebook_node(
        notebook, {"metadata": {"name": source.stem}}
    )
    written = write(target, ".html", lambda path: path.write_text(page, encoding="utf-8"))
    return f"{written}: {len(page.encode()):,} bytes, {_told(resources['headscope'])}"


def _told(published: Published) -> str:
    count, others = len(published.kinds), published.others
    widgets = f"{count} widget" if count == 1 else f"{count} widgets"
    left = f"; {others} live views of other libraries are shown as text" if others else ""
    none = "" if count else ", which --execute may change"
    return f"{widgets}{none}{left}"


def _execute(notebook: NotebookNode, source: Path) -> None:
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(notebook, resources={"metadata": {"path": str(source.parent)}})
    try:
        client.execute()
    except (NoSuchKernel, DeadKernelError, CellTimeoutError) as failed:
        why = str(failed).strip().splitlines()[0]
        raise ResultError(f"It does not run: {why}", "Choose a kernel for it.") from failed
    except CellExecutionError as failed:
        raise ResultError(
            f"A cell failed: {failed.ename}: {failed.evalue}", "Run the notebook, and mend it."
        ) from failed
