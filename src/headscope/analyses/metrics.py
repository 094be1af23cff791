"""What a run is judged by: a number read off its next-token distribution.

    logit_diff   logit(answer) - logit(wrong)
    logit        logit(answer)
    log_prob     log p(answer), in nats
    prob         p(answer)
    rank         how many tokens have a higher logit than the answer: 0 is best
    kl           KL(clean || run), in nats: 0 where the run predicts as the clean run does

All but `rank` are differentiable. Higher is more like the answer for the first four; lower for
`rank` and `kl`. An answer of several tokens is scored as a whole, each token given those before it:
log_prob is the sum of the tokens' log-probabilities, prob its exponential, and logit_diff the
difference of two such sums (for single tokens that equals the difference of logits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from headscope.analyses.readings import vectors_per_piece
from headscope.errors import RequestError
from headscope.model.readout import ReadOut

MetricName = Literal["logit_diff", "logit", "log_prob", "prob", "rank", "kl"]
METRICS: tuple[MetricName, ...] = ("logit_diff", "logit", "log_prob", "prob", "rank", "kl")
UNITS: dict[MetricName, str] = {
    "logit_diff": "logits", "logit": "logits", "log_prob": "nats", "prob": "probability",
    "rank": "rank", "kl": "nats",
}  # fmt: skip
TITLES: dict[MetricName, str] = {
    "logit_diff": "Logit difference", "logit": "Logit", "log_prob": "Log-probability",
    "prob": "Probability", "rank": "Rank", "kl": "KL from the clean run",
}  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A metric for one prompt pair.

    Args:
        name: One of `METRICS`.
        answer: Ids of the answer.
        wrong: Ids of the wrong answer; empty for none.
    """

    name: MetricName
    answer: tuple[int, ...]
    wrong: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in METRICS:
            raise RequestError(f"There is no metric {self.name!r}.", f"Choose from {METRICS}.")
        if self.name == "logit_diff" and not self.wrong:
            raise RequestError(
                "logit_diff needs a wrong answer too.", "Pass wrong=..., or metric='log_prob'."
            )
        if self.several and self.name in ("logit", "rank", "kl"):
            raise RequestError(
                f"{self.name} is defined for an answer of one token; this one has "
                f"{max(len(self.answer), len(self.wrong))}.",
                "Use metric='log_prob', 'prob' or 'logit_diff', or pass one token.",
            )

    @property
    def several(self) -> bool:
        """Whether an answer has more than one token."""
        return len(self.answer) > 1 or (self.name == "logit_diff" and len(self.wrong) > 1)

    @property
    def continuations(self) -> tuple[tuple[int, ...], ...]:
        """What follows the prompt in each of the runs that the metric is read from."""
        if not self.several:
            return ((),)
        ends = (self.answer, self.wrong) if self.name == "logit_diff" else (self.answer,)
        return tuple(ids[:-1] for ids in ends)

    @property
    def differentiable(self) -> bool:
        """Whether it has a gradient."""
        return self.name != "rank"

    def of(
        self, path: ReadOut, streams: Sequence[torch.Tensor], clean: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The metric of runs, float32 `[run]`.

        Args:
            path: From the last stream to logits.
            streams: For each of `continuations`, the last stream at the positions that predict the
                answer's tokens, `[run, token, d_model]`.
            clean: For `kl`: log-probabilities of the clean run, `[d_vocab]`.
        """
        parts = [self.part(path, index, stream, clean) for index, stream in enumerate(streams)]
        return torch.stack(parts).sum(0)

    def part(
        self, path: ReadOut, index: int, stream: torch.Tensor, clean: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What the run with continuation `index` adds to the metric, `[run]`; they sum to `of`."""
        if self.several:
            total = _log_probs(path, stream, (self.answer, self.wrong)[index])
            if self.name == "prob":
                return total.exp()
            return -total if index else total
        last = stream[:, 0]
        wrong = self.wrong[0] if self.name == "logit_diff" else None
        if self.name in ("logit_diff", "logit") and not path.transforms:
            return path.raw_logit(path.normalised(last), self.answer[0], wrong)
        per_piece = vectors_per_piece(len(path.unembedding_bias))
        pieces = [self._of_logits(path.logits(piece), clean) for piece in last.split(per_piece)]
        return torch.cat(pieces) if len(last) else last.new_zeros(0)

    def _of_logits(self, logits: torch.Tensor, clean: torch.Tensor | None) -> torch.Tensor:
        own = logits[:, self.answer[0]]
        if self.name == "rank":
            return (logits > own[:, None]).sum(-1).float()
        if self.name == "kl":
            if clean is None:
                raise RequestError("KL needs the clean run's distribution.", "Pass clean=...")
            log_p = logits.log_softmax(-1)
            return (clean.exp() * (clean - log_p)).sum(-1)
        if self.name == "logit_diff":
            return own - logits[:, self.wrong[0]]
        if self.name == "logit":
            return own
        log_p = own - logits.logsumexp(-1)
        return log_p.exp() if self.name == "prob" else log_p


def _log_probs(path: ReadOut, streams: torch.Tensor, ids: Sequence[int]) -> torch.Tensor:
    """Summed log-probability of `ids`, `[run]`, from streams `[run, token, d_model]`."""
    per_piece = vectors_per_piece(len(path.unembedding_bias))
    flat = streams.reshape(-1, streams.shape[-1])
    wanted = torch.tensor(ids, device=flat.device).repeat(len(streams))
    found = [
        path.logits(piece).log_softmax(-1).gather(-1, own[:, None])[:, 0]
        for piece, own in zip(flat.split(per_piece), wanted.split(per_piece), strict=True)
    ]
    return torch.cat(found).reshape(len(streams), -1).sum(-1)
