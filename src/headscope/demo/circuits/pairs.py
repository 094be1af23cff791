"""Clean and corrupted prompts as one batch, and what patching between them recovers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo.circuits.edits import Site, mean_ablation, put, read, run
from headscope.demo.evaluate import token
from headscope.demo.language import Case


class Pairs:
    """Cases that are equally long in tokens, with the model that answers them.

    `clean` and `corrupted` are ids, int64 `[row, position]`; `answer` and `wrong` are `[row]`.
    """

    def __init__(
        self, model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, cases: Sequence[Case]
    ) -> None:
        self.model = model
        self.clean = encoded(tokenizer, [case.prompt for case in cases])
        self.corrupted = encoded(tokenizer, [case.corrupted for case in cases])
        self.answer = torch.tensor([token(tokenizer, case.answer) for case in cases])
        self.wrong = torch.tensor([token(tokenizer, case.wrong) for case in cases])
        self.rows = torch.arange(len(cases))
        self.high = self.difference(run(model, self.clean, {}))
        self.low = self.difference(run(model, self.corrupted, {}))

    @property
    def layers(self) -> range:
        """The model's layers."""
        return range(self.model.config.n_layer)

    def difference(self, logits: Tensor) -> float:
        """Mean of logit(answer) - logit(wrong) at the last position."""
        last = logits[:, -1]
        return float((last[self.rows, self.answer] - last[self.rows, self.wrong]).mean())

    def right(self, logits: Tensor) -> float:
        """Share of the rows whose most probable next token is the answer."""
        return tidy((logits[:, -1].argmax(-1) == self.answer).float().mean())

    def patched(self, site: Site, position: int, source: Tensor | None = None) -> Tensor:
        """Logits of the corrupted run with `site` at `position` as in the run of `source`.

        Args:
            site: What is replaced.
            position: Where, in tokens; -1 is the last one.
            source: Ids like `clean`, which is what they are by default.
        """
        ids = self.clean if source is None else source
        values = read(self.model, ids, [site])[site]
        return run(self.model, self.corrupted, {site: put(values, position)})

    def recovered(self, site: Site, position: int) -> float:
        """Share of the logit difference that patching `site` at `position` recovers."""
        difference = self.difference(self.patched(site, position))
        return tidy((difference - self.low) / (self.high - self.low))

    def without(self, heads: Iterable[Site], position: int | slice) -> Tensor:
        """Logits of the clean run with `heads` mean-ablated at `position`.

        The mean is over clean and corrupted rows, so that every name has been in either role.
        """
        both = torch.cat([self.clean, self.corrupted])
        return run(self.model, self.clean, mean_ablation(self.model, both, heads, position))


def encoded(tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str]) -> Tensor:
    """Ids, int64 `[row, position]`, BOS first, of prompts of one length."""
    return torch.tensor([[0, *tokenizer(prompt)["input_ids"]] for prompt in prompts])


def tidy(value: float | Tensor) -> float:
    """Rounded to two decimals, without a minus before a zero."""
    return round(float(value), 2) + 0.0
