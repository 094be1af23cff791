"""`Compare`: two widgets and what they differ by, on one scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets as t

from headscope.arguments import checked, short
from headscope.errors import RequestError, ResultError
from headscope.export.frozen import Frozen
from headscope.results import Grid, Patterns
from headscope.results.difference import difference, on_one_scale
from headscope.results.difference.naming import names_of
from headscope.results.patterns import WEIGHTINGS
from headscope.widgets.base import HeadscopeWidget
from headscope.widgets.closed import Closed
from headscope.widgets.code import lines_of, literal, text_of
from headscope.widgets.difference_view import DifferenceView
from headscope.widgets.linking import group_of, link, unlink
from headscope.widgets.panes import Panes
from headscope.widgets.panes_page import pane
from headscope.widgets.published import NotebookOutput
from headscope.widgets.result_view import ResultView
from headscope.widgets.view_options import LAYOUT, SCALES, options_of

_SIDES = ("left", "right")
_WATCHED = ["_result", "_status"]
_COLUMNS = [["left"], ["right"], ["difference"]]
#: View options of its own: where the panes are, and whether the difference has its own scale.
_OWN_SCALE = "own_scale"
_OWN = frozenset({*LAYOUT, _OWN_SCALE})


class Compare(Panes):
    """Two widgets of the same kind side by side, and the right one less the left one.

    One prompt on two models (fine-tuned against base, quantised against full), two prompts on one
    model, or whatever else the two differ in; the titles say what. All three are on the same
    colour scale, and share what is selected, the measure on show and other choices of the view.
    Fields that have the same value in both keep it: a change in one is made in the other, and with
    two models so is a change of their common prompt. The difference follows both, and is marked as
    outdated while one of them computes.

    Args:
        left: An analysis widget with a grid or attention, or an `hs.ResultView`.
        right: Another of the same class.

    Raises:
        RequestError: They are not of the same class, show a graph, are one and the same, or closed.

    Example:
        >>> hs.Compare(hs.LogitLens(base, prompt), hs.LogitLens(tuned, prompt))
        >>> hs.Compare(hs.AttentionPatterns(model, one), hs.AttentionPatterns(model, other))
    """

    _gone = True  # before it is made, too
    _scaled: Mapping[str, Any] = {}

    @checked
    def __init__(self, left: Any, right: Any) -> None:
        _check(left, right)
        self._left, self._right = left, right
        self._less = DifferenceView(left, right)
        self._parts = {"left": left, "right": right, "difference": self._less}
        self._of: tuple[Any, Any] = None, None
        self._linked = [side for side in (left, right) if not group_of(side)]
        super().__init__(self._parts, columns=_COLUMNS)
        link(left, right, self._less)
        self._common = _common(left, right)
        self._watched = [*_WATCHED, "prompt", *(field["name"] for field in left.fields)]
        for side in (left, right):
            side.observe(self._moved, self._watched)
            side.observe(self._followed, self._common)
        self._refresh()

    def _view_options(self) -> tuple[str, ...]:
        shared = dict.fromkeys((*options_of("attention"), *options_of("widget")))
        return (*LAYOUT, _OWN_SCALE, *shared)

    @property
    def left(self) -> Any:
        """The widget that is taken away."""
        self._checked_open()
        return self._left

    @property
    def right(self) -> Any:
        """The widget that it is taken from."""
        self._checked_open()
        return self._right

    @property
    def difference(self) -> Grid | Patterns:
        """The right result less the left one; see `hs.difference`.

        Whatever is still to be computed for the two is computed first.

        Raises:
            ResultError: One of them has no result, or they cannot be compared.
        """
        self._checked_open()
        one: Grid | Patterns = self._left.result
        return difference(one, self._right.result)

    def run(self) -> Grid | Patterns:
        """Compute both widgets now, and return their difference."""
        self.left.run()
        self.right.run()
        return self.difference

    def to_code(self) -> str:
        """The Python that makes the two widgets and compares them as shown.

        Models and results are named, with a comment on which these were.

        Raises:
            ResultError: One of the two has no result yet.
        """
        one, other = (getattr(side, "_model", None) for side in (self.left, self.right))
        noun = "result" if one is None else "model"
        shared = one is not None and one is other
        lines: list[str] = []
        for name, side in zip(_SIDES, (self._left, self._right), strict=True):
            of = noun if shared else f"{name}_{noun}"
            lines += lines_of(side._snapshot(), side.result, name, of)
        plain = {SCALES: self.view.get(SCALES), "columns": _COLUMNS}
        view = {name: value for name, value in self.view.items() if value != plain.get(name)}
        lines.append("widget = hs.Compare(left, right)")
        return text_of([*lines, *([f"widget.view = {literal(view)}"] if view else [])])

    def close(self) -> None:
        """Remove the comparison and let go of the two widgets, which live on, apart."""
        if self._gone:
            return
        for side in (self._left, self._right):
            side.unobserve(self._moved, self._watched)
            side.unobserve(self._followed, self._common)
        self._of = None, None
        unlink(self._less, *self._linked)
        self._less.close()
        super().close()
        self._parts, self._linked = {}, []
        del self._left, self._right, self._less

    def __repr__(self) -> str:
        if self._gone:
            return "Compare(closed)"
        return f"Compare({self._left!r}, {self._right!r})"

    def _checked_open(self) -> None:
        if self._gone:
            raise Closed.error()

    def _pack(
        self, freeze: Callable[[NotebookOutput], Frozen], *, collapsed: bool = False
    ) -> Frozen:
        def as_here(widget: NotebookOutput) -> Frozen:
            shared = {name: value for name, value in self.view.items() if name not in _OWN}
            if widget is self._less and self.view.get(_OWN_SCALE):
                shared.pop(SCALES, None)
            with widget.lend(shared):
                return freeze(widget)

        return super()._pack(as_here, collapsed=collapsed)

    def _moved(self, _change: Any) -> None:
        self._home.bring(self._refresh)

    def _followed(self, change: Any) -> None:
        """What the two have in common stays so."""
        other = self._right if change["owner"] is self._left else self._left
        if getattr(other, change["name"]) != change["new"] and not other._closed:
            setattr(other, change["name"], change["new"])

    def _refresh(self) -> None:
        """Show the difference of what the two have settled at, or why there is none."""
        if self._gone:
            return
        sides = dict(zip(_SIDES, (self._left, self._right), strict=True))
        for name, side in sides.items():
            if side._closed or side._status["state"] == "error":
                why = "is closed" if side._closed else "has no result"
                self._less.fail(ResultError(f"The widget on the {name} {why}.", "Mend that first."))
                return
        waiting = [name for name, side in sides.items() if not side._settled]
        if waiting:
            self._less.wait(f"Waiting for the {' and the '.join(waiting)}")
            return
        self._show(self._left.result, self._right.result)

    def _show(self, one: Grid | Patterns, other: Grid | Patterns) -> None:
        if self._less._settled and self._of[0] is one and self._of[1] is other:
            return
        self._of = one, other
        self._panes = self._titled(*names_of(one.provenance, other.provenance))
        try:
            less = difference(one, other)
        except ResultError as error:
            self._less.fail(error)
            return
        self._less.show(less)
        self._scaled = {SCALES: _scales(one, other, less)}
        self.view = dict(self.view)

    @t.validate("view")
    def _with_scales(self, proposal: Any) -> dict[str, Any]:
        """The scales are not chosen."""
        return {**proposal["value"], **self._scaled}

    def _titled(self, one: str, other: str) -> list[dict[str, Any]]:
        titles = {
            "left": f"Left: {one}" if one else "Left",
            "right": f"Right: {other}" if other else "Right",
            "difference": "Right less left",
        }
        return [pane(name, titles[name], widget) for name, widget in self._parts.items()]


def _check(left: Any, right: Any) -> None:
    """Refuse what cannot be compared.

    Raises:
        RequestError: See `Compare`.
    """
    call = "Pass two: hs.Compare(hs.LogitLens(base, prompt), hs.LogitLens(tuned, prompt))."
    for side in (left, right):
        kind = type(side).__name__
        if not isinstance(side, (HeadscopeWidget, ResultView)):
            raise RequestError(f"{short(side)} cannot be compared.", call)
        if side._view_bundle == "graph":
            raise RequestError(f"{kind} shows a graph, which has no difference.", call)
        if side._closed:
            raise RequestError(f"This {kind} is closed.", "Make a new one.")
    if left is right:
        raise RequestError("A widget is not compared with itself.", call)
    # Each instance of a widget is of a class of its own, so that names are compared.
    if (left._widget, left._view_bundle) != (right._widget, right._view_bundle):
        kinds = f"{left._widget} and {right._widget}"
        raise RequestError(f"{kinds} show different things.", "Compare two of the same class.")


def _common(left: Any, right: Any) -> list[str]:
    """What the two keep in common: fields of equal value, and the prompt where all else is not."""
    names = [field["name"] for field in left.fields]
    common = [name for name in names if getattr(left, name) == getattr(right, name)]
    models = [getattr(side, "_model", None) for side in (left, right)]
    changed = [(side.interventions, side.effect) for side in (left, right)]
    apart = len(common) < len(names) or models[0] is not models[1] or changed[0] != changed[1]
    return [*common, "prompt"] if apart and left.prompt == right.prompt else common


def _scales(*results: Any) -> dict[str, list[float]]:
    """The least and the largest value of each measure's, or weighting's, common scale."""
    first = on_one_scale(*results)[0]
    if isinstance(first, Grid):
        return {m.name: [m.scale.low, m.scale.high] for m in first.measures}
    largest = first.overview_max.max(axis=(1, 2))
    return {name: [0.0, float(most)] for name, most in zip(WEIGHTINGS, largest, strict=True)}
