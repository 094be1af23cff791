"""Task vectors against hooks by hand: where they are taken, where they are put, what is counted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import task_vectors
from headscope.analyses.task_vectors import Task, TaskVectorsRequest, opened, wilson, written
from headscope.model import LiveModel
from tests.analyses.steps import result_of
from tests.models import N_LAYERS

EXAMPLES = (("cat", "dog"), ("dog", "mat"), ("mat", "cat"), ("the", "on"))
QUERIES = (("sat", "the"), ("saw", "dog"))
ASKED = {"template": "the {x} saw {y} . ", "into": "on {x} {y}", "shots": 2, "shuffles": 3}


def measured(bridge: Any, **more: Any) -> Any:
    request = TaskVectorsRequest(**({"examples": EXAMPLES, "queries": QUERIES} | ASKED | more))
    return request, result_of(task_vectors.run(LiveModel.of(bridge), request))


def last(bridge: Any, text: str, *hooks: Any) -> torch.Tensor:
    with torch.no_grad():
        return bridge.run_with_hooks(bridge.to_tokens(text), fwd_hooks=list(hooks))[0, -1]


def first_token(bridge: Any, before: str, answer: str) -> int:
    return int(bridge.to_tokens(f"{before} {answer}")[0, bridge.to_tokens(before).shape[1]])


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_the_grid_is_what_hooks_by_hand_give(family: str, request: Any) -> None:
    bridge = request.getfixturevalue(family)
    asked, grid = measured(bridge)
    texts = Task(LiveModel.of(bridge), asked).direction.toward
    assert len(texts) == 3
    assert grid.axes[1].labels == ("zero-shot", *(f"L{i}" for i in range(N_LAYERS)), "2-shot")
    for i, (x, y) in enumerate(QUERIES):
        question = f"on {x}"
        runs = [last(bridge, question)]
        for layer in range(N_LAYERS):
            name = f"blocks.{layer}.hook_resid_pre"
            streams: list[torch.Tensor] = []
            for text in texts:
                last(bridge, text, (name, lambda t, hook, to=streams: to.append(t[0, -1].clone())))
            mean = torch.stack(streams).mean(0)

            def put(stream: Any, hook: Any, mean: torch.Tensor = mean) -> Any:
                stream = stream.clone()
                stream[:, -1] = mean
                return stream

            runs.append(last(bridge, question, (name, put)))
        before = texts[i].rpartition("the ")[0] + f"the {x} saw"
        runs.append(last(bridge, before))
        for j, logits in enumerate(runs):
            answer = first_token(bridge, before if j > N_LAYERS else question, y)
            shares = logits.softmax(-1)
            assert grid["probability"][1 + i, j] == pytest.approx(float(shares[answer]), abs=1e-5)
            assert grid["accuracy"][1 + i, j] == float(shares.argmax() == answer)
            assert grid.top.ids[1 + i, j, 0] == int(shares.argmax())
    np.testing.assert_allclose(grid["probability"][0], grid["probability"][1:].mean(0), atol=1e-6)
    np.testing.assert_allclose(grid["accuracy"][0], grid["accuracy"][1:].mean(0))
    assert [term.value for term in grid.baselines] == grid["accuracy"][0][[0, -1]].tolist()


def test_a_draw_is_examples_and_a_dummy_none_of_them_twice(gpt2: Any) -> None:
    asked, _ = measured(gpt2, layers=(1,))
    for text in Task(LiveModel.of(gpt2), asked).direction.toward:
        inputs = [part.split(" saw")[0] for part in text.split("the ", 1)[1].split(" . the ")]
        assert len(inputs) == 3
        assert set(inputs) <= {x for x, _ in EXAMPLES}
        assert len(set(inputs)) == 3
        assert text.endswith(" saw")
    again = TaskVectorsRequest(EXAMPLES, QUERIES, **(ASKED | {"seed": 1}))
    assert Task(LiveModel.of(gpt2), again).direction != Task(LiveModel.of(gpt2), asked).direction


def test_its_own_stream_changes_nothing(gpt2: Any) -> None:
    """What is taken from the very question that is asked gives the same answer at every layer."""
    live = LiveModel.of(gpt2)
    plain = last(gpt2, "on sat")
    task = hs.Means(["on sat"])
    for layer in range(N_LAYERS):
        changes = task_vectors.replacing(layer, task)
        with changes.applied(gpt2):
            torch.testing.assert_close(last(gpt2, "on sat"), plain, atol=1e-5, rtol=1e-4)
    assert live.user_hooks() == ()


def test_a_cancelled_run_keeps_the_queries_that_are_done(gpt2: Any) -> None:
    request = TaskVectorsRequest(EXAMPLES, QUERIES, **ASKED)
    steps = task_vectors.run(LiveModel.of(gpt2), request)
    partial = next(step.partial for step in steps if step.partial is not None)
    assert not np.isnan(partial["accuracy"][:2]).any()
    assert np.isnan(partial["accuracy"][2]).all()
    assert (partial.states[2] == 1).all()


def test_templates_are_plain_text() -> None:
    template = "f({x}) = {y};\n{0}"
    assert written(template, "{y}", "{x}") == "f({y}) = {x};\n{0}"
    assert opened(template, "a") == "f(a) ="


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_wilsons(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right / n, n) == pytest.approx((low, high), abs=5e-5)
    assert math.isnan(wilson(math.nan, 0)[0])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"queries": (("cat", "dog"),)}, "'cat' is an example and a query"),
        ({"queries": ()}, "no queries"),
        ({"examples": (*EXAMPLES, ("cat", "mat"))}, "'cat' is there twice"),
        ({"shots": 4}, "too few"),
        ({"shots": -1}, "too few"),
        ({"shuffles": 0}, "too few"),
        ({"template": "{y} {x}"}, "template is"),
        ({"into": "{x}"}, "into is"),
        ({"template": ""}, "template is empty"),
        ({"examples": (("a", ""),)}, "no pair of texts"),
        ({"layers": (N_LAYERS,)}, "no layer"),
        ({"queries": (("th", "e"),), "into": "{x}{y}"}, "begins within a token"),
    ],
)
def test_what_cannot_be_measured_is_refused(gpt2: Any, more: Any, says: str) -> None:
    with pytest.raises(hs.RequestError, match=says) as refused:
        measured(gpt2, **more)
    assert "\n" not in str(refused.value)
