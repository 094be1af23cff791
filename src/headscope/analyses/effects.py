"""Effects of patches as a grid: their mean over experiments, each of them, and its interval."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headscope.analyses.contrast import Experiment
from headscope.analyses.experiments import Direction
from headscope.analyses.intervals import RESAMPLES, resampled
from headscope.analyses.map_trials import EXACT, NOT_APPLICABLE, MapTrials
from headscope.analyses.metrics import TITLES, MetricName
from headscope.analyses.trials import Trials
from headscope.results import MEAN, Alignment, Axis, JsonValue, Measure, Prompt, Scale

_SHOWN_CHARACTERS = 40


class EffectGrid:
    """What a grid shows of trials; with several experiments a first axis chooses between them.

    Args:
        trials: The experiments and their cells.
        rows: The rows of the map.
        columns: Its columns.
        chooser: What one of several experiments is called.
        reach: How far the colours of normalised effects reach at least, so that rounding stays pale
            and colours do not jump while the map fills.
    """

    def __init__(
        self,
        trials: MapTrials,
        rows: Axis,
        columns: Axis,
        chooser: str = "pair",
        *,
        reach: float = 0.1,
    ) -> None:
        self._trials = trials
        self._reach = reach
        self.several = len(trials.experiments) > 1
        self.axes: tuple[Axis, ...] = (rows, columns)
        if self.several:
            names = (numbered(i, e.clean) for i, e in enumerate(trials.experiments, 1))
            self.axes = (Axis(chooser, (MEAN, *names)), rows, columns)
        self._shape = tuple(map(len, self.axes))

    @property
    def states(self) -> npt.NDArray[np.uint8]:
        """Of every cell; the mean is as good as the least known of what it is made of."""
        states = self._trials.states
        if self.several:
            states = np.concatenate([_least_known(states)[None], states])
        return states.reshape(self._shape).copy()  # the trials go on writing into theirs

    def measure(
        self,
        name: str,
        title: str,
        unit: str,
        definition: str,
        values: npt.NDArray[np.float64],
        *,
        signed: bool = True,
    ) -> Measure:
        """A measure of values `[experiment, cell]`, NaN where they are not known."""
        shown = np.concatenate([_mean(values)[None], values]) if self.several else values[0]
        return self._measure(name, title, unit, definition, shown, signed)

    def effect(
        self,
        name: str,
        title: str,
        unit: str,
        definition: str,
        change: npt.NDArray[np.float64],
        *,
        signed: bool = True,
    ) -> Measure:
        """A measure of the effects of changes of the metric `[experiment, cell]`.

        The mean is a ratio of means over the experiments in which the cell is known.
        """
        shown = self._trials.effect(change)
        shown = (
            np.concatenate([mean_effect(self._trials, change)[None], shown])
            if self.several
            else shown
        )
        shown = shown if signed else np.abs(shown)
        return self._measure(name, title, unit, definition, shown, True)

    def interval(self, change: npt.NDArray[np.float64], unit: str) -> list[Measure]:
        """The 95 % bootstrap interval of the mean effect, where every experiment is exact.

        Args:
            change: Changes of the metric `[experiment, cell]`.
            unit: Of effects.

        Returns:
            Nothing for a single experiment.
        """
        if not self.several:
            return []
        n, made = len(change), []
        ends = bootstrap(self._trials, change)
        for name, title, end in zip(("low", "high"), ("Low", "High"), ends, strict=True):
            bound = np.concatenate([end[None], np.full(change.shape, np.nan)])
            definition = (
                f"{title} end of the 95 % percentile bootstrap interval of the mean effect "
                f"({RESAMPLES:,} resamples of the {n} experiments)."
            )
            title = f"{title} end of interval"
            made.append(self._measure(name, title, unit, definition, bound, True))
        return made

    def _measure(
        self,
        name: str,
        title: str,
        unit: str,
        definition: str,
        values: npt.NDArray[np.float64],
        signed: bool,
    ) -> Measure:
        shaped = values.reshape(self._shape).astype(np.float32)
        reach = self._reach if self._trials.normalises else 0.0
        scale = Scale.diverging(np.append(shaped, reach)) if signed else _scale_of(shaped)
        return Measure(name, title, unit, definition, shaped, scale)


def mean_effect(trials: MapTrials, change: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean effect `[cell]` of changes of the metric `[experiment, cell]`, NaN where unknown.

    A ratio of means, over the experiments in which the cell is known.
    """
    known, each = ~np.isnan(change), np.ones(len(change))
    if trials.normalises:
        each = trials.source_metric - trials.plain_metric
    divisor = each @ known
    total: npt.NDArray[np.float64] = np.where(known, change, 0.0).sum(0)
    return total / np.where(divisor == 0, np.nan, divisor)


