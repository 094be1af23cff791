"""What a widget shows, packed for a page: which of its slices travel, how many bytes they take."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict, get_args

from headscope.errors import RequestError
from headscope.export.slices import Slices
from headscope.wire import Payload, encode
from headscope.wire.codec import ArrayHeader, Header, Precision, encode_part
from headscope.wire.messages import (
    Choice,
    Common,
    Effect,
    ErrorInfo,
    FieldSpec,
    JobStatus,
    PaneSpec,
    Selection,
    TokenShift,
)

#: Format of a packed widget.
VERSION = 4

Include = Literal["visible", "all"]

#: Most that slices beyond those on show take where nobody says another limit.
SLICE_BYTES = 3_000_000
#: Up to here slices travel as to a live page, beyond it they are rounded.
UNROUNDED_BYTES = 2**20
#: Rough size of a slice's own header, packed.
_HEADER_BYTES = 64
_NAMED = 6
_NONE: Mapping[Effect, Any] = {}
_EFFECTS: Mapping[Effect, str] = {
    "with": "the view with the interventions",
    "without": "the view without the interventions",
    "difference": "the difference that the interventions make",
}
_LEVEL = 6  # 9 takes ten times as long for attention, for 8 % fewer bytes


class Snapshot(TypedDict):
    """All that a widget shows without its kernel, except its result.

    `notes` are lines on what the page lacks, `missing` what it would offer by name.
    """

    widget: str
    fields: list[FieldSpec]
    values: dict[str, Any]
    status: JobStatus
    error: ErrorInfo | None
    prompt: str | None
    interventions: list[dict[str, Any]] | None
    effect: Effect
    shifts: list[TokenShift]
    selection: Selection
    view: dict[str, Any]
    marks: dict[str, Any]
    arguments: dict[str, Any]
    notes: list[str]
    missing: list[Choice]


class PanesSnapshot(Snapshot):
    """That of a widget which holds others; a pane's `widget` is its part's place in the page."""

    panes: list[PaneSpec]
    common: Common | None


@dataclass(frozen=True)
class Frozen:
    """A widget as it was, for a page that needs no kernel and no network.

    Args:
        title: Its result's title.
        kind: Its result's kind, or the view where a kind has several.
        left_out: What did not travel, in words; empty if everything did.
        bound: Most by which a number that it shows is off for having been rounded; 0: none was.
        text: All of it, packed: gzip in base64.
        group: Widgets of the same group share their selection; "": nobody does.
        panels: What is shown beside the view and is in a bundle of its own.
        parts: The widgets that it holds, in the order of its panes.
    """

    title: str
    kind: str
    left_out: tuple[str, ...]
    bound: float
    text: str
    group: str = ""
    panels: tuple[str, ...] = ()
    parts: tuple[Frozen, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """What of the front end draws it."""
        return (self.kind, *self.panels, *(need for part in self.parts for need in part.needs))

    @property
    def size(self) -> int:
        """Bytes that it adds to a page, beside the front end that all widgets of a page share."""
        return len(self.text) + sum(part.size for part in self.parts)

    def linked(self, group: str) -> Frozen:
        """The same, all of it in a group."""
        return replace(self, group=group, parts=tuple(part.linked(group) for part in self.parts))

    def save_html(self, path: str | Path) -> Path:
        """Write it as a page of its own; `.html` is added if there is no suffix."""
        from headscope.export.html import save_page

        return save_page([self], path)

    def __repr__(self) -> str:
        without = "; ".join(self.left_out)
        return f"Frozen({self.title!r}, {self.size:,} bytes{without and f', without {without}'})"


class Freezable(Protocol):
    """A widget, as pages see it."""

    def freeze(self, include: Include = "all", max_bytes: int | None = None) -> Frozen:
        """What it shows now."""


def freeze(
    snapshot: Snapshot,
    slices: Slices,
    include: Include = "all",
    max_bytes: int | None = None,
    group: str = "",
    others: Mapping[Effect, Slices] = _NONE,
) -> Frozen:
    """Pack a widget.

    Args:
        snapshot: What it shows beside its result.
        slices: The parts of its result.
        include: `visible` takes those on show, `all` the others too, the most relevant first, for
            as long as they fit.
        max_bytes: Most bytes in all; None: whatever is on show, and 3 MB with the others.
        group: Which selection it shares.
        others: Parts of what another effect of interventions shows; `all` takes them before parts
            that are not on show.

    Raises:
        RequestError: There is no such choice, or what is on show does not fit.
    """
    checked_include(include)
    packing = _Packing(snapshot, slices, group, others)
    parts = [slices.take(at) for at in range(slices.shown)]
    frozen = packing.of(parts, max_bytes)
    if max_bytes is not None and frozen.size > max_bytes:
        raise too_large(frozen.size, max_bytes)
    if include == "visible":
        return frozen
    limit = SLICE_BYTES if max_bytes is None else max_bytes
    packing.take_others(limit - frozen.size)
    frozen = packing.of(parts, limit)
    found = packing.fitting(limit - packing.at("coarse", parts).size)
    while found:
        fuller = packing.of([*parts, *(part for part, _ in found)], limit)
        over = fuller.size - limit
        if over <= 0:
            return fuller
        while found and over > 0:
            over -= found.pop()[1]
    return frozen


class _Packing:
    """One widget's packing: what a set of parts comes to."""

    def __init__(
        self, snapshot: Snapshot, slices: Slices, group: str, others: Mapping[Effect, Slices]
    ) -> None:
        self._snapshot = snapshot
        self._slices = slices
        self._group = group
        self._lacking = dict(others)
        self._others: dict[Effect, Payload] = {}

    def take_others(self, room: int) -> None:
        """Take what other effects show where there is room, all of it or what would be on show."""
        for effect, slices in list(self._lacking.items()):
            for count in (len(slices.names), slices.shown):
                parts = [slices.take(at) for at in range(count)]
                payload = encode(slices.build(parts))
                if sum(map(len, payload["buffers"])) > UNROUNDED_BYTES:
                    payload = encode(slices.build(parts), "coarse")
                header = json.dumps(payload["header"]).encode()
                size = len(packed(header + b"".join(payload["buffers"])))
                if size <= room:
                    room -= size
                    self._others[effect] = payload
                    del self._lacking[effect]
                    break

    def fitting(self, room: int) -> list[tuple[Any, int]]:
        """Parts behind those on show with about what each takes, until `room` is used up."""
        found: list[tuple[Any, int]] = []
        for at in range(self._slices.shown, len(self._slices.names)):
            part = self._slices.take(at)
            buffers = b"".join(encode_part(part, "coarse")[2])
            size = _HEADER_BYTES + len(packed(buffers))
            room -= size
            if room < 0:
                break
            found.append((part, size))
        return found

    def of(self, parts: list[Any], limit: int | None) -> Frozen:
        """Rounded only if it is large, or over the limit, without."""
        if self._wire_bytes(parts) <= UNROUNDED_BYTES:
            frozen = self.at("wire", parts)
            if limit is None or frozen.size <= limit:
                return frozen
        return self.at("coarse", parts)

    def at(self, precision: Precision, parts: list[Any]) -> Frozen:
        result = self._slices.build(parts)
        payload = encode(result, precision)
        header = payload["header"]
        left_out = (
            *_left_out(self._slices, len(parts)),
            *(_EFFECTS[effect] for effect in self._lacking),
        )
        headers = [header, *(other["header"] for other in self._others.values())]
        bound = max((_bound(array) for of in headers for array in of["arrays"]), default=0.0)
        snapshot: Snapshot = {
            **self._snapshot,
            "notes": [f"Not in this page, needs a live kernel: {what}." for what in left_out]
            + _rounding(bound),
            "missing": list(self._slices.choices[len(parts) :]),
        }
        text = pack(snapshot, header, payload["buffers"], self._others)
        panels = panels_of(snapshot)
        return Frozen(result.title, result.view, left_out, bound, text, self._group, panels)

    def _wire_bytes(self, parts: list[Any]) -> int:
        return sum(map(len, encode(self._slices.build(parts))["buffers"]))


