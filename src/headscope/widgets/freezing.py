"""Widgets that can be packed for pages with no kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from headscope.export.figure import Figures
from headscope.export.frozen import Frozen, Include, Snapshot, freeze
from headscope.export.slices import Slices, slices_of
from headscope.results import Result
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.code import code_of
from headscope.widgets.intervened import to_json
from headscope.widgets.linking import group_of
from headscope.widgets.page import PageWidget
from headscope.wire.messages import Effect, Selection


class FrozenPage(Figures, PageWidget):
    """A page that can be taken elsewhere."""

    #: View options of the widget that holds it, which take the place of its own.
    _lent: Mapping[str, Any] = {}

    @property
    def _shown_view(self) -> dict[str, Any]:
        return {**self.view, **self._lent}

    @contextmanager
    def lend(self, options: Mapping[str, Any]) -> Iterator[None]:
        """Pack it with `options` in the place of its own, while this lasts."""
        self._lent = options
        try:
            yield
        finally:
            self._lent = {}

    def freeze(self, include: Include = "all", max_bytes: int | None = None) -> Frozen:
        """Pack what it shows."""
        raise NotImplementedError

    def save_html(
        self, path: str | Path, include: Include = "all", max_bytes: int | None = None
    ) -> Path:
        """Write the widget as a page that works with no kernel and no network; see `freeze`."""
        return self.freeze(include, max_bytes).save_html(path)

    def _packed(self) -> Frozen:
        return self.freeze("visible")

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {"figure": self._answer_figure}

    def _answer_figure(self, params: Params) -> Answer:
        return Answer(arrays=(np.frombuffer(self.to_pdf(), np.uint8),))

    def _snapshot(self) -> Snapshot:
        return {
            "widget": self._widget,
            "fields": list(self.fields),
            "values": {field["name"]: getattr(self, field["name"]) for field in self.fields},
            "status": self._status,
            "error": None,
            "prompt": self.prompt,
            "interventions": to_json(self.interventions),
            "effect": self.effect,
            "shifts": list(self._shifts),
            "selection": cast("Selection", dict(self.selection)),
            "view": self._shown_view,
            "marks": {name: getattr(self, name) for name in self.marks},
            "arguments": dict(self._arguments),
            "notes": [],
            "missing": [],
        }


class FreezablePage(FrozenPage):
    """A page whose result can be taken elsewhere."""

    @property
    def result(self) -> Any:
        """The result that is shown."""
        raise NotImplementedError

    def freeze(self, include: Include = "all", max_bytes: int | None = None) -> Frozen:
        """Pack what the widget shows for a page with no kernel: `hs.save_page` takes it.

        Slices are heads in full, of attention, and measures, of a grid; everything else is one
        piece. Above 1 MB of numbers they are rounded: attention weights to 256 steps of their
        head's largest, at most 0.002 off; measures to float16. `bound` says by how much at most,
        and so does the page. Where interventions act, the other two of `effect` travel if they fit.

        Args:
            include: `visible` takes what the view shows now: the overview and the heads that are
                selected or pinned, the measure on show. `all` takes the other slices too, the most
                relevant first: heads in the order of the view's sorting, or else those that write
                most to the residual stream. Heads that the page does not hold are asked of the
                model: a forward pass, or nothing where its layer is still cached.
            max_bytes: Most that it may add to a page, in bytes; None: whatever is on show, and
                3 MB with the others.

        Returns:
            A `Frozen`: `left_out` says in words what did not travel, `size` its bytes,
            `save_html(path)` writes it. The page says the same of what it lacks.

        Raises:
            RequestError: There is no such choice, or what is on show does not fit.
            ResultError: There is no result yet.
        """
        slices = self._slices(self.result)
        others = self._other_effects()
        return freeze(self._snapshot(), slices, include, max_bytes, group_of(self), others)

    def to_code(self) -> str:
        """The Python that makes this widget as it is shown.

        It has the prompt, fields, selection, view options and marks, and names the model as
        `model`, with a comment on which that was, like `transcoders` and `graph`. The page copies
        the same text. Patches pinned in a patching map are not in it.

        Raises:
            ResultError: There is no result yet.
        """
        return code_of(self._snapshot(), self.result)

    def _other_effects(self) -> Mapping[Effect, Slices]:
        """Parts of what the page could show instead, where interventions act."""
        return {}

    def _slices(self, result: Result) -> Slices:
        return slices_of(result, self._shown_view, self.selection)
