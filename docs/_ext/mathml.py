"""Formulas as MathML, which browsers draw themselves."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

_log = logging.getLogger(__name__)


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    block = _mathml(node).replace("<math", '<math display="block"', 1)
    translator.body.append(f'<div class="formula">{block}</div>')
    raise nodes.SkipNode


def _mathml(node: nodes.Element) -> str:
    try:
        return str(tex2mathml(node.astext()))
    except ValueError as unknown:
        _log.warning("%s", unknown, location=node)
        return ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True}