def pack(
    snapshot: Snapshot,
    header: Header | None,
    buffers: Iterable[bytes],
    others: Mapping[Effect, Payload] = _NONE,
) -> str:
    """A widget as text: a line of JSON, then the buffers that its headers describe."""
    besides = [{"effect": effect, "header": of["header"]} for effect, of in others.items()]
    data = {"version": VERSION, **snapshot, "header": header, "others": besides}
    line = json.dumps(data, allow_nan=False, separators=(",", ":")).encode("ascii")
    theirs = (buffer for other in others.values() for buffer in other["buffers"])
    return packed(line + b"\n" + b"".join([*buffers, *theirs]))


def packed(data: bytes) -> str:
    """Bytes as text: gzip in base64, the same for the same bytes."""
    return base64.b64encode(gzip.compress(data, _LEVEL, mtime=0)).decode("ascii")


def panels_of(snapshot: Snapshot) -> tuple[str, ...]:
    """The panels in which there is something to see without a kernel."""
    return ("interventions",) if snapshot["interventions"] else ()


def checked_include(include: Include) -> None:
    """Refuse what is no choice.

    Raises:
        RequestError: It is none.
    """
    if include not in get_args(Include):
        raise RequestError(f"include is {include!r}.", 'Choose "visible" or "all".')


def too_large(size: int, max_bytes: int) -> RequestError:
    """The error where not even what is on show fits."""
    return RequestError(
        f"What is on show takes {size:,} bytes, more than max_bytes={max_bytes:,}.",
        f"Pass max_bytes={size} or more.",
    )


def held(
    snapshot: PanesSnapshot, parts: Sequence[Frozen], panels: tuple[str, ...], group: str
) -> Frozen:
    """Pack a widget that holds others.

    Args:
        snapshot: What it shows beside them.
        parts: The others; what they lack is said by each.
        panels: What is shown beside them.
        group: Which selection it shares.
    """
    left_out = tuple(f"{part.title}: {what}" for part in parts for what in part.left_out)
    bound = max((part.bound for part in parts), default=0.0)
    text = pack(snapshot, None, ())
    return Frozen(snapshot["widget"], "panes", left_out, bound, text, group, panels, tuple(parts))


def _bound(array: ArrayHeader) -> float:
    return array["rounding"]["bound"] if "rounding" in array else 0.0


def _left_out(slices: Slices, taken: int) -> tuple[str, ...]:
    count = slices.total - taken
    if count <= 0:
        return ()
    named = slices.names[taken : taken + _NAMED]
    some = ", ".join([*named, "..."] if count > len(named) else named)
    return (f"{count} of {slices.total} {slices.noun}{(named and f' ({some})') or ''}",)


def _rounding(bound: float) -> list[str]:
    return [f"Values are rounded, by {bound:.2g} at most."] if bound else []
