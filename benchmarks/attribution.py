"""Attribution graphs beside circuit-tracer's, and a large one: seconds of one thread.

circuit-tracer cannot be installed beside TransformerLens 4. Its figures are wall seconds with two
threads on the machine on which the project began (circuit-tracer 0.5.0, TransformerLens 3.2.1, the
same shapes); ours are CPU seconds with one, so a ratio here is from below. Units that reach no
target, which circuit-tracer traces too, are not traced.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.models import LAYERS, gpt2_small, token_ids
from benchmarks.patching import at_least, at_most
from benchmarks.report import Row

FEATURES, WIDTH, TOKENS = 6144, 768, 16
#: By k: circuit-tracer's seconds for the graph, and for pruning it.
THEIRS = {8: (None, 0.14), 24: (24.7, 1.2)}
PEER = "circuit-tracer 0.5, 2 threads"


def run() -> list[Row]:
    """Graphs of random TopK transcoders, the largest one's memory, and one of neurons."""
    model = gpt2_small()
    rows = []
    for k, (graph, pruning) in THEIRS.items():
        seconds, pruned, result = _graph(model, k, 10**6)
        what = f"attribution graph, {TOKENS} tokens, TopK {k}"
        note = f"{len(result.nodes):,} of {result.nodes_in_all:,} nodes, {_identity(result)}"
        target = at_least(4) if graph else None
        rows.append(Row(what, seconds, "s", PEER, graph, note, target))
        rows.append(Row(f"pruning it (k = {k})", pruned, "s", PEER, pruning, "", at_least(10)))
    seconds, _, result = _graph(model, 64, 8000)
    note = f"{len(result.nodes):,} of {result.nodes_in_all:,} nodes, {_identity(result)}"
    rows.append(Row("attribution graph of 8,000 features (k = 64)", seconds, "s", note=note))
    rows.append(_memory(model))
    seconds, _, _ = _graph(model, None, 1000)
    rows.append(Row("attribution graph of 1,000 neurons", seconds, "s"))
    return rows


def _transcoders(k: int) -> Any:
    import torch

    from headscope.model.dictionaries import LayerTranscoder, TopK, Transcoders

    draw = torch.Generator().manual_seed(0)
    return Transcoders(
        "random",
        tuple(
            LayerTranscoder(
                layer,
                torch.randn(FEATURES, WIDTH, generator=draw) * WIDTH**-0.5,
                torch.zeros(FEATURES),
                torch.randn(FEATURES, 1, WIDTH, generator=draw) * 0.1,
                torch.zeros(WIDTH),
                TopK(k),
            )
            for layer in range(LAYERS)
        ),
    )


def _graph(model: Any, k: int | None, most: int) -> tuple[float, float, Any]:
    """CPU seconds of it all, and of influence and pruning alone."""
    from headscope.analyses.attribution_effects import EffectCollector
    from headscope.analyses.attribution_graph import within
    from headscope.analyses.attribution_result import graph_of
    from headscope.analyses.attribution_study import AttributionRequest, AttributionStudy
    from headscope.analyses.influence import Influence, prune
    from headscope.model import LiveModel

    live = LiveModel.of(model)
    live.forget_runs()
    transcoders = None if k is None else _transcoders(k)
    request = AttributionRequest(tuple(token_ids(TOKENS)), transcoders, max_nodes=most)
    start = time.process_time()
    study = AttributionStudy(live, request)
    _done(study.prepare())
    found = _done(EffectCollector(study).collect())
    columns, effects = within(study, found)
    before = time.process_time()
    influence = Influence.of(effects)
    pruned = prune(influence, request.node_share, request.edge_share)
    pruning = time.process_time() - before
    result = graph_of(study, found, columns, influence, pruned)
    return time.process_time() - start, pruning, result


def _memory(model: Any) -> Row:
    """What 8,000 features are said to need, over what the process then grows by."""
    import psutil

    from headscope.analyses.attribution_effects import EffectCollector
    from headscope.analyses.attribution_study import AttributionRequest, AttributionStudy
    from headscope.model import LiveModel

    request = AttributionRequest(tuple(token_ids(TOKENS)), _transcoders(64), max_nodes=8000)
    study = AttributionStudy(LiveModel.of(model), request)
    _done(study.prepare())
    process = psutil.Process()
    before = process.memory_info().rss
    collector = EffectCollector(study)
    found = _done(collector.collect())
    grown = process.memory_info().rss - before
    note = f"{collector.needed / 1e9:.2g} GB said, {found.matrix.nbytes / 1e9:.2g} GB of effects"
    share = grown / collector.needed
    return Row("memory used while tracing them, over what is said", share, "", note=note,
               target=at_most(1.0))  # fmt: skip


def _identity(result: Any) -> str:
    """How exactly effects add up, from the graph's own notes."""
    return f"sums within {result.provenance.notes[0].split('within ')[1].split(' ')[0]}"


def _done(steps: Any) -> Any:
    from headscope.jobs import Job

    job: Any = Job(steps)
    job.advance()
    if job.error is not None:
        raise job.error
    return job.result
