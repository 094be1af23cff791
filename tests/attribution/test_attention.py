"""Attention's part of edges, and of attention itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from headscope.analyses.attribution_heads import split
from headscope.analyses.attribution_nodes import NodeTable
from headscope.analyses.attribution_qk import BIAS, split_score
from headscope.errors import RequestError
from tests.attribution.linear import attributed, finish
from tests.attribution.transcoders import random_transcoders
from tests.models import D_MODEL, N_LAYERS


@pytest.fixture
def traced(every_bridge: Any) -> tuple[Any, Any, NodeTable]:
    of = random_transcoders(N_LAYERS, D_MODEL, 40)
    study, found = attributed(every_bridge, transcoders=of, max_nodes=10**6)
    return study, found, NodeTable(study)


def edge(found: Any, table: NodeTable, source: str, target: str) -> float:
    (row,) = np.flatnonzero(found.rows == table.number(target))
    return float(found.matrix[row, table.number(source)])


def test_heads_and_the_rest_sum_to_the_edge(traced: Any) -> None:
    study, found, table = traced
    last, (logit, *_) = study.run.n_tokens - 1, table.names[study.replacement.n_columns :]
    for source in ("token@3", f"token@{last}", f"L0error@{last}", "L1error@2"):
        parts = finish(split(study, table, source, logit))
        assert parts.total == pytest.approx(edge(found, table, source, logit), rel=1e-4, abs=1e-6)
        whole = parts.direct + sum(head.value for head in parts.heads) + parts.rest
        assert whole == pytest.approx(parts.total)
        sizes = [abs(head.value) for head in parts.heads]
        assert sizes == sorted(sizes, reverse=True)
        assert (parts.direct != 0) == source.endswith(f"@{last}")


def test_through_one_layer_of_attention_heads_are_all(traced: Any) -> None:
    study, _, table = traced
    last, (logit, *_) = study.run.n_tokens - 1, table.names[study.replacement.n_columns :]
    sources = ["L1error@2", f"L1error@{last}"]
    sources += [name for name in table.names if name.startswith("L1F") and "@4" in name][:2]
    for source in sources:
        parts = finish(split(study, table, source, logit))
        assert {head.layer for head in parts.heads} == {2}
        assert abs(parts.rest) < 1e-6 * max(1.0, abs(parts.total))


def test_no_edge_is_refused(traced: Any) -> None:
    study, _, table = traced
    for source, target, why in (
        ("L2error@2", "logit1@9", "no node"), ("token@3", "token@4", "reads nothing"),
        (table.names[-1], table.names[-2], "writes nothing"),
    ):  # fmt: skip
        with pytest.raises(RequestError, match=why):
            finish(split(study, table, source, target))
    late = next(name for name in table.names if name.startswith("L0F"))
    with pytest.raises(RequestError, match="Nothing leads"):
        finish(split(study, table, "L1error@2", late))


def test_both_sides_and_all_pairs_sum_to_the_score(traced: Any) -> None:
    study, _, table = traced
    dest, everything = study.run.n_tokens - 1, 10**6
    for layer, head, src in ((0, 1, 2), (2, 3, dest), (1, 0, 0)):
        where = {"layer": layer, "head": head, "dest": dest, "src": src}
        parts = finish(split_score(study, table, **where, most=everything))
        hook = f"blocks.{layer}.attn.hook_"
        with torch.no_grad():
            _, cache = study.model.bridge.run_with_cache(torch.tensor([study.prompt.token_ids]))
        score = float(cache[hook + "attn_scores"][0, head, dest, src])
        cap = study.model.bridge.cfg.attn_scores_soft_cap
        if cap > 0:
            score = cap * np.arctanh(score / cap)
        assert parts.score == pytest.approx(score, rel=1e-4)
        size = sum(abs(value) for _, value in parts.query)
        for side in (parts.query, parts.key):
            assert sum(value for _, value in side) == pytest.approx(score, abs=1e-5 * size)
        assert abs(parts.rest) <= 1e-4 * sum(abs(value) for *_, value in parts.pairs)
        assert BIAS in dict(parts.query)
        assert parts.pattern == pytest.approx(float(cache[hook + "pattern"][0, head, dest, src]))


def test_a_head_that_is_none_is_refused(traced: Any) -> None:
    study, _, table = traced
    for where, why in (
        ({"layer": 9, "head": 0, "dest": 3, "src": 1}, "no head L9H0"),
        ({"layer": 1, "head": 0, "dest": 3, "src": 4}, "cannot attend"),
    ):
        with pytest.raises(RequestError, match=why):
            finish(split_score(study, table, **where))
