"""Studies of edges, recorded, for tests."""

from __future__ import annotations

from headscope.analyses.edge_scores import EdgeScoresRequest, EdgeStudy
from headscope.analyses.prompt_pairs import Pair
from headscope.model.live import LiveModel

ANSWER, WRONG = 7, 11
#: Two pairs of five tokens and one of seven.
PAIRS = tuple(
    Pair(clean, corrupted, ANSWER, WRONG)
    for clean, corrupted in (
        ((3, 5, 9, 13, 21), (3, 17, 9, 40, 21)),
        ((3, 6, 8, 13, 30), (3, 6, 41, 14, 30)),
        ((3, 5, 9, 13, 21, 60, 2), (3, 5, 17, 13, 40, 61, 2)),
    )
)


def finish(steps):
    """Run a generator to its end: what it returns, and what it yielded."""
    found = []

    def outer():
        found.append((yield from steps))

    seen = list(outer())
    return found[0], seen


def recorded(bridge, pairs=PAIRS, **request):
    """A study whose prompts have run."""
    study = EdgeStudy(LiveModel.of(bridge), EdgeScoresRequest(tuple(pairs), **request))
    for _ in study.on_one_model(study.prepare()):
        pass
    for _ in study.on_one_model(study.record()):
        pass
    return study


def scores(bridge, pairs=PAIRS, **request):
    """Scores `[writer, reader]`, and the study."""
    study = recorded(bridge, pairs, **request)
    fractions = list(study.on_one_model(study.score()))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    return study.scores, study
