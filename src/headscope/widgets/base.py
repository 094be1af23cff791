"""What every widget is: request traits, one analysis, one result."""

from __future__ import annotations

import dataclasses
import inspect
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Generic, TypeVar, cast

import traitlets as t

from headscope.errors import Cancelled, ModelError, RequestError, ResultError
from headscope.export.slices import Slices, slices_of
from headscope.interventions import Interventions
from headscope.jobs import Job, JobRunner, Step, Steps
from headscope.jobs.steps import stepwise
from headscope.model import LiveModel
from headscope.model.runs import Site
from headscope.results import CircuitGraph, Grid, Patterns, Prompt
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.closed import Closed
from headscope.widgets.effects import Effects, Sides, T
from headscope.widgets.failure import describe
from headscope.widgets.late import at_next_cell
from headscope.widgets.living import register
from headscope.widgets.opened import opened
from headscope.widgets.prompted import PromptedPage
from headscope.widgets.published import PublishedPage
from headscope.widgets.selection import within
from headscope.wire import Payload, encode
from headscope.wire.messages import Effect, JobStatus, Progress, TokenShift

R = TypeVar("R", Grid, Patterns, CircuitGraph)

#: Seconds that the constructor spends on the first result before it leaves the rest to the loop.
#: What is done by then is drawn with the widget, and is in the notebook that nbconvert stores.
FIRST_BUDGET_S = 1.0
_budget: ContextVar[float | None] = ContextVar("budget", default=None)
#: Seconds after which progress that no page acknowledged is sent again all the same.
ACK_PATIENCE_S = 1.0
_SHOWN_CHARACTERS = 40


@contextmanager
def first_budget(seconds: float) -> Iterator[None]:
    """Constructors called within spend so long on their first results."""
    token = _budget.set(seconds)
    try:
        yield
    finally:
        _budget.reset(token)


