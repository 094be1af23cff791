"""Widgets as outputs of a notebook: what each reader of the file finds there."""

from __future__ import annotations

import html
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import traitlets as t

from headscope.errors import HeadscopeError, RequestError
from headscope.export.figure import Style, png, svg
from headscope.export.frozen import Frozen, freeze
from headscope.export.html import bundles
from headscope.export.output import Picture, output
from headscope.export.png_file import indexed
from headscope.export.slices import slices_of
from headscope.widgets.carriers import Carriers
from headscope.widgets.freezing import FreezablePage, FrozenPage
from headscope.widgets.linking import group_of
from headscope.widgets.page import synced
from headscope.widgets.publish_mode import cell_request, is_app, output_now
from headscope.widgets.stand_in import StandIn

#: Most that the slices of a result take beside a live view, in bytes.
STAND_IN_BYTES = 300_000
#: Pixels of the picture for each of the page's.
PICTURE_SCALE = 1.0

_CARRIERS = Carriers()


class NotebookOutput(FrozenPage):
    """A page that leaves in a notebook what the reader of the file can show; see `publish_mode`."""

    #: Names the output that stands in for the live view where no kernel answers.
    _output: str = synced(t.Unicode())

    _stand_in: StandIn | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        self._carried: tuple[str, ...] = ()
        self._shown_by: Mapping[str, Any] = {}  # the request of the cell that it was shown in
        super().__init__(*args, _output=uuid.uuid4().hex[:16], **options)
        self._stand_in = StandIn(self._output, self._home, self._beside)
        self.observe(self._outdated, ["_result", "selection", "view", *self.marks])

    def close(self) -> None:
        """As `PageWidget.close`; what stood in for the live view goes too."""
        super().close()
        if self._stand_in is not None:
            self._stand_in.remove()
            _CARRIERS.forget(self._carried)
            self._carried = ()

    def _outdated(self, _change: object) -> None:
        if self._stand_in is not None and not self._put_down:
            self._stand_in.outdated()

    @property
    def _settled(self) -> bool:
        """Whether the result is there, and of what is asked now."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if self._closed:
            display({"text/plain": repr(self)}, raw=True)
            return
        mode = output_now()
        if mode != "live":
            display(self._alone(picture_only=mode == "picture"), raw=True)
            return
        live, metadata = self._repr_mimebundle_() or ({}, {})
        display(live, metadata=metadata, raw=True)
        if self._stand_in is not None and not is_app():
            self._shown_by = cell_request()
            self._stand_in.show()

    def _alone(self, picture_only: bool) -> dict[str, str]:
        """An output with no live view: of the finished result, or of what went wrong."""
        try:
            frozen = self.freeze()
        except HeadscopeError as error:
            return {"text/plain": f"{self!r}: {error}"}
        found = self._bundle(frozen)
        if picture_only:
            del found["text/html"]
        return found

    def _beside(self) -> dict[str, str]:
        """The output that stands beside a live view."""
        if self._settled:
            with suppress(HeadscopeError):  # the model has changed since, say
                return self._bundle(self._held(), self._output)
        place = f'<div data-headscope="{self._output}">{html.escape(repr(self))}</div>'
        return {"text/html": place, "text/plain": ""}

    def _held(self) -> Frozen:
        """What the widget shows, with no question to the model."""
        raise NotImplementedError

    def _bundle(self, frozen: Frozen, live: str = "") -> dict[str, str]:
        parts = bundles(frozen.needs)
        # What it carried once it carries on: its newer version takes the place of the older one.
        lost = _CARRIERS.missing(parts, self._shown_by if live else cell_request())
        self._carried = tuple(part for part in parts if part in (*lost, *self._carried))
        picture = self._picture(frozen)
        return {
            "text/html": output(frozen.title, picture, frozen, self._carried, live),
            "image/png": picture.base64,
            "text/plain": frozen.title,
        }

    def _picture(self, frozen: Frozen) -> Picture:
        return Picture(indexed(png(svg(frozen, Style()), PICTURE_SCALE)))


class PublishedPage(NotebookOutput, FreezablePage):
    """A page with a result, in a notebook."""

    def _held(self) -> Frozen:
        """What the widget shows, with no question to the model."""
        slices = slices_of(self.result, self._shown_view, self.selection)
        try:
            others, group = self._other_effects(), group_of(self)
            return freeze(self._snapshot(), slices, "all", STAND_IN_BYTES, group, others)
        except RequestError:
            return freeze(self._snapshot(), slices, "visible", group=group_of(self))
