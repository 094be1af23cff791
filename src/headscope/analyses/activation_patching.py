"""Activation patching: put part of one run into another, and see what becomes of a metric.

The run patched into is the base, the run that patches come from the source. `denoising` patches
from the clean run into the corrupted one (which parts suffice to bring the answer back), `noising`
from the corrupted run into the clean one (which parts are needed). With m the metric,

    effect(cell) = (m(patched) - m(base)) / (m(source) - m(base))

so that 0 is the run patched into and 1 the run patched from. For a set of pairs numerator and
denominator are means over the set, and the 95 % interval is a bootstrap over its pairs. Ablations
(zero, mean over positions) have no source run: there the effect is m(patched) - m(base), in the
metric's unit. The noise source is causal tracing (Meng et al. 2022): the base is the clean prompt
with Gaussian noise on its embeddings (three times their own standard deviation), the source the
clean run, averaged over samples of noise.

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
from collections.abc import Sequence

import numpy as np

from headscope.analyses import effects
from headscope.analyses.effects import EffectGrid
from headscope.analyses.map_trials import WAITING
from headscope.analyses.metrics import TITLES, UNITS
from headscope.analyses.patch_map import n_units
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.analyses.patching_study import Study
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.model.sites import SITES
from headscope.results import Grid, JsonValue, Provenance, Term

__all__ = ["ActivationPatchingRequest", "Study", "grid", "run", "steps"]

_PARTIAL_S = 0.25


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
    for done in study.on_one_model(study.prepare()):
        yield Step(0.01 * done, "Reading the prompts")
    for done in study.on_one_model(study.record()):
        yield Step(0.01 + 0.04 * done, "Running the prompts")
    for done in study.on_one_model(study.lay_out()):
        yield Step(0.05 + 0.01 * done, "Finding what differs")
    said = study.outlook()
    if study.request.exact:
        for _ in study.on_one_model(study.calibrate()):
            yield Step(0.06, said)
        said = study.forecast()
        yield Step(0.06, said)
    for done in study.on_one_model(study.estimate()):
        yield Step(0.06 + 0.04 * done, said)
    shown = time.perf_counter()
    yield Step(0.1, said, grid(study))
    if study.request.exact:
        for done in study.on_one_model(study.compute()):
            partial = None
            if time.perf_counter() - shown > _PARTIAL_S:
                partial, shown = grid(study), time.perf_counter()
            yield Step(0.1 + 0.9 * done, study.outlook(), partial)
    return grid(study)


def grid(study: Study) -> Grid:
    """The map as it is known now.

    With several experiments a first axis chooses between their mean and each of them.
    """
    request, unit = study.request, _effect_unit(study)
    made = EffectGrid(
        study,
        study.map.rows,
        study.map.columns,
        "sample" if request.source == "noise" else "pair",
    )
    change = study.values - study.base_metric[:, None]
    # Without a sign, an estimate is a step towards the source.
    towards = np.sign(study.effect(1.0)) if request.grad_drop else 1.0
    best = np.where(np.isnan(change), towards * study.estimates, change)
    return Grid(
        title=_title(study),
        axes=made.axes,
        measures=(
            made.effect("effect", "Effect", unit, _effect_definition(study), best),
            made.measure(
                "metric",
                f"{TITLES[request.metric]} of the patched run",
                UNITS[request.metric],
                "The metric of the patched run itself, where it has been computed.",
                study.values,
                signed=False,
            ),
            made.effect(
                "estimate",
                "Estimated effect",
                unit,
                _estimate_definition(study),
                study.estimates,
                signed=not request.grad_drop,
            ),
            *made.interval(change, unit),
        ),
        provenance=_provenance(study),
        next_tokens=study.next_tokens,
        states=made.states,
        alignment=None
        if request.source != "prompt"
        else effects.alignment(study, request.direction, request.alignment),
        baselines=_baselines(study),
    )


def _title(study: Study) -> str:
    """What is patched, which way, and what is measured of which answers."""
    request, site = study.request, SITES[study.request.site].title
    if study.map.over == "unit_position":
        site = f"{len(study.map.rows)} of {_n_neurons(study):,} neurons of L{request.layer}"
    done = f"Activation patching: {site}, {request.direction}"
    if request.source != "prompt":
        done = f"Ablation ({request.source}): {site}"
    answers = {(e.metric.answer, e.metric.wrong) for e in study.experiments}
    measured = TITLES[request.metric]
    if request.metric == "kl" or len(answers) > 1:
        return f"{done} · {measured}"
    ((answer, wrong),) = answers
    what = _quoted(study, answer)
    if request.metric == "logit_diff":
        what += f" minus {_quoted(study, wrong)}"
    return f"{done} · {measured} {what}"


def _n_neurons(study: Study) -> int:
    return n_units(study.model, "mlp_post")


def _neurons(study: Study) -> str:
    """Which neurons are shown."""
    shown, layer = len(study.map.rows), study.request.layer
    if shown == _n_neurons(study):
        return f"All {shown:,} neurons of L{layer}."
    largest = "estimated effects" if study.estimated else "changes of their activation"
    return (
        f"Shown are the {shown} of {_n_neurons(study):,} neurons of L{layer} with the largest "
        f"{largest}, added up without sign over positions{' and pairs' * study.several}."
    )


def _quoted(study: Study, ids: Sequence[int]) -> str:
    text = repr("".join(map(study.model.token_text, ids)))
    return text if len(ids) == 1 else f"{text} ({len(ids)} tokens)"


def _effect_unit(study: Study) -> str:
    return "" if study.normalises else UNITS[study.request.metric]


def _effect_definition(study: Study) -> str:
    text = _effect_is(study)
    return f"{text} {_neurons(study)}" if study.map.over == "unit_position" else text


def _effect_is(study: Study) -> str:
    name = TITLES[study.request.metric].lower()
    if not study.normalises:
        return f"{name.capitalize()} of the patched run minus that of the unpatched run."
    direction = "denoising" if study.request.source == "noise" else study.request.direction
    text = effects.normalised(study.request.metric, direction)
    if study.request.pinned:
        text += " The change is from the run with the pinned patches, the difference without them."
    if study.several:
        text += " The divisor is the mean difference over the set, for every pair."
    return text


def _estimate_definition(study: Study) -> str:
    text = "First-order estimate of the effect from the gradient on the run patched into"
    text += ", without sign (GradDrop)." if study.request.grad_drop else "."
    if study.request.window > 1:
        text += (
            " Of a window of layers it is the sum of theirs: what a lower layer passes on through "
            "an upper one counts, though the patch there replaces it."
        )
    return text


def _baselines(study: Study) -> tuple[Term, ...]:
    base, source = float(study.plain_metric.mean()), float(study.source_metric.mean())
    prompts = effects.into_and_from(study.request.direction)
    names = {"noise": ("with noise", "clean"), "prompt": prompts}
    into, origin = names.get(study.request.source, ("clean", ""))
    found = [Term(into, base), *([Term(origin, source)] if study.normalises else [])]
    found.sort(key=lambda term: term.label != "clean")
    if study.request.pinned:
        found.append(Term(f"{into}, with what is pinned", float(study.base_metric.mean())))
    return tuple(found)


def _provenance(study: Study) -> Provenance:
    request, first = study.request, study.experiments[0]
    pinned = [
        {"site": s.site, "layer": s.layer, "unit": s.unit,
         "positions": s.positions, "label": s.label(first.base.tokens)}
        for s in request.pinned
    ]  # fmt: skip
    return study.model.provenance(
        "activation_patching",
        effects.prompts(study),
        {
            "site": request.site,
            "over": study.map.over,
            "direction": request.direction,
            "metric": request.metric,
            **effects.answers(study),
            "source": request.source,
            "position": request.position,
            "head": request.head,
            "layer": request.layer,
            "window": request.window,
            "pinned": json.dumps(pinned),
            "estimate": request.estimate,
            "exact": request.exact,
            "qk_fix": request.qk_fix,
            "grad_drop": request.grad_drop,
            "pairs": len(request.pairs),
            "alignment": request.alignment,
            **(_noise(study) if request.source == "noise" else {}),
        },
        sign="Positive moves the metric from the run patched into towards the run patched from."
        if study.normalises
        else "Positive raises the metric.",
        normalisation=_effect_definition(study),
        user_hooks=study.user_hooks,
        seed=request.seed,
        notes=_notes(study),
    )


def _noise(study: Study) -> dict[str, JsonValue]:
    request = study.request
    return {
        "noise_at": request.noise_at,
        "noise_sigma": study.noise,
        "samples": request.samples,
    }


def _notes(study: Study) -> tuple[str, ...]:
    notes = effects.notes(study)
    if study.request.source == "noise" and study.request.noise_at is None:
        notes.append("The embeddings of all positions but the first are disturbed.")
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
