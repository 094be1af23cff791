"""`Explorer`: one prompt in every view, with one selection and one list of interventions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

from headscope.arguments import checked
from headscope.errors import Cancelled, HeadscopeError, ResultError
from headscope.results import Result
from headscope.widgets.activation_patching import ActivationPatching
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.attention import AttentionPatterns
from headscope.widgets.attribution_graph import AttributionGraph
from headscope.widgets.circuit_discovery import CircuitDiscovery
from headscope.widgets.closed import Closed
from headscope.widgets.failure import describe
from headscope.widgets.history import History, Moment
from headscope.widgets.intervene import Intervene
from headscope.widgets.logit_attribution import LogitAttribution
from headscope.widgets.logit_lens import LogitLens
from headscope.widgets.selection import within
from headscope.widgets.self_repair import SelfRepair
from headscope.widgets.workspace import View, Workspace

#: What may take long waits until somebody opens it.
_COLLAPSED = ("repair", "circuit", "features")
_COLUMNS = (
    ("next_token", "lens", "attribution", "repair"),
    ("attention", "patching", "circuit", "features"),
)


class Explorer(Workspace):
    """One prompt in every view, live: find, look, change, and see the consequence.

    One selection and one list of interventions for all: what is chosen in one view is chosen in the
    others, and a change of the model's computation is shown by each. An edit computes again only
    what is open, what is in sight first, one view after the other; a view that is opened later is
    brought up to date then. Views share one cached run of the prompt.

    Each view is a widget that can be shown alone: `next_token`, `lens`, `attention`, `attribution`,
    `repair`, `patching` and `circuit` (with a corrupted prompt), `features` (with transcoders). It
    is made when its pane is first opened, or when it is asked for here.

    `view` holds the layout: `columns` (names of views, from top to bottom), `shares` (of the
    width), `collapsed` (names), `heights` (in pixels).

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        corrupted: What the prompt is set against, for patching and circuits: text or token ids.
        transcoders: For features: from `hs.load_transcoders`.
        interventions: Changes of the model's computation: `hs.Interventions()`, or a list of their
            JSON.
        answer: The answer in every view that has one, text or id. A view that is given its own
            keeps it until this one is changed. By default each view's own, the top prediction.
        wrong: Likewise what the answer is set against, where a view has that.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> pair = hs.demo.prompts["ioi"][0]
        >>> explorer = hs.Explorer(hs.load_demo(), pair.clean, pair.corrupted)
        >>> explorer.interventions = hs.Interventions().zero("L3H1")
        >>> explorer.undo()
    """

    views: ClassVar[Mapping[str, View]] = {
        "attention": View("Attention", AttentionPatterns, takes=("transcoders",)),
        "next_token": View("Next token", Intervene, takes=("corrupted", "transcoders")),
        "lens": View("Lens", LogitLens, takes=("transcoders",)),
        "attribution": View("Attribution", LogitAttribution, takes=("transcoders",)),
        "repair": View("Self-repair", SelfRepair, takes=("transcoders",)),
        "patching": View("Patching", ActivationPatching, "corrupted", takes=("transcoders",)),
        "circuit": View("Circuit", CircuitDiscovery, "corrupted"),
        "features": View("Features", AttributionGraph, "transcoders"),
    }

    @checked
    def __init__(
        self,
        model: Any,
        prompt: Any,
        corrupted: Any = None,
        transcoders: Any = None,
        *,
        interventions: Any = None,
        answer: str | int | None = None,
        wrong: str | int | None = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        layout = {
            "columns": [list(column) for column in _COLUMNS],
            "collapsed": list(_COLLAPSED),
        }
        super().__init__(
            model, prompt, corrupted, transcoders, interventions, answer, wrong, selection, layout
        )
        self._history = History(self._moment())
        self.observe(self._stepped, ["selection", "interventions"])

    # The views, each a widget of its own.

    @property
    def next_token(self) -> Intervene:
        """What the interventions do to the prediction."""
        return cast("Intervene", self._current("next_token"))

    @property
    def lens(self) -> LogitLens:
        """What the model would predict at each layer."""
        return cast("LogitLens", self._current("lens"))

    @property
    def attention(self) -> AttentionPatterns:
        """Where every head looks."""
        return cast("AttentionPatterns", self._current("attention"))

    @property
    def attribution(self) -> LogitAttribution:
        """What each component adds to the answer's logit."""
        return cast("LogitAttribution", self._current("attribution"))

    @property
    def repair(self) -> SelfRepair:
        """What later layers restore of what a head did, when it is ablated."""
        return cast("SelfRepair", self._current("repair"))

    @property
    def patching(self) -> ActivationPatching:
        """What activations of the clean prompt do in the corrupted one."""
        return cast("ActivationPatching", self._current("patching"))

    @property
    def circuit(self) -> CircuitDiscovery:
        """Which edges between components carry the answer."""
        return cast("CircuitDiscovery", self._current("circuit"))

    @property
    def features(self) -> AttributionGraph:
        """Which features carry the answer, in the model with transcoders in its MLPs' place."""
        return cast("AttributionGraph", self._current("features"))

    # Public.

    def run(self) -> dict[str, Result]:
        """Compute what every open view still has to; their results by name.

        A view that fails shows its error in its pane, and the others go on.

        Raises:
            HeadscopeError: What was wrong with the prompt, or with the first view that failed.
        """
        refusal = Closed.error() if self._closed else self._refused()
        if refusal is not None:
            raise refusal
        found: dict[str, Result] = {}
        failed: dict[str, Exception] = {}
        for name in self._open():
            try:
                view = self._current(name)
                again = view.status["state"] in ("cancelled", "error")
                found[name] = view.run() if again else view.result
            except Cancelled:  # noqa: PERF203  # each is tried
                raise
            except Exception as error:
                failed[name] = error
        if failed:
            name, self._last_error = next(iter(failed.items()))
            raise _of_view(self.views[name].title, self._last_error) from self._last_error
        return found

    def undo(self) -> None:
        """Take the last change of selection or interventions back; without one, do nothing."""
        self._travel(self._history.undo())

    def redo(self) -> None:
        """Do again what was undone last; without that, do nothing."""
        self._travel(self._history.redo())

    def __repr__(self) -> str:
        if self._closed:
            return "Explorer(closed)"
        return f"Explorer(model={self._model.name!r}, prompt={self.prompt!r}, {[*self._made]})"

    # Back and forth.

    def _moment(self) -> Moment:
        return Moment(dict(self.selection), self.interventions, self.prompt)

    def _stepped(self, _change: Any) -> None:
        if not self._closed:
            self._history.record(self._moment())
            self._count()

    def _travel(self, moment: Moment | None) -> None:
        if moment is None:
            return
        self.unobserve(self._stepped, ["selection", "interventions"])
        try:
            self.interventions = moment.interventions
            self.selection = within(moment.selection, self._limits())
        finally:
            self.observe(self._stepped, ["selection", "interventions"])
        self._count()

    def _count(self) -> None:
        undo, redo = self._history.behind, self._history.ahead
        self._workspace = {**self._workspace, "undo": undo, "redo": redo}

    # Answers.

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {
            "undo": lambda _: self._answer_after(self.undo),
            "redo": lambda _: self._answer_after(self.redo),
            "sight": self._answer_sight,
        }

    @staticmethod
    def _answer_after(do: Callable[[], None]) -> Answer:
        do()
        return Answer()

    def _answer_sight(self, params: Params) -> Answer:
        self._in_sight = tuple(map(str, params["names"]))
        return Answer()


def _of_view(title: str, error: Exception) -> HeadscopeError:
    """A view's error, which says whose it is."""
    message = f"{title}: {describe(error)['message']}"
    if isinstance(error, HeadscopeError):
        return type(error)(message, error.hint)
    return ResultError(message, "The traceback: explorer.last_error.")
