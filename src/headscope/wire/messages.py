"""What passes between page and kernel besides results.

Traits (synced, last value wins, survive in a saved notebook) and custom messages (transient). All
keys are snake_case on both sides; `headscope.wire.codegen` writes their TypeScript twins.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union

from headscope.wire.codec import ArrayHeader


class Selection(TypedDict):
    """What is pinned. The same shape on every widget; None: nothing.

    `component` is a name such as `L9H6`, `MLP5`, `L3N17` or `L3.resid_pre`, `feature` one such as
    `L3F212`: at most one of them, and `layer` and `head` are then its. A layer with a head is a
    component by itself.
    """

    layer: int | None
    head: int | None
    dest: int | None
    src: int | None
    token: int | None
    component: str | None
    feature: str | None


Effect = Literal["with", "without", "difference"]
"""What is shown where interventions act: with them, without them, or the former less the latter."""


class TokenShift(TypedDict):
    """How likely a token is to come next, before and after the interventions."""

    token_id: int
    text: str
    before: float
    after: float


class JobStatus(TypedDict):
    """Where the current computation stands.

    `job` counts up by one for each computation of a widget. `fraction` is the share done, `eta_s`
    the seconds left (None while unknown). `paused` is None where the widget has no pause.
    """

    job: int
    state: Literal["idle", "running", "done", "cancelled", "error"]
    fraction: float
    eta_s: float | None
    message: str
    paused: bool | None


class ErrorInfo(TypedDict):
    """An error as the page shows it: its kind, what was wrong, what to do."""

    kind: str
    message: str
    hint: str


class Choice(TypedDict):
    """One option of a choice field."""

    value: str
    title: str


class FieldSpec(TypedDict):
    """One field of a request, so that the page can offer a control for it.

    `name` is the synced trait that holds the value; `choices` belongs to `choice` fields. A `text`
    is a prompt, a `line` is names or numbers.

    `when` says under which values of other fields this one has any effect: one of its conditions
    must hold, each of which names fields and the values they may have; empty, it always has. Where
    it has none it is not shown, unless there is an error that it might have to do with.
    """

    name: str
    title: str
    type: Literal["token", "choice", "integer", "flag", "line", "text"]
    choices: list[Choice]
    help: str
    when: list[dict[str, list[str]]]


class PaneSpec(TypedDict):
    """One pane of a widget that holds others.

    `widget` says which widget is in it, None while there is none; `error` why it could not be made.
    """

    name: str
    title: str
    widget: str | None
    error: ErrorInfo | None


class ViewOptions(TypedDict, total=False):
    """Every style option there is. None computes anything, and a view checks the values it reads.

    They begin with the name of the view that reads them; `heatmap_` ones are read by whatever draws
    a grid. `columns` to `heights` are of widgets that hold others, `own_scale` is of `Compare`.
    `scales` are least and largest values, by the name of a measure or a weighting.
    """

    heatmap_measure: Any
    heatmap_chosen: Any
    heatmap_zoom: Any
    heatmap_upward: Any
    heatmap_cell: Any
    heatmap_group: Any
    heatmap_table: Any
    heatmap_track: Any
    heatmap_tracked: Any
    heatmap_track_log: Any
    bars_sort: Any
    attention_mode: Any
    attention_weighting: Any
    attention_sort: Any
    attention_filter: Any
    attention_per_head: Any
    attention_heads: Any
    attention_direction: Any
    attention_mix: Any
    attention_threshold: Any
    graph_only_pinned: Any
    graph_table: Any
    graph_examples: Any
    scales: Any
    columns: Any
    shares: Any
    collapsed: Any
    heights: Any
    own_scale: Any


class Common(TypedDict):
    """What several views of one prompt have in common, for the page that holds them.

    `undo` and `redo` count the steps there are either way. `ran` has the `provenance` and the
    `next_tokens` of a result of the prompt, as a payload's header has them; None: there is none.
    """

    undo: int
    redo: int
    ran: dict[str, Any] | None


class WidgetState(TypedDict):
    """The synced traits that every widget has; each in `_fields` and in `_marks` is one more.

    `_arguments` is what was passed to the widget and is neither prompt nor field. `_marks` names
    what users mark in a result: shown, saved, never a cause to compute. `_asks` is what the page
    may ask about a result, beside what every widget answers. `interventions` is None where there is
    no model, or an analysis that takes none; `_shifts` is empty where none acts.
    """

    _widget: str
    _output: str
    _fields: list[FieldSpec]
    _marks: list[str]
    _asks: list[str]
    _arguments: dict[str, Any]
    _result: dict[str, Any]
    _shifts: list[TokenShift]
    _status: JobStatus
    _error: ErrorInfo | None
    prompt: str | None
    interventions: list[dict[str, Any]] | None
    effect: Effect
    selection: Selection
    view: ViewOptions


class Ask(TypedDict):
    """Page to kernel: answer one question. Exactly one `Reply` with the same id follows."""

    type: Literal["ask"]
    id: int
    what: str
    params: dict[str, Any]


class CancelAsk(TypedDict):
    """Page to kernel: the answer to `id` is no longer wanted."""

    type: Literal["cancel_ask"]
    id: int


class CancelJob(TypedDict):
    """Page to kernel: stop the running computation, keep what there is."""

    type: Literal["cancel_job"]


class RunJob(TypedDict):
    """Page to kernel: compute again (after a cancel or an error)."""

    type: Literal["run_job"]


class AckProgress(TypedDict):
    """Page to kernel: progress has been drawn; the next may be sent."""

    type: Literal["ack_progress"]


class NeedResult(TypedDict):
    """Page to kernel: a result is shown that was put down, because nothing seemed to show it."""

    type: Literal["need_result"]


class Reply(TypedDict):
    """Kernel to page: the answer to the ask with that id.

    With `ok`, `value` is JSON and arrays are described as in a payload's header, one buffer each;
    otherwise `error` says why.
    """

    type: Literal["reply"]
    id: int
    ok: bool
    value: Any
    arrays: list[ArrayHeader]
    error: ErrorInfo | None


class Progress(TypedDict):
    """Kernel to page: the running job's status, at most ten a second."""

    type: Literal["progress"]
    status: JobStatus


PageMessage = Union[Ask, CancelAsk, CancelJob, RunJob, AckProgress, NeedResult]
KernelMessage = Union[Reply, Progress]