class HeadscopeWidget(PublishedPage, PromptedPage, Generic[R]):
    """A live view of one analysis of one prompt.

    The first result is computed at once; any change of `prompt` or of a field, in the page or from
    Python, computes a new one on the kernel's own loop, between cells. A newer change takes the
    place of a running computation. `view` holds style options and never computes.

    `selection` is what is pinned: `{"layer", "head", "dest", "src", "token"}`, each None or an
    index, and a name, `component` (`L9H6`, `MLP5`, `L3N17`) or `feature` (`L3F212`), whose layer
    and head it then has. Assigning replaces it, and what is left out is None;
    `widget.selection |= {"head": 3}` changes one field. What the model does not have raises
    `RequestError`. Positions that a new prompt no longer has are dropped.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids, which run as they are until the text is edited.
        selection: What is pinned at first.
        interventions: Changes of the model's computation, where it takes them.
        transcoders: Whose features are clamped or read, where it does that.

    Raises:
        ModelError: The model cannot be used. Whatever can be mended in the page (the prompt, a
            field, a request that asks too much of the model or of the memory) is shown there
            instead, kept at `last_error`, and raised by `run`.
    """

    #: Arguments that are no fields, by name.
    _options: Mapping[str, Any] = {}
    #: Whether its analysis is run with interventions and without; not one that compares by itself.
    has_effects: ClassVar[bool] = True
    #: Whether what it shows with interventions and without has a difference.
    has_difference: ClassVar[bool] = True
    #: Whether the page offers a pause: the computation may take longer than a few seconds.
    pausable: ClassVar[bool] = False

    def __init__(
        self,
        model: Any,
        prompt: Any,
        *,
        selection: Mapping[str, int | str | None] | None = None,
        interventions: Any = None,
        transcoders: Any = None,
        **fields: Any,
    ) -> None:
        live = LiveModel.of(model)
        live.ready()
        self._transcoders = opened(transcoders)
        self._runner = JobRunner()
        self._sides: Sides[R] = Sides()
        self._value: R | None = None
        self._effects: Effects[R] = Effects((None, None), None, None)  # of which it is one
        self._begun_on: Any = None  # state of the model when the current job began
        self._valued_on: Any = None  # and that of the result
        self._edits = 0  # of the prompt and the fields
        self._begun_at = -1  # how many edits the current job has seen
        self._valued_at = -1  # and the result, perhaps a partial one
        self._refreshing = False
        self._silent_until = 0.0
        if self.takes_interventions:
            fields["interventions"] = () if interventions is None else interventions
        super().__init__(live, prompt, selection, _status=_status(0, "idle"), **fields)
        register(self)
        asked = ["prompt", "interventions", *(field["name"] for field in self.fields)]
        self.observe(self._edited, asked)
        self.observe(self._effect_chosen, "effect")
        job = self._begin()
        if job is not None:
            budget = _budget.get()
            job.advance(FIRST_BUDGET_S if budget is None else budget)
            self._runner.start(job, self._home.loop())
        error = self.last_error
        if isinstance(error, ModelError):
            self.close()
            raise error

    # What a subclass adds.

    def _request(self, prompt: Any) -> Any:
        """The analysis's request, from the fields and what the text in the page stands for."""
        raise NotImplementedError

    def _analyse(self, request: Any) -> Steps[R]:
        """The analysis."""
        raise NotImplementedError

    def _as_it_ran(self, request: Any, result: R) -> Any:
        """The request with what it left to the analysis, as that found it."""
        return request

    def _laid_out_as(self, plain: R, acting: R) -> R:
        """The plain result as the one with interventions is laid out."""
        return plain

    @classmethod
    def _reads(cls, model: LiveModel, n_tokens: int, **fields: Any) -> Iterable[Site]:
        """What its analysis, with these fields, asks of a run of the prompt that others share."""
        return ()

    def _besides(self) -> dict[str, Any]:
        """What the call that made the widget had besides its fields, where not by default.

        A prompt is in it if its text does not stand for it.
        """
        prompt = self._prompts.in_code(self.prompt)
        instead: dict[str, Any] = {} if prompt is None else {"prompt": prompt}
        if self._transcoders is not None:
            instead["transcoders"] = self._transcoders.name
        # Of `__init__`, since traitlets may give the class a signature of its own.
        defaults = inspect.signature(type(self).__init__).parameters
        return instead | {
            name: value
            for name, value in self._options.items()
            if name in defaults and value != defaults[name].default
        }

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {
            "pause": lambda _: self._answer_after(self.pause),
            "resume": lambda _: self._answer_after(self.resume),
        }

    # Public.

    @property
    def result(self) -> R:
        """The result for the prompt and the fields as they are now.

        Whatever is still to be computed for them is computed first. Of a cancelled
        computation it is what there was by then, where the analysis gives partial results: their
        `states` say what is known.

        Raises:
            ResultError: The computation was cancelled with nothing to show, or it failed.
        """
        state = self.status["state"]
        pending = self._begun_at != self._edits or state == "running"
        if pending and self.comm is not None and self._home.is_here():
            return self._finished(afresh=False)
        if self._value is None or self._valued_at != self._edits or state in ("running", "error"):
            raise self._no_result() from self.last_error
        return self._value

    @property
    def effects(self) -> Mapping[Effect, R]:
        """The result `with` the interventions, `without` them, and the `difference`.

        `effects["without"]` is the plain model's, whatever is shown; the difference is what the
        interventions add, and is worked out when it is asked for. As `result`, all of it is
        computed first where that is still to be done.

        Raises:
            ResultError: There is no result, or the computation was cancelled before the other one.
        """
        _ = self.result
        if not {"with", "without"} <= {*self._effects}:
            raise ResultError("The computation was cancelled.", "Call widget.run().")
        return self._effects

    @property
    def status(self) -> JobStatus:
        """Where the computation stands, as a dict.

        `state` is `idle`, `running`, `done`, `cancelled` or `error`; `fraction` the share done,
        `eta_s` the seconds left (None while unknown), `message` what is being done, `paused`
        whether it waits (None where the widget has no pause), `job` a number that counts up.
        """
        job = self._runner.job
        return self._status_of(job) if job is not None else cast("JobStatus", dict(self._status))

    def run(self) -> R:
        """Compute now, in this cell or script, and return the result.

        A computation for the same prompt and fields that is already under way is finished rather
        than begun again; otherwise the model really runs, whatever had been cached of it. Costs
        what the analysis says; the page shows progress meanwhile. While a cell runs, the notebook's
        stop button always cancels; the page's own cancel button only where the front end delivers
        messages beside the cell.

        Raises:
            HeadscopeError: What was wrong with the model, the prompt or a field.
            Cancelled: It was cancelled from the page or by `cancel`.
        """
        return self._finished(afresh=True)

    def _finished(self, *, afresh: bool) -> R:
        job = self._runner.job
        if job is None or job.ended or self._begun_at != self._edits:
            if afresh:
                self._forget()
            job = self._begin()
            if job is not None:
                self._runner.start(job, None)
        if job is not None:
            job.resume()
            job.advance()
            if job.state == "cancelled":
                raise Cancelled("The computation was cancelled.", "Call widget.run() again.")
        if self.status["state"] == "error" and self.last_error is not None:
            raise self.last_error
        return self._shown()

    def cancel(self) -> None:
        """Stop the running computation at its next step; the last result, or partial one, stays."""
        job = self._runner.job
        if job is not None:
            job.cancel()
            self._home.bring(job.advance, 0)

    def pause(self) -> None:
        """Leave the running computation where it is; `resume` or `run` goes on with it."""
        if self._runner.job is not None:
            self._runner.job.pause()
            self._status = self._status_of(self._runner.job)

    def resume(self) -> None:
        """Go on with a paused computation."""
        if self._runner.job is not None:
            self._runner.job.resume()
            self._status = self._status_of(self._runner.job)

    def _put_off(self) -> None:
        """Stop computing what is about to be edited; `status` is `idle` until it is."""
        self._runner.discard()
        self._begun_at = -1
        self._status = _status(self._status["job"], "idle")

    def close(self) -> None:
        """Remove the widget from the page, stop its computation and let go of all it holds.

        That is its result, in Python and in the page's state, its last error, and its model, which
        is freed with its cached runs if neither you nor another widget holds it. Until then a
        widget lives on in Python, also when its name is given to another; `hs.close_all()` closes
        every one.

        The notebook needs no call of this to stay small: a widget whose cell is run again, and
        that no other cell or box shows, leaves the page's state, and with it the saved file, but
        for a few kB. Show it again and its result is back.
        """
        if self.comm is None:
            return
        self._runner.discard()
        super().close()
        self._value = None
        self._effects = Effects((None, None), None, None)
        self._sides.forget()
        self._transcoders = None
        self._result = {}
        self._last_error = None  # its traceback would keep the model

    def __repr__(self) -> str:
        if self._closed:
            return f"{type(self).__name__}(closed)"
        shown = self.prompt
        if len(shown) > _SHOWN_CHARACTERS:
            shown = shown[: _SHOWN_CHARACTERS - 1] + "…"
        tokens = "" if self._value is None else f"{len(_ran(self._value).tokens)} tokens, "
        return (
            f"{type(self).__name__}(model={self._model.name!r}, prompt={shown!r}, "
            f"{tokens}{self.status['state']})"
        )

    @property
    def _side(self) -> Effect:
        """Which of its results is shown; one that compares by itself has a single one."""
        return self.effect if self.has_effects else "with"

    def _payload(self) -> Payload | None:
        return None if self._value is None else encode(self._value)

    def _other_effects(self) -> Mapping[Effect, Slices]:
        if self._effects.plan is None:
            return {}
        results = {effect: of for effect, of in self._effects.items() if effect != self._side}
        return {e: slices_of(of, self._shown_view, self.selection) for e, of in results.items()}

    @property
    def _settled(self) -> bool:
        current = self._value is not None and self._valued_at == self._edits
        return current and self.status["state"] in ("done", "cancelled")

    def _shown(self) -> R:
        """The result that the page shows: the last one, while a newer one is computed."""
        if self._value is None:
            raise self._no_result()
        return self._value

    def _unchanged(self, result: R) -> R:
        """`result`, of whose model more is about to be asked.

        Raises:
            ResultError: The model is not as it was then, and would answer about something else.
        """
        if self._model.state() != self._valued_on:
            raise ResultError(
                "The model's weights or hooks have changed since this was computed.",
                "Run it again: widget.run().",
            )
        return result

    def _ask(self, question: Callable[[R], T], less: Callable[[T, T], T] | None = None) -> T:
        """Ask the model about what is shown, on the model as it was computed on; see `Effects`."""
        shown = self._unchanged(self._shown())
        return self._effects.ask(self._side, lambda: question(shown), less)

    # From traits to a job.

    def _edited(self, _change: Any) -> None:
        self._edits += 1
        self._home.bring(self._refresh_soon)

    @t.validate("effect")
    def _valid_effect(self, proposal: Any) -> Effect:
        effect = cast("Effect", proposal["value"])
        if effect == "difference" and not self.has_difference:
            raise RequestError(
                f"{type(self).__name__} shows no difference.", "Choose 'with' or 'without'."
            )
        return effect

    def _effect_chosen(self, _change: Any) -> None:
        self._home.bring(self._show_effect)

    def _show_effect(self) -> None:
        """Show what `effect` says, of what is there already."""
        found = self._effects.shown(self._side)
        if found is not None and found is not self._value and self.comm is not None:
            self._value = found
            self._give(encode(found))

    def _refresh_soon(self) -> None:
        loop = self._home.loop()
        if loop is not None and not self._refreshing:
            self._refreshing = True
            loop.call_soon(self._refresh)

    def _refresh(self) -> None:
        self._refreshing = False
        if self.comm is not None and self._begun_at != self._edits:
            self._restart()

    def _run_again(self) -> None:
        self._forget()
        self._restart()

    def _forget(self) -> None:
        job = self._runner.job
        if job is None or job.state != "cancelled":  # what a cancelled job has done is kept
            self._sides.forget()
            self._model.forget_runs()

    def _restart(self) -> None:
        job = self._begin()
        if job is not None:
            self._runner.start(job, self._home.loop())

    def _begin(self) -> Job[tuple[Effects[R], Payload]] | None:
        """A job for the traits as they are now; None, and the error shown, if they are no good."""
        self._runner.discard()
        self._begun_at = self._edits
        number = self._status["job"] + 1
        try:
            self._model.ready()
            request = self._request(self._prompts.source(self.prompt))
        except Exception as error:
            self._fail(error, number)
            return None
        with self.hold_sync():
            self._last_error = None
            self._error = None
            self._arguments = self._besides()
            self._status = _status(number, "running", paused=False if self.pausable else None)
        steps = self._steps(request, self.interventions if self.has_effects else None)
        return Job(
            stepwise(self._model.at_once, steps),
            on_progress=self._send_progress,
            on_end=self._finish,
        )

    def _steps(
        self, request: Any, interventions: Interventions | None
    ) -> Generator[Step, None, tuple[Effects[R], Payload]]:
        self._begun_on = self._model.state()
        effects = yield from self._sides.steps(
            self._model, request, interventions, self._analyse, self._as_it_ran, self._laid_out_as,
            self._transcoders,
        )  # fmt: skip
        return effects, encode(cast("R", effects.shown(self._side)))

    # From a job to the page.

    def _status_of(self, job: Job[Any]) -> JobStatus:
        number = self._status["job"]
        message = "Paused" if job.paused else job.message
        paused = job.paused if self.pausable else None
        return _status(number, job.state, job.fraction, job.eta_s, message, paused)

    def _send_progress(self, job: Job[Any]) -> None:
        now = time.monotonic()
        if now < self._silent_until:
            return
        self._silent_until = now + ACK_PATIENCE_S
        progress: Progress = {"type": "progress", "status": self._status_of(job)}
        self.send(progress)
        self._take_partial(job)

    def _take_partial(self, job: Job[Any]) -> None:
        effects: Effects[R] | None = job.partial
        if effects is not None:
            found = effects.shown(self._side)
            if found is not None:
                self._take(effects, encode(found))
            job.partial = None

    def _take(self, effects: Effects[R], payload: Payload) -> None:
        self._effects, self._value = effects, effects.shown(self._side)
        self._shifts = [cast("TokenShift", dataclasses.asdict(s)) for s in effects.shifts]
        self._give(payload)
        self._valued_at, self._valued_on = self._begun_at, self._begun_on

    def _acknowledged(self) -> None:
        self._silent_until = 0.0

    def _finish(self, job: Job[tuple[Effects[R], Payload]]) -> None:
        if job.error is not None:
            self._fail(job.error, self._status["job"])
            return
        with self.hold_sync():
            if job.result is None:
                self._take_partial(job)
            else:
                self._take(*job.result)
                self.selection = within(self.selection, self._limits())
            self._last_error = None
            self._error = None
            self._status = self._status_of(job)
        if self._runner.driving and self._status["job"] == 1:
            at_next_cell(self._tell_again)

    def _tell_again(self) -> None:
        if self.comm is not None:
            self.send_state(["_result", "_status"])

    def _fail(self, error: Exception, number: int) -> None:
        with self.hold_sync():
            self._last_error = error
            self._error = describe(error)
            self._status = _status(number, "error")

    def _no_result(self) -> ResultError:
        if self._closed:
            return Closed.error()
        if self.status["state"] == "error":
            return ResultError(
                f"There is no result: {self.last_error}",
                "What is assigned in its place is computed at once; what was mended elsewhere, by "
                "widget.run().",
            )
        if self._begun_at != self._edits:
            why = "The prompt or a field was changed and nothing was computed for it yet."
        else:
            why = f"There is no result: the computation is {self.status['state']}."
        return ResultError(why, "Call widget.run().")

    # Answers.

    @staticmethod
    def _answer_after(do: Callable[[], None]) -> Answer:
        do()
        return Answer()

    def _likeliest(self) -> int | None:
        best = self.result.next_tokens or self.effects["with"].next_tokens
        return best[0].token_id if best else None


def _ran(result: Grid | Patterns | CircuitGraph) -> Prompt:
    return result.provenance.prompts[0]


def _status(
    job: int,
    state: Any,
    fraction: float = 0.0,
    eta_s: float | None = None,
    message: str = "",
    paused: bool | None = None,
) -> JobStatus:
    return {
        "job": job, "state": state, "fraction": fraction, "eta_s": eta_s, "message": message,
        "paused": paused,
    }  # fmt: skip
