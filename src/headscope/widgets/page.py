"""The widget's side of the line to the page: synced traits in, messages both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, ClassVar, cast, get_args

import traitlets as t

from headscope.errors import RequestError
from headscope.jobs import Home
from headscope.widgets.asks import Answering, Desk, Params, unknown
from headscope.widgets.assigning import Assigned
from headscope.widgets.core import Bundle, CoreTrait, front_end, shared_core
from headscope.widgets.failure import describe
from headscope.widgets.intervened import InterventionsTrait, taken
from headscope.widgets.late_comm import LateWidget
from headscope.widgets.selection import NOTHING, Limits, consistent, normalise, within
from headscope.widgets.superseded import displayed
from headscope.widgets.view_options import options_of
from headscope.wire import Payload
from headscope.wire.messages import Effect, ErrorInfo, FieldSpec, JobStatus, Selection, TokenShift


def synced(trait: Any) -> Any:
    """A trait shared with the page, but never echoed to it.

    An echo of what the page wrote would undo what was typed meanwhile, and of what the kernel wrote
    would be bulk sent twice.
    """
    return trait.tag(sync=True, echo_update=False)


class PageWidget(LateWidget, Assigned):
    """What the page sees of a widget, and how what it sends is taken.

    JupyterLab may deliver messages on other threads, while this one runs a cell: they set a flag
    or are brought home.
    """

    _esm = resources.files(__package__).joinpath("loader.js").read_text(encoding="utf-8")
    _core = CoreTrait()
    _view_core = CoreTrait()
    _view_bundle: str = synced(t.Unicode())
    _widget: str = synced(t.Unicode())
    _fields: list[FieldSpec] = synced(t.List())
    _marks: list[str] = synced(t.List())
    _asks: list[str] = synced(t.List())
    _arguments: dict[str, Any] = synced(t.Dict())
    _result: dict[str, Any] = synced(t.Dict())
    _status: JobStatus = synced(t.Dict())
    _error: ErrorInfo | None = synced(t.Dict(default_value=None, allow_none=True))
    #: None: there is no model to run one.
    prompt: Any = synced(t.Unicode(default_value=None, allow_none=True))
    interventions: Any = InterventionsTrait()
    effect: Effect = synced(t.Unicode("with"))
    #: What comes next, before and after the interventions; empty where none acts.
    _shifts: list[TokenShift] = synced(t.List())
    selection: Selection = synced(t.Dict())
    view: dict[str, Any] = synced(t.Dict())

    #: Names of the synced traits that hold what users mark in a result.
    marks: ClassVar[tuple[str, ...]] = ()
    #: What the page may ask about a result, beside what it may ask of every widget.
    asks: ClassVar[tuple[str, ...]] = ()
    _put_down = False

    #: The bundle that the view of its results is in.
    view_bundle: ClassVar[Bundle] = "widget"

    def __init__(
        self,
        selection: Mapping[str, int | str | None] | None = None,
        view_bundle: Bundle | None = None,
        **traits: Any,
    ) -> None:
        bundle = view_bundle or self.view_bundle
        self._selected = NOTHING
        self._home = Home()
        self._last_error: Exception | None = None
        self._desk = Desk(self._home, self._answer, self.send, self._keep_error)
        super().__init__(
            _core=shared_core(),
            _view_bundle=bundle,
            _view_core=None if bundle == "widget" else shared_core(bundle),
            _widget=type(self).__name__,
            _fields=list(self.fields),
            _marks=list(self.marks),
            _asks=list(self.asks),
            selection=NOTHING if selection is None else selection,
            **traits,
        )

    def _view_options(self) -> tuple[str, ...]:
        return options_of(cast("Bundle", self._view_bundle))

    def cancel(self) -> None:
        """Stop the running computation."""
        raise NotImplementedError

    @property
    def last_error(self) -> Exception | None:
        """What went wrong last, with its traceback."""
        return self._last_error

    def _keep_error(self, error: Exception) -> None:
        self._last_error = error

    def _run_again(self) -> None:
        """Compute again, as `run` does, but on the loop."""
        raise NotImplementedError

    def _acknowledged(self) -> None:
        """The page has drawn the last progress."""
        raise NotImplementedError

    def _limits(self) -> Limits:
        """What there is to select."""
        raise NotImplementedError

    def _payload(self) -> Payload | None:
        """The result as it travels; None: there is none."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        displayed(self)
        return super()._repr_mimebundle_(**kwargs)

    def put_down(self) -> None:
        """Take the result out of the page's state: nothing shows it any more."""
        self._put_down = True
        self._result = {}

    def take_up(self) -> None:
        """Give the page the result again."""
        if self._put_down:
            self._put_down = False
            self._give(self._payload())

    def _token_ids(self) -> list[int] | None:
        """Of the prompt that is shown; None without a result."""
        data = self._result.get("header", {}).get("data")
        ids: list[int] | None = data and data["provenance"]["prompts"][0]["token_ids"]
        return ids

    def _give(self, payload: Payload | None) -> None:
        """Let the page have this result, if it has a use for one."""
        if not self._put_down:
            self._result = {**payload} if payload else {}

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        """What the page may ask, by name."""
        return {}

    def _handle_msg(self, msg: Any) -> None:
        if msg["content"]["data"].get("method") == "custom":
            super()._handle_msg(msg)
        else:
            self._home.bring(super()._handle_msg, msg)

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        match content:
            case {"type": "ask", "id": int(), "what": str(), "params": dict()}:
                self._desk.ask(content)
            case {"type": "cancel_ask", "id": int(ask_id)}:
                self._desk.withdraw(ask_id)
            case {"type": "cancel_job"}:
                self.cancel()
            case {"type": "run_job"}:
                self._home.bring(self._run_again)
            case {"type": "need_result"}:
                self._home.bring(self.take_up)
            case {"type": "ack_progress"}:
                self._acknowledged()
            case {"type": "need_bundle", "name": str(name)} if name in get_args(Bundle):
                code = front_end(cast("Bundle", name))
                self._home.bring(self.send, {"type": "bundle", "name": name, "code": code})
            case _:
                super()._handle_custom_msg(content, buffers)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page sent. It may lag behind: a selection out of range is dropped."""
        if "interventions" in sync_data:
            sync_data = {**sync_data, **self._taken(sync_data["interventions"])}
        sent = sync_data.get("selection")
        if sent is not None:
            sync_data = {**sync_data, "selection": within(sent, self._limits())}
        super().set_state(sync_data)
        if sent is not None and sent != self.selection:
            self.send_state("selection")

    def _taken(self, sent: Any) -> dict[str, Any]:
        """Interventions that the page sent; those that are none are shown as an error."""
        try:
            found, as_written = taken(sent)
        except RequestError as error:
            self._last_error = error
            self._error = describe(error)
            found, as_written = self.interventions, False
        if not as_written:
            self._home.soon(self.send_state, "interventions")
        # What is taken as it was sent is not sent back.
        return {} if as_written else {"interventions": found}

    @t.validate("selection")
    def _valid_selection(self, proposal: Any) -> Selection:
        if self._closed:  # one that is linked to it goes on
            return cast("Selection", proposal["value"])
        found = normalise(proposal["value"], self._limits())
        # Where several traits are set together, the trait holds the new value by now.
        self._selected = consistent(found, self._selected)
        return self._selected

    def _answer(self, what: str, params: Params) -> Answering:
        questions = self._questions()
        if what not in questions:
            raise unknown(what, questions)
        return questions[what](params)
