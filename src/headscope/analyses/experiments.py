"""From prompt pairs as the user gave them to experiments as they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from headscope.analyses.contrast import Experiment, Source
from headscope.analyses.metrics import Metric, MetricName
from headscope.analyses.prompt_pairs import Answer, Pair, answer_of
from headscope.errors import ModelError, PromptError, RequestError
from headscope.model.live import LiveModel
from headscope.model.runs import LOGITS, Site
from headscope.results import Prompt
from headscope.results.alignment import UNMATCHED, align, checked

Direction = Literal["denoising", "noising"]
DIRECTIONS: tuple[Direction, ...] = ("denoising", "noising")


def experiment(
    model: LiveModel,
    pair: Pair,
    *,
    metric: MetricName,
    direction: Direction,
    source: Source,
    position: int,
    alignment: Sequence[int] | None,
) -> Experiment:
    """Tokenise a pair, find its answers and align its prompts.

    Args:
        model: The model.
        pair: The prompts and answers.
        metric: What runs are judged by.
        direction: `denoising` patches from the clean run into the corrupted one, `noising` the
            other way round. Of no effect for ablations.
        source: Where patches come from.
        position: Where the metric is read; negative counts from the end of either prompt.
        alignment: For each position of the prompt patched into, the one of the other; None to find
            it.

    Raises:
        PromptError: A prompt or an answer cannot be used.
        RequestError: The two prompts are the same, or contradict the other arguments.
    """
    clean = model.tokenize(pair.clean)
    corrupted = clean
    if source == "prompt":
        if pair.corrupted is None:
            raise RequestError(
                "There is no corrupted prompt.",
                "Pass corrupted=..., or an ablation that needs none, such as 'zero' or 'mean'.",
            )
        corrupted = model.tokenize(pair.corrupted)
        if corrupted.token_ids == clean.token_ids:
            raise RequestError(
                "The clean and the corrupted prompt are the same tokens.",
                "Change what is to be located: the name, the city, the year.",
            )
    base, other = (corrupted, clean) if direction == "denoising" else (clean, corrupted)
    where = _position(position, len(base.token_ids))
    aligned = (
        align(base.token_ids, other.token_ids)
        if alignment is None
        else checked(alignment, len(base.token_ids), len(other.token_ids))
    )
    # The beginning-of-sequence token is common to all prompts.
    if len(aligned) > 1 and (aligned[1:] == UNMATCHED).all():
        raise RequestError(
            "No token of the two prompts meets another.",
            "Pass alignment=[...], or prompts that share more.",
        )
    there = _position(position, len(other.token_ids)) if position < 0 else int(aligned[where])
    if there == UNMATCHED:
        raise RequestError(
            f"Position {position} has no counterpart in the other prompt.",
            "Read the metric at the last position: position=-1.",
        )
    in_clean, in_corrupted = (where, there) if base is clean else (there, where)
    answer = _answers(model, pair.answer, clean) or (_top(model, clean, in_clean),)
    wrong = _answers(model, pair.wrong, corrupted)
    if not wrong and metric == "logit_diff" and pair.corrupted is not None:
        # An ablation runs no corrupted prompt, but what is wrong is still what follows it.
        told = model.tokenize(pair.corrupted)
        if source != "prompt":
            in_corrupted = _position(position, len(told.token_ids))
        wrong = (_top(model, told, in_corrupted),)
    if answer == wrong:
        raise RequestError(
            f"Answer and wrong answer are the same token, {model.token_text(answer[0])!r}.",
            "Pass answer=... and wrong=...: the model predicts the same after both prompts."
            if pair.answer is None or pair.wrong is None
            else "Leave out wrong, and choose metric='log_prob'.",
        )
    made = Metric(metric, answer, wrong)
    if made.several and where != len(base.token_ids) - 1:
        raise RequestError(
            "An answer of several tokens is read after the last token of the prompt.",
            "Pass position=-1.",
        )
    longest = max(len(base.token_ids), len(other.token_ids)) + max(map(len, made.continuations))
    if longest > model.n_ctx:
        raise PromptError(
            f"Prompt and answer are {longest} tokens long, {model.n_ctx} is the longest this model "
            "takes.",
            f"Shorten the prompt by {longest - model.n_ctx}.",
        )
    return Experiment(base, other, clean, made, aligned, where, there)


def ablation(found: Experiment) -> Experiment:
    """The experiment with its clean prompt on both sides."""
    positions = np.arange(len(found.clean.token_ids), dtype=np.int32)
    return Experiment(
        found.clean, found.clean, found.clean, found.metric, positions, found.position,
        found.position,
    )  # fmt: skip


def _answers(model: LiveModel, given: Answer, prompt: Prompt) -> tuple[int, ...]:
    """Ids of an answer; like a word of one token, one of several has a space before it."""
    given = answer_of(given)
    if given is None:
        return ()
    if isinstance(given, int):
        return (model.token_id(given),)
    if not isinstance(given, str):
        return tuple(model.token_id(token_id) for token_id in given)
    try:
        return (model.token_id(given),)
    except PromptError:
        ids = model.encode(given)
        if len(ids) < 2:
            raise
        begun = prompt.tokens[-1][-1:].isspace() or model.token_text(ids[0])[:1].isspace()
        return model.encode(f" {given}") if given[0].isalnum() and not begun else ids


def not_finite() -> ModelError:
    """The error for a model whose logits say nothing."""
    return ModelError(
        "The model's logits are not finite on these prompts.",
        "Load it with dtype=torch.float32, or check its weights for NaN.",
    )


def _top(model: LiveModel, prompt: Prompt, position: int) -> int:
    where = Site(LOGITS, 0, position)
    logits = model.activations(prompt.token_ids, [where])[where]
    if logits.isnan().any():
        raise not_finite()
    return int(logits.argmax())


def _position(position: int, length: int) -> int:
    if not -length <= position < length:
        raise RequestError(
            f"There is no position {position}.",
            f"The prompt has {length} tokens: use {-length} to {length - 1}.",
        )
    return position % length
