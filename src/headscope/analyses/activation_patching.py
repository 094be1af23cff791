"""Activation patching: put part of one run into another, and see what becomes of a metric.

The run patched into is the base, the run that patches come from the source. `denoising` patches
from the clean run into the corrupted one (which parts suffice to bring the answer back), `noising`
from the corrupted run into the clean one (which parts are needed). With m the metric,

    effect(cell) = (m(patched) - m(base)) / (m(source) - m(base))

so that 0 is the run patched into and 1 the run patched from. For a set of pairs numerator and
denominator are means over the set, and the 95 % interval is a bootstrap over its pairs. Ablations
(zero, mean over positions) have no source run: there the effect is m(patched) - m(base), in the
metric's unit. The noise source is causal tracing (Meng et al. 2022): the base is the clean prompt
with Gaussian noise on its embeddings, the source the clean run, averaged over samples of noise.

Every cell is first estimated by attribution patching (`attribution_patching`), then computed
exactly, those with the largest estimates first (`model.patching`). What has been computed is kept
as the final residual stream of each patched run, so another metric or answer only reads it again.

Sources: Vig et al. 2020; Meng et al. 2022; Zhang & Nanda 2024, "Towards Best Practices of
Activation Patching"; Heimersheim & Nanda 2024, "How to use and interpret activation patching".
Cost: two forward passes and a backward one, then for each cell the blocks from the patched one up,
at positions from the patched one on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from headscope.analyses.metrics import TITLES, UNITS
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.analyses.patching_study import EXACT, NOT_APPLICABLE, WAITING, Study
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.model.sites import SITES
from headscope.results import Alignment, Axis, Grid, Measure, Prompt, Provenance, Scale, Term

__all__ = ["ActivationPatchingRequest", "Study", "grid", "run", "steps"]

_PARTIAL_S = 0.25
_RESAMPLES = 1000


def run(model: LiveModel, request: ActivationPatchingRequest) -> Steps[Grid]:
    """Compute the map as a `Grid`; `states` says which cells are estimated and which are exact.

    Raises:
        ModelError: The model is not ready, or its logits are not finite.
        PromptError: A prompt or an answer cannot be used.
        RequestError: The request contradicts itself, or there is nothing to normalise by.
    """
    return (yield from steps(Study(model, request)))


def steps(study: Study) -> Steps[Grid]:
    """Everything that `run` does, on a study that others may look into meanwhile."""
    yield Step(0.0, "Reading the prompts")
    for done in _on_one_model(study, study.prepare()):
        yield Step(0.01 * done, "Reading the prompts")
    for done in _on_one_model(study, study.record()):
        yield Step(0.01 + 0.04 * done, "Running the prompts")
    for done in _on_one_model(study, study.estimate()):
        yield Step(0.05 + 0.05 * done, "Estimating every cell")
    shown = time.perf_counter()
    yield Step(0.1, "", grid(study))
    if study.request.exact:
        yield Step(0.1, study.forecast())
        for done in _on_one_model(study, study.compute()):
            partial = None
            if time.perf_counter() - shown > _PARTIAL_S:
                partial, shown = grid(study), time.perf_counter()
            yield Step(0.1 + 0.9 * done, study.outlook(), partial)
    return grid(study)


def _on_one_model(study: Study, progress: Iterator[float]) -> Iterator[float]:
    """`progress`, until the model is changed between two of its steps."""
    while True:
        with study.model.own_hooks():
            done = next(progress, None)
        if done is None:
            return
        yield done
        study.check_unchanged()


def grid(study: Study) -> Grid:
    """The map as it is known now.

    With several experiments a first axis chooses between their mean and each of them.
    """
    request, shape = study.request, (len(study.map.rows), len(study.map.columns))
    change = study.values - study.base_metric[:, None]
    exact = study.effect(change)
    estimate = study.effect(study.estimates)
    best = np.where(np.isnan(exact), estimate, exact)
    several = len(study.experiments) > 1
    measures = [
        ("effect", "Effect", _effect_unit(study), _effect_definition(study), best, True),
        (
            "metric",
            f"{TITLES[request.metric]} of the patched run",
            UNITS[request.metric],
            "The metric of the patched run itself, where it has been computed.",
            study.values,
            False,
        ),
        (
            "estimate",
            "Estimated effect",
            _effect_unit(study),
            "First-order estimate of the effect from the gradient on the run patched into"
            + (", without sign (GradDrop)." if request.grad_drop else "."),
            estimate,
            True,
        ),
    ]
    made = [
        _measure(name, title, unit, text, _with_mean(values, several), shape, signed)
        for name, title, unit, text, values, signed in measures
    ]
    if several:
        made += _interval(study, change, shape)
    states = study.states
    if several:
        # The mean is as good as the least known of the pairs it is made of.
        states = np.concatenate([_least_known(states)[None], states])
    axes: tuple[Axis, ...] = (study.map.rows, study.map.columns)
    if several:
        names = ("mean", *(_name(i, e.clean) for i, e in enumerate(study.experiments, 1)))
        axes = (Axis("sample" if request.source == "noise" else "pair", names), *axes)
    lengths = tuple(map(len, axes))
    return Grid(
        title=f"Activation patching: {SITES[request.site].title}, {request.direction}"
        if request.source == "prompt"
        else f"Ablation ({request.source}): {SITES[request.site].title}",
        axes=axes,
        measures=tuple(made),
        provenance=_provenance(study),
        next_tokens=study.next_tokens,
        states=states.reshape(lengths),
        alignment=_alignment(study),
        baselines=_baselines(study),
    )


def _measure(
    name: str,
    title: str,
    unit: str,
    definition: str,
    values: npt.NDArray[np.float64],
    shape: tuple[int, int],
    signed: bool,
) -> Measure:
    shaped = values.reshape(*values.shape[:-1], *shape).astype(np.float32)
    scale = Scale.diverging(shaped) if signed else _scale_of(shaped)
    return Measure(name, title, unit, definition, shaped, scale)


def _scale_of(values: npt.NDArray[np.float32]) -> Scale:
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() < 0:
        return Scale.diverging(values)
    return Scale.sequential(values)


def _with_mean(values: npt.NDArray[np.float64], several: bool) -> npt.NDArray[np.float64]:
    """`[cell]` of the only experiment, or `[mean and experiments, cell]`."""
    shown: npt.NDArray[np.float64] = values[0]
    return np.concatenate([_mean(values)[None], values]) if several else shown


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


def _interval(
    study: Study, change: npt.NDArray[np.float64], shape: tuple[int, int]
) -> list[Measure]:
    """The 95 % bootstrap interval of the mean effect, where every pair is exact."""
    n = len(change)
    drawn = np.random.default_rng(study.request.seed).integers(0, n, (_RESAMPLES, n))
    weights = np.stack([np.bincount(row, minlength=n) for row in drawn]) / n
    means = weights @ change
    if study.normalises:
        scale = weights @ (study.source_metric - study.plain_metric)
        means = means / np.where(scale == 0, np.nan, scale)[:, None]
    made = []
    for name, title, share in (("low", "Low", 2.5), ("high", "High", 97.5)):
        bound = np.full((n + 1, change.shape[1]), np.nan)
        known = ~np.isnan(means).any(0)
        bound[0, known] = np.percentile(means[:, known], share, axis=0)
        definition = (
            f"{title} end of the 95 % percentile bootstrap interval of the mean effect "
            f"({_RESAMPLES:,} resamples of the {n} experiments)."
        )
        made.append(
            _measure(name, f"{title} end of interval", _effect_unit(study), definition, bound,
                     shape, True)
        )  # fmt: skip
    return made


def _effect_unit(study: Study) -> str:
    return "" if study.normalises else UNITS[study.request.metric]


def _effect_definition(study: Study) -> str:
    name = TITLES[study.request.metric].lower()
    if not study.normalises:
        return f"{name.capitalize()} of the patched run minus that of the unpatched run."
    into, source = ("corrupted", "clean")
    if study.request.direction == "noising" and study.request.source == "prompt":
        into, source = source, into
    text = (
        f"Change of the {name} by the patch, divided by the difference of the two runs: 0 is the "
        f"{into} run (patched into), 1 the {source} run (patched from)."
    )
    if study.request.pinned:
        text += " The change is from the run with the pinned patches, the difference without them."
    if len(study.experiments) > 1:
        text += " The divisor is the mean difference over the set, for every pair."
    return text


def _baselines(study: Study) -> tuple[Term, ...]:
    base, source = float(study.plain_metric.mean()), float(study.source_metric.mean())
    names = {"noise": ("with noise", "clean"), "prompt": ("corrupted", "clean")}
    if study.request.direction == "noising":
        names["prompt"] = ("clean", "corrupted")
    into, origin = names.get(study.request.source, ("clean", ""))
    found = [Term(into, base), *([Term(origin, source)] if study.normalises else [])]
    found.sort(key=lambda term: term.label != "clean")
    if study.request.pinned:
        found.append(Term(f"{into}, with what is pinned", float(study.base_metric.mean())))
    return tuple(found)


def _alignment(study: Study) -> Alignment | None:
    if len(study.request.pairs) > 1 or study.request.source != "prompt":
        return None
    only = study.experiments[0]
    shown = 1 if study.request.direction == "denoising" else 0
    return Alignment(only.aligned, shown, study.request.alignment is not None)


def _name(number: int, prompt: Prompt) -> str:
    text = prompt.text or "".join(prompt.tokens)
    return f"{number}: {text if len(text) <= 40 else text[:39] + '…'}"


def _prompts(study: Study) -> tuple[Prompt, ...]:
    if study.request.source != "prompt":
        return tuple(dict.fromkeys(e.clean for e in study.experiments))
    found = []
    for e in study.experiments:
        found += [e.clean, e.base if e.source is e.clean else e.source]
    return tuple(found)


def _texts(study: Study, ids: Sequence[int]) -> str | None:
    return "".join(map(study.model.token_text, ids)) if ids else None


def _provenance(study: Study) -> Provenance:
    request, first = study.request, study.experiments[0]
    pinned = [
        {"site": s.site, "layer": s.layer, "unit": s.unit,
         "positions": s.positions, "label": s.label(first.base.tokens)}
        for s in request.pinned
    ]  # fmt: skip
    into = "clean" if first.base is first.clean else "corrupted"
    return study.model.provenance(
        "activation_patching",
        _prompts(study),
        {
            "site": request.site,
            "over": study.map.over,
            "direction": request.direction,
            "metric": request.metric,
            "answer": _texts(study, first.metric.answer),
            "answer_ids": first.metric.answer,
            "wrong": _texts(study, first.metric.wrong),
            "wrong_ids": first.metric.wrong,
            "source": request.source,
            "position": request.position,
            "head": request.head,
            "layer": request.layer,
            "window": request.window,
            "pinned": json.dumps(pinned),
            "qk_fix": request.qk_fix,
            "grad_drop": request.grad_drop,
            "pairs": len(request.pairs),
        },
        sign="Positive moves the metric from the run patched into towards the run patched from."
        if study.normalises
        else "Positive raises the metric.",
        normalisation=_effect_definition(study),
        user_hooks=study.user_hooks,
        seed=request.seed,
        notes=_notes(study, into),
    )


def _notes(study: Study, into: str) -> tuple[str, ...]:
    notes = [f"Positions are those of the {into} prompt, which is patched into."]
    unmatched = sum(int((e.aligned < 0).sum()) for e in study.experiments)
    if unmatched:
        notes.append(
            f"{unmatched} tokens meet none of the other prompt; their cells are not applicable."
        )
    skipped = study.shortcuts
    if skipped is not None and not skipped.layers:
        notes.append(
            "This model cannot be started in the middle (hooks of yours, several devices, or an "
            "architecture of its own): every patched run was computed from its tokens up."
        )
    work = study.work
    if work.done:
        notes.append(
            f"{work.done:,.0f} block-tokens were computed where {work.needed:,.0f} are the least "
            f"for these patches one by one, in {work.seconds:.2f} s."
        )
    waiting = int((study.states == WAITING).sum())
    if waiting:
        notes.append(f"{waiting} cells are neither estimated nor computed.")
    return tuple(notes)
