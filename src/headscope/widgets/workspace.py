"""Views of one prompt in one widget: made when they are opened, told one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses.predictions import shifts
from headscope.errors import HeadscopeError, RequestError, ResultError
from headscope.export.frozen import Snapshot
from headscope.jobs.runner import CHUNK_S
from headscope.model import LiveModel
from headscope.model.intervening import plan
from headscope.model.runs import Site
from headscope.widgets.base import FIRST_BUDGET_S, HeadscopeWidget, first_budget
from headscope.widgets.closed import Closed
from headscope.widgets.code import code_of, literal
from headscope.widgets.failure import describe
from headscope.widgets.linking import link, unlink
from headscope.widgets.living import register
from headscope.widgets.opened import opened
from headscope.widgets.page import synced
from headscope.widgets.pairs import PROMPT_FIELDS, field
from headscope.widgets.panes_page import PanesPage, pane
from headscope.widgets.prompt import PromptSource
from headscope.widgets.prompted import PromptedPage
from headscope.widgets.selection import within
from headscope.widgets.turns import Turns
from headscope.wire.messages import Common, Effect, FieldSpec

_ENDED = ("done", "cancelled", "error")
#: What views call the answers that are given once for all of them.
_ANSWERS: Mapping[str, tuple[str, ...]] = {"answer": ("answer", "target"), "wrong": ("wrong",)}
#: What a view has in common with the others.
_COMMON = frozenset({"prompt", "corrupted", "interventions", "effect", "selection"})
_EMPTY = ("", None)
_WAYS = {
    "corrupted": 'Set explorer.corrupted = "...".',
    "transcoders": "Pass them: hs.Explorer(model, prompt, transcoders=...).",
}


@dataclass(frozen=True)
class View:
    """A view of a prompt.

    Args:
        title: Of its pane.
        widget: What is in the pane.
        needs: Without which there is no pane: `corrupted` or `transcoders`.
        takes: What else it can do something with.
    """

    title: str
    widget: type[HeadscopeWidget[Any]]
    needs: str = ""
    takes: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether it is given this."""
        return name in (self.needs, *self.takes)