def bootstrap(trials: MapTrials, change: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The 95 % percentile bootstrap interval of the mean effect, `[2, cell]`: low and high.

    NaN where a cell is not known in every experiment.

    Args:
        trials: The experiments.
        change: Changes of the metric `[experiment, cell]`.
    """
    weights = resampled(len(change), trials.seed)
    means = weights @ change
    if trials.normalises:
        scale = weights @ (trials.source_metric - trials.plain_metric)
        means = means / np.where(scale == 0, np.nan, scale)[:, None]
    found = np.full((2, change.shape[1]), np.nan)
    known = ~np.isnan(means).any(0)
    found[:, known] = np.percentile(means[:, known], (2.5, 97.5), axis=0)
    return found


def numbered(number: int, prompt: Prompt) -> str:
    """One prompt of several, as an axis names it."""
    text = prompt.text or "".join(prompt.tokens)
    cut = text[: _SHOWN_CHARACTERS - 1] + "…"
    return f"{number}: {text if len(text) <= _SHOWN_CHARACTERS else cut}"


def into_and_from(direction: Direction) -> tuple[str, str]:
    """What the run patched into and the run patched from are called."""
    return ("corrupted", "clean") if direction == "denoising" else ("clean", "corrupted")


def normalised(metric: MetricName, direction: Direction) -> str:
    """How an effect is normalised, in a sentence."""
    into, source = into_and_from(direction)
    return (
        f"Change of the {TITLES[metric].lower()} by the patch, divided by the difference of the "
        f"two runs: 0 is the {into} run (patched into), 1 the {source} run (patched from)."
    )


def alignment(
    trials: Trials, direction: Direction, given: Sequence[int] | None
) -> Alignment | None:
    """How the prompts of a single pair meet."""
    if len(trials.experiments) > 1:
        return None
    shown = 1 if direction == "denoising" else 0
    return Alignment(trials.experiments[0].aligned, shown, given is not None)


def prompts(trials: Trials) -> tuple[Prompt, ...]:
    """Clean and corrupted prompt of each pair; without a source run the prompts alone."""
    ran = _by_pair(trials)
    if all(e.base is e.source for e in ran):
        return tuple(e.clean for e in ran)
    found = []
    for e in ran:
        found += [e.clean, e.base if e.source is e.clean else e.source]
    return tuple(found)


def answers(trials: Trials) -> dict[str, JsonValue]:
    """Answer and wrong answer of the first pair, as texts and as ids; of all pairs as JSON."""
    metric, text = trials.experiments[0].metric, trials.model.token_text
    found: dict[str, JsonValue] = {}
    for name, ids in (("answer", metric.answer), ("wrong", metric.wrong)):
        found[name] = "".join(map(text, ids)) if ids else None
        found[f"{name}_ids"] = ids
    ran = _by_pair(trials)
    if len(ran) > 1:
        found["answers"] = json.dumps([[e.metric.answer, e.metric.wrong] for e in ran])
    return found


def answer_notes(trials: Trials) -> list[str]:
    """Which of the first pair's answers are several tokens, and that they are scored as a whole."""
    metric, text = trials.experiments[0].metric, trials.model.token_text
    return [
        f"{''.join(map(text, ids))!r} is {len(ids)} tokens: "
        f"{', '.join(repr(text(i)) for i in ids)}. Scored as a whole, each given those before it."
        for ids in (metric.answer, metric.wrong)
        if len(ids) > 1
    ]


def _by_pair(trials: Trials) -> Sequence[Experiment]:
    """The first experiment of each pair: of noise there are several."""
    return trials.experiments[:: len(trials.experiments) // trials.n_pairs]


def notes(trials: MapTrials) -> list[str]:
    """What a reader should know about positions, and about how the runs were computed."""
    first = trials.experiments[0]
    into = "clean" if first.base is first.clean else "corrupted"
    found = answer_notes(trials)
    found.append(f"Positions are those of the {into} prompt, which is patched into.")
    unmatched = sum(int((e.aligned < 0).sum()) for e in trials.experiments)
    if unmatched:
        found.append(f"{unmatched} tokens meet none of the other prompt and are not patched.")
    missing = trials.states == NOT_APPLICABLE
    if (missing.any(0) & ~missing.all(0)).any():
        found.append(
            "Some cells are not applicable to some of the pairs: there the mean effect and the "
            "difference that it is divided by are those of the other pairs."
        )
    if trials.shortcuts is not None and not trials.shortcuts.layers:
        found.append(
            "This model cannot be started in the middle (hooks of yours, interventions, several "
            "devices, or an architecture of its own): every patched run was computed from its "
            "tokens up."
        )
    return found


def _scale_of(values: npt.NDArray[np.float32]) -> Scale:
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() < 0:
        return Scale.diverging(values)
    return Scale.sequential(values)


def _mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over experiments of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(0)
    count = known.sum(0)
    mean: npt.NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _least_known(states: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    ranked = np.where(states == NOT_APPLICABLE, EXACT + 1, states)
    least = ranked.min(0)
    found: npt.NDArray[np.uint8] = np.where(least > EXACT, NOT_APPLICABLE, least).astype(np.uint8)
    return found
