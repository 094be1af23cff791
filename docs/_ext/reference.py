"""What docstrings need to become a reference: signatures as written, traits, code in backticks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxRole
from sphinx.util.inspect import stringify_signature
from traitlets import HasTraits

_NAMES = re.compile(r"(hs\.|headscope\.|[A-Z][a-z]+[A-Z])[\w.]*")
_as_written: dict[str, list[str]] = {}
#: How a widget is made up; nothing that its users call.
_INNER = {
    "fields",
    "asks",
    "marks",
    "thresholds",
    "pausable",
    "view_bundle",
    "set_state",
    "put_down",
    "open",
    "model_id",
}


class Named(SphinxRole):
    """Text in backticks: code, and a link where it names something of the reference."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The code, or a link that may be resolved later."""
        code = nodes.literal(self.rawtext, self.text, classes=["code"])
        if not _NAMES.fullmatch(self.text):
            return [code], []
        target = re.sub(r"^hs\.", "headscope.", self.text)
        link = addnodes.pending_xref(
            "", code, refdomain="py", reftype="obj", reftarget=target, refspecific=True,
            refdoc=self.env.docname, in_passing=True,
        )  # fmt: skip
        return [link], []


def forgive(
    _app: Sphinx, _env: BuildEnvironment, node: addnodes.pending_xref, inside: nodes.Element
) -> nodes.Node | None:
    """Types, and what is named in passing, need not be in the reference; what pages link has to."""
    return inside if node["reftype"] in ("class", "exc") or node.get("in_passing") else None


def sign(
    _app: Sphinx, what: str, _name: str, thing: Any, _options: Any, signature: str, _returns: str
) -> tuple[str | None, str | None]:
    """The signature with its annotations as they are written, without those that say nothing."""
    if what not in ("class", "exception", "function", "method") or not callable(thing):
        return signature, None
    is_widget = inspect.isclass(thing) and issubclass(thing, (HasTraits, Exception))
    try:
        found = inspect.signature(thing.__init__ if is_widget else thing)
    except ValueError:
        return signature, None
    parameters = [
        one.replace(annotation=one.empty) if one.annotation == "Any" else one
        for one in found.parameters.values()
        if one.name != "self"
    ]
    returns = found.empty if inspect.isclass(thing) else found.return_annotation
    text = stringify_signature(found.replace(parameters=parameters, return_annotation=returns))
    arguments, _, result = text.partition(" -> ")
    return arguments, result or None


def skip(
    _app: Sphinx, what: str, name: str, thing: Any, _skipped: bool, _options: Any
) -> bool | None:
    """Leave out what a widget is made of, and what it has from other packages."""
    home = getattr(thing, "this_class", None) or getattr(thing, "fget", None) or thing
    module = getattr(home, "__module__", None) or "headscope"
    foreign = not module.startswith("headscope")
    return True if name in _INNER or (what == "class" and foreign) else None


def keep(_app: Sphinx, what: str, name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """Remember an attribute's text: Napoleon takes what stands before a colon for its type."""
    if what == "attribute":
        _as_written[name] = list(lines)


def mend(_app: Sphinx, what: str, name: str, thing: Any, _options: Any, lines: list[str]) -> None:
    """Indented lines of a module's docstring are formulas and tables; a widget has traits."""
    if what == "module":
        lines[:] = _verbatim(lines)
    elif what == "attribute":
        lines[:] = _as_written.pop(name, lines)
    elif what == "class" and issubclass(thing, HasTraits) and getattr(thing, "fields", ()):
        names = ", ".join(f"``{field['name']}``" for field in thing.fields)
        lines += [
            "",
            f"**Traits that compute:** {names}, and ``prompt``, the text that runs. Each is read "
            "and assigned under its name; the page changes it too.",
            "",
        ]


def _verbatim(lines: list[str]) -> Iterator[str]:
    inside = False
    for before, line in zip(["", *lines], lines, strict=False):
        indented = line.startswith("    ")
        if indented and not inside and not before:
            yield from ("::", "")
            inside = True
        elif line and not indented:
            inside = False
        yield line


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all of it."""
    app.add_role("named", Named())
    app.connect("missing-reference", forgive)
    app.connect("autodoc-process-signature", sign)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", keep, priority=400)
    app.connect("autodoc-process-docstring", mend, priority=600)
    return {"parallel_read_safe": True}
