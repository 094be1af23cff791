"""``{example}``: code that really runs while the site is built, and what came of it.

The blocks of a page share a namespace, as the cells of a notebook do. A widget becomes a figure
that works with no kernel, drawn by the front end of saved pages, which is in a page once.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import headscope as hs
from headscope.export.html import front_end, place

_MOST_ROWS = 10


class FrozenWidget(nodes.General, nodes.Element):
    """A widget, in whose place stands what is frozen of it once the page is read."""

    widget: Any = None
    frozen: Any = None


class Example(SphinxDirective):
    """A block of Python that is shown and run."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The code, then its output."""
        code = "\n".join(self.content)
        block = nodes.literal_block(code, code, language="python")
        self.set_source_info(block)
        namespace = self.env.temp_data.setdefault("example", {"__name__": "__main__"})
        try:
            with _elsewhere():
                shown = _execute(code, namespace)
        except Exception as error:
            raise self.severe(f"The example failed: {type(error).__name__}: {error}") from error
        return [block, *map(_node, shown)]


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Files that an example writes are gone after it."""
    here = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def _execute(code: str, namespace: dict[str, Any]) -> list[Any]:
    """Run code; what it printed (as text in a list of one) and displayed, and its last value."""
    shown: list[Any] = []
    printed = StringIO()

    def display(value: Any) -> None:
        if text := printed.getvalue():
            shown.append([text])
            printed.seek(0)
            printed.truncate()
        if value is not None:
            shown.append(value)

    namespace["display"] = display
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with redirect_stdout(printed):
        exec(compile(tree, "<example>", "exec"), namespace)  # noqa: S102  (our own pages)
        value = last and eval(compile(ast.Expression(last.value), "<example>", "eval"), namespace)  # noqa: S307
    display(value)
    return shown


def _node(value: Any) -> nodes.Node:
    if hasattr(value, "save_html"):
        if getattr(value, "status", {}).get("state") == "running":
            value.run()  # a kernel would have gone on with it before the next cell
        made = FrozenWidget()
        made.widget = value
        return made
    if hasattr(value, "to_html") and hasattr(value, "columns"):
        table = value.to_html(border=0, max_rows=_MOST_ROWS, float_format=lambda x: f"{x:.3g}")
        return nodes.raw("", f'<div class="example-table">{table}</div>', format="html")
    text = value[0] if isinstance(value, list) and len(value) == 1 else repr(value)
    return nodes.literal_block(text, text, language="text", classes=["example-output"])


def freeze_figures(_app: Sphinx, doctree: nodes.document) -> None:
    """Freeze what the page shows as its last block left it, as a saved notebook would."""
    for node in doctree.findall(FrozenWidget):
        error = getattr(node.widget, "last_error", None)
        if isinstance(error, hs.HeadscopeError):  # a mistake made on purpose, as the page shows it
            node.replace_self(nodes.literal_block("", str(error), classes=["example-error"]))
            continue
        node.frozen, node.widget = node.widget.freeze(), None
    hs.close_all()


def add_front_end(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Put what draws the figures at the end of a page that has some."""
    found = [node.frozen for node in doctree.findall(FrozenWidget)] if doctree is not None else []
    if found:
        context["body"] += front_end(found)


def _visit(translator: Any, node: FrozenWidget) -> None:
    translator.body.append(f'<div class="example-figure">{place(node.frozen)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_node(FrozenWidget, html=(_visit, None))
    app.add_directive("example", Example)
    app.connect("doctree-read", freeze_figures)
    app.connect("html-page-context", add_front_end)
    return {"parallel_read_safe": False, "env_version": 1}