class Workspace(PanesPage, PromptedPage):
    """Views of one prompt, which follow its edits: the open ones, those in sight first.

    Args:
        model: A `TransformerBridge`.
        prompt: Text, or token ids.
        corrupted: What it is set against, for views that need it.
        transcoders: For views that need them.
        interventions: Changes of the model's computation.
        answer: The answer that views are told, each until it is given its own.
        wrong: Likewise what the answer is set against.
        selection: What is pinned at first.
        view: The layout.
    """

    takes_interventions = True
    fields: ClassVar[tuple[FieldSpec, ...]] = (
        PROMPT_FIELDS[0],
        field("answer", "Answer", "token", "In every view that has one; empty: each view's own."),
        field("wrong", "Wrong", "token", "Likewise, what the answer is set against."),
    )
    #: The views by name, in the order of their making.
    views: ClassVar[Mapping[str, View]] = {}

    corrupted: str = synced(t.Unicode(""))
    answer: str | int | None = synced(t.Union([t.Unicode(), t.Int()], allow_none=True))
    wrong: str | int | None = synced(t.Union([t.Unicode(), t.Int()], allow_none=True))
    _workspace: Common = synced(t.Dict())

    def __init__(
        self,
        model: Any,
        prompt: Any,
        corrupted: Any,
        transcoders: Any,
        interventions: Any,
        answer: str | int | None,
        wrong: str | int | None,
        selection: Mapping[str, Any] | None,
        view: Mapping[str, Any],
    ) -> None:
        live = LiveModel.of(model)
        live.ready()
        self._transcoders = opened(transcoders)
        self._layout = dict(view)
        self._corrupted = PromptSource(live)
        self._made: dict[str, HeadscopeWidget[Any]] = {}
        #: What may be assigned to a view, as it is unless somebody did.
        self._plain: dict[HeadscopeWidget[Any], dict[str, Any]] = {}
        self._failed: dict[str, int] = {}  # at which edit a view could not be made
        self._edits = 0
        self._in_sight: tuple[str, ...] = ()
        self._telling = False
        super().__init__(
            live,
            prompt,
            selection,
            corrupted="" if corrupted is None else self._corrupted.read(corrupted),
            interventions=() if interventions is None else interventions,
            answer="" if answer is None else answer,
            wrong="" if wrong is None else wrong,
            view=view,
            _workspace={"undo": 0, "redo": 0, "ran": None},
        )
        register(self)
        self._turns = Turns(self._home, self._behind, self._begin)
        self._offer()
        self._arguments = self._besides()
        self.observe(
            self._edited, ["prompt", "interventions", *(field["name"] for field in self.fields)]
        )
        self.observe(self._effect_chosen, "effect")
        self.observe(lambda _: self._home.bring(self._look), "view")
        self._first_until = time.monotonic() + FIRST_BUDGET_S
        self._turns.take()
        self._say()

    def close(self) -> None:
        """Remove the widget from the page, close every view, and let go of the model."""
        if self.comm is None:
            return
        views, self._made, self._plain = list(self._made.values()), {}, {}
        unlink(self, *views)
        super().close()
        for view in views:
            view.close()
        self._panes, self._children = [], []
        self._workspace = {**self._workspace, "ran": None}
        self._transcoders = None
        self._last_error = None  # its traceback would keep the model
        self._corrupted = PromptSource(self._model)

    # Making views.

    def _offered(self) -> list[str]:
        """The views that there is all for."""
        there = {"": True, "corrupted": self.corrupted, "transcoders": self._transcoders}
        return [name for name, view in self.views.items() if there[view.needs]]

    def _offer(self) -> None:
        """Let the page have a pane for each of them."""
        shown = {one["name"]: one for one in self._panes}
        self._panes = [
            shown.get(name, pane(name, self._title(name), self._made.get(name)))
            for name in self._offered()
        ]
        self._fields = [
            field for field in self.fields if field["name"] != "corrupted" or self.corrupted
        ]

    def _title(self, name: str) -> str:
        """What a pane is called: it says so where its view shows something else than is chosen."""
        view = self.views[name]
        if not (self.interventions and self.interventions.active):
            return view.title
        if not view.widget.takes_interventions:
            return f"{view.title}, without interventions"
        if self._effect_of(view.widget) != self.effect:
            return f"{view.title}, with interventions"
        return view.title

    def _effect_of(self, view: HeadscopeWidget[Any] | type[HeadscopeWidget[Any]]) -> Effect:
        """What a view shows: with interventions, where it has no difference."""
        lacking = self.effect == "difference" and not view.has_difference
        return "with" if lacking else self.effect

    def _name_panes(self) -> None:
        self._panes = [{**one, "title": self._title(one["name"])} for one in self._panes]

    def _open(self) -> list[str]:
        return [name for name in self._offered() if not self._is_collapsed(name)]

    def _current(self, name: str) -> Any:
        """A view, told of what everything is about now.

        Raises:
            RequestError: It needs something that there is not.
            ResultError: The widget is closed.
        """
        if self._closed:
            raise Closed.error()
        if name not in self._offered():
            view = self.views[name]
            raise RequestError(f"{view.title} needs {view.needs}.", _WAYS[view.needs])
        if name not in self._made:
            self._make(name)
        self._tell(self._made[name])
        return self._made[name]

    def _make(self, name: str) -> None:
        """Make a view; where that fails, its pane says why.

        Raises:
            Exception: Why.
        """
        try:
            view = self._opened(name)
        except Exception as error:
            self._failed[name] = self._edits
            self._last_error = error
            self._put(name, error=describe(error))
            raise
        self._add(name, view)

    def _opened(self, name: str) -> HeadscopeWidget[Any]:
        kind: Any = self.views[name].widget
        options: dict[str, Any] = {"selection": within(self.selection, self._limits())}
        if self.views[name].has("corrupted") and self.corrupted:
            options["corrupted"] = self._corrupted.source(self.corrupted)
        if self.views[name].has("transcoders") and self._transcoders is not None:
            options["transcoders"] = self._transcoders
        if kind.takes_interventions:
            options["interventions"] = self.interventions
        answers = self._answers(kind)
        options |= {name: value for name, value in answers.items() if value not in _EMPTY}
        # What is made between cells takes no longer than a chunk.
        with first_budget(max(self._first_until - time.monotonic(), CHUNK_S)):
            made: HeadscopeWidget[Any] = kind(
                self._model, self._prompts.source(self.prompt), **options
            )
        return made

    def _add(self, name: str, view: HeadscopeWidget[Any]) -> None:
        traits = ["prompt"]
        if self.views[name].has("corrupted"):
            traits += ["corrupted"]
        if view.takes_interventions:
            view.effect = self._effect_of(view)
            traits += ["interventions", "effect"]
        self._made[name] = view
        own = {trait: getattr(view, trait) for trait in view._assigned() - _COMMON}
        self._plain[view] = own | self._answers(view)
        self._children = list(self._made.values())
        link(self, view)
        view.observe(lambda _: self._lost(name, view), "comm")
        view.observe(lambda _: self._heard(name), ["_status", "_result"])
        view.observe(self._follow, traits)
        self._put(name, widget=view, error=None)
        self._heard(name)

    def _put(self, name: str, **change: Any) -> None:
        self._panes = [{**one, **change} if one["name"] == name else one for one in self._panes]

    def _ready(self, name: str) -> HeadscopeWidget[Any] | None:
        if not self._is_collapsed(name):
            return cast("HeadscopeWidget[Any]", self._current(name))
        view = self._made.get(name)
        return view if view is not None and self._is_told(view) else None

    def to_code(self) -> str:
        """The Python that makes this widget as it is shown; names the model as `model`.

        Raises:
            ResultError: No view has a result yet.
        """
        results = (view.result for view in self._made.values() if view._settled)
        result = next(results, None)
        if result is None:
            raise ResultError("No view has a result yet.", "Call explorer.run().")
        shown = self._snapshot()
        changed = {} if shown["view"] == self._layout else shown["view"]
        return code_of({**shown, "view": changed}, result) + "".join(self._assignments())

    def _assignments(self) -> Iterator[str]:
        """Lines that give its views what was assigned to them alone."""
        for name in self._offered():
            view = self._made.get(name)
            if view is None:
                continue
            fields = [field["name"] for field in view.fields]  # before what depends on them
            for trait in sorted(self._plain[view], key=lambda of: (of not in fields, of)):
                value, plain = getattr(view, trait), self._plain[view][trait]
                if value != plain and not (value in _EMPTY and plain in _EMPTY):
                    yield f"widget.{name}.{trait} = {literal(value)}\n"

    def _snapshot(self) -> Snapshot:
        return {**super()._snapshot(), "fields": self._fields}

    def _besides(self) -> dict[str, Any]:
        """What texts in the page stand for, and other arguments."""
        given = {
            "prompt": self._prompts.in_code(self.prompt),
            "corrupted": self._corrupted.in_code(self.corrupted),
            "transcoders": self._transcoders and self._transcoders.name,
        }
        return {name: value for name, value in given.items() if value is not None}

    # Whose turn it is.

    def _behind(self) -> list[str]:
        """The open views that are about something else; none where the prompt cannot run."""
        if self._closed or self._refused():
            return []
        behind = [name for name in self._open() if self._is_behind(name)]
        self._expect(behind)
        for name in behind:
            if name in self._made:
                self._made[name]._put_off()
        return sorted(behind, key=lambda name: name not in self._in_sight)

    def _expect(self, names: Sequence[str]) -> None:
        """Let one run of the prompt serve all that these views ask of it."""
        ids = self._prompts.tokenize(self.prompt).token_ids
        sites: dict[Site, None] = {}
        for name in names:
            kind, made = self.views[name].widget, self._made.get(name)
            fields = [] if made is None else [field["name"] for field in made.fields]
            values = {field: getattr(made, field) for field in fields}
            with suppress(HeadscopeError):  # what is wrong, the view itself says
                sites |= dict.fromkeys(kind._reads(self._model, len(ids), **values))
        self._model.expect(ids, sites)

    def _is_behind(self, name: str) -> bool:
        if name in self._made:
            view = self._made[name]
            # One that was put off has yet to begin, also where the edit was taken back.
            return not self._is_told(view) or view._status["state"] == "idle"
        return self._failed.get(name) != self._edits

    def _begin(self, name: str) -> bool:
        if name in self._made:
            self._tell(self._made[name])
            self._made[name]._refresh_soon()
            return True
        try:
            self._make(name)
        except Exception:  # its pane says why
            return False
        return self._made[name].status["state"] not in _ENDED

    def _refused(self) -> HeadscopeError | None:
        """Why a prompt cannot run: the page says so once, not in each pane."""
        try:
            self._prompts.tokenize(self.prompt)
            if self.corrupted:
                self._corrupted.tokenize(self.corrupted)
        except HeadscopeError as error:
            self._last_error, self._error = error, describe(error)
            return error
        self._error = None
        return None

    def _look(self) -> None:
        self._turns.look()
        self._say()

    def _say(self) -> None:
        """Tell the page how far everything is."""
        if self._closed:
            return
        names, now = self._open(), self._turns.now
        left = [name for name in names if self._is_behind(name) or self._is_at_it(name)]
        state: Any = "error" if self._error else "running" if left else "done"
        self._status = {
            "job": self._edits, "state": state, "eta_s": None, "paused": None,
            "fraction": 1 - len(left) / len(names) if left else 1.0,
            "message": self.views[now].title if now else "",
        }  # fmt: skip

    def _is_at_it(self, name: str) -> bool:
        running = name in self._made and self._made[name].status["state"] == "running"
        return running or name == self._turns.now

    # Between this widget and its views.

    def _takes_corrupted(self, view: HeadscopeWidget[Any]) -> bool:
        # Not by type: a widget's class may have become one of its own.
        kinds = [one.widget for one in self.views.values() if one.has("corrupted")]
        return isinstance(view, tuple(kinds))

    def _answers(self, view: Any) -> dict[str, Any]:
        """What the fields of a view are to be of which all views are told."""
        has = {field["name"] for field in view.fields}
        named = ((own, name) for name, names in _ANSWERS.items() for own in names if own in has)
        return {own: getattr(self, name) for own, name in named}

    def _is_told(self, view: Any) -> bool:
        """Whether a view is about what this widget is about."""
        told = self._plain[view]
        if any(told[name] != value for name, value in self._answers(view).items()):
            return False
        same: bool = view._prompts.source(view.prompt) == self._prompts.source(self.prompt)
        if self._takes_corrupted(view):
            other = self._corrupted.source(self.corrupted)
            same = same and view._corrupted.source(view.corrupted) == other
        if view.takes_interventions:
            same = same and view.interventions == self.interventions
        return same

    def _tell(self, view: Any) -> None:
        """Let it be so; what has changed, the view computes by itself."""
        if self._is_told(view):
            return
        with self._silently():
            view._take_prompt(self._prompts.source(self.prompt))
            if self._takes_corrupted(view):
                view.corrupted = view._corrupted.read(self._corrupted.source(self.corrupted))
            if view.takes_interventions:
                view.interventions = self.interventions
            told = self._plain[view]
            for name, value in self._answers(view).items():
                if told[name] != value:
                    told[name] = value
                    setattr(view, name, value)

    @contextmanager
    def _silently(self) -> Iterator[None]:
        """What changes in a view within is this widget's own doing."""
        before, self._telling = self._telling, True
        try:
            yield
        finally:
            self._telling = before

    def _follow(self, change: Any) -> None:
        """A view was edited itself: so is everything."""
        if self._telling or self._closed:
            return
        name, view = change["name"], change["owner"]
        if name == "prompt":
            self._take_prompt(view._prompts.source(view.prompt))
        elif name == "corrupted":
            self.corrupted = self._corrupted.read(view._corrupted.source(view.corrupted))
        else:
            setattr(self, name, change["new"])

    def _lost(self, name: str, view: HeadscopeWidget[Any]) -> None:
        """A view was closed: so is its pane, which makes another one when it is opened."""
        if view.comm is not None or view._is_late or self._made.get(name) is not view:
            return
        del self._made[name], self._plain[view]
        self._children = list(self._made.values())
        unlink(view)
        self._put(name, widget=None)
        if not self._is_collapsed(name):
            self.view = {**self.view, "collapsed": [*(self.view.get("collapsed") or ()), name]}
        self._turns.ended(name)
        self._say()

    def _heard(self, name: str) -> None:
        """A view has come further."""
        view = self._made.get(name)
        if view is None:
            return
        if view._result and self._is_told(view):
            data = view._result["header"]["data"]
            ran = {key: data[key] for key in ("provenance", "next_tokens")}
            self._workspace = {**self._workspace, "ran": ran}
            if _has_shifts(view):
                self._shifts = list(view._shifts)
        if view.status["state"] in _ENDED:
            self._turns.ended(name)
        self._say()

    def _edited(self, change: Any) -> None:
        self._edits += 1
        self._arguments = self._besides()
        name = "prompt" if change is None else change["name"]
        if name == "corrupted":
            self._offer()
        if name == "interventions":
            self._name_panes()
        if name == "prompt" or not any(_has_shifts(self.views[one].widget) for one in self._open()):
            self._shifts = []
        self._home.bring(self._look)

    def _effect_chosen(self, _change: Any) -> None:
        with self._silently():
            for view in self._made.values():
                if view.takes_interventions:
                    view.effect = self._effect_of(view)
        self._name_panes()

    def _run_again(self) -> None:
        for name in self._open():
            if name in self._made:
                self._made[name]._run_again()

    def _likeliest(self) -> int | None:
        if self.interventions.active:
            ids = self._prompts.tokenize(self.prompt).token_ids
            acting = plan(self._model, self.interventions.active, self._transcoders)
            return max(shifts(acting, ids), key=lambda shift: shift.after).token_id
        ran = self._workspace["ran"]
        return ran["next_tokens"][0]["token_id"] if ran and ran["next_tokens"] else None

    def _token_ids(self) -> list[int] | None:
        ran = self._workspace["ran"]
        return cast("list[int]", ran["provenance"]["prompts"][0]["token_ids"]) if ran else None


def _has_shifts(view: HeadscopeWidget[Any] | type[HeadscopeWidget[Any]]) -> bool:
    """Whether it tells the next tokens with interventions and without."""
    return view.takes_interventions and view.has_effects
