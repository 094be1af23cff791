"""An exporter for nbconvert: a notebook as one page that fetches nothing."""

from __future__ import annotations

import copy
from typing import Any

from nbconvert.exporters import HTMLExporter

from headscope.export.notebook import Published, publish

#: nbconvert's page without the scripts that it would fetch.
_TEMPLATE = """\
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""


class PageExporter(HTMLExporter):
    """`jupyter nbconvert --to headscope`: as its HTML, with widgets that answer, self-contained.

    The front end is in the page once. Formulas stay TeX source, since what sets them would have to
    be fetched.
    """

    export_from_notebook = "Headscope page"
    raw_template = _TEMPLATE

    def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> tuple[Any, Any]:
        """The page; `resources["headscope"]` says what is in it (`Published`)."""
        notebook = copy.deepcopy(nb)
        published: Published = publish(notebook)
        page, resources = super().from_notebook_node(notebook, resources, **kw)
        resources["headscope"] = published
        before, end, after = page.rpartition("</body>")
        return f"{before}{published.front_end}{end}{after}", resources
