"""Generation, token by token, with or without interventions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from headscope.errors import RequestError
from headscope.model.intervening.applying import Plan
from headscope.model.live import LiveModel
from headscope.model.recorded import leaving_no_trace


@dataclass(frozen=True)
class Sampling:
    """How a next token is chosen.

    A token is drawn by adding Gumbel noise to the log-probabilities and taking the largest. The
    noise depends on the seed and on the step alone: two generations from the same seed differ only
    where their distributions do.

    Args:
        temperature: Logits are divided by it; 0 takes the most probable token.
        seed: Of the noise.

    Raises:
        RequestError: The temperature is negative or no number.
    """

    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise RequestError(
                f"The temperature is {self.temperature}.", "Pass 0 (the best token) or more."
            )

    def choose(self, logits: torch.Tensor, step: int) -> int:
        """A token for logits `[d_vocab]`, at a step that counts from 0."""
        if self.temperature == 0:
            return int(logits.argmax())
        generator = torch.Generator().manual_seed(hash((self.seed, step)) % 2**63)
        uniform = torch.rand(len(logits), generator=generator, dtype=torch.float64)
        noise = -torch.log(-torch.log(uniform.clamp(1e-300)))
        return int((logits.cpu().double() / self.temperature + noise).argmax())


class Text:
    """A text that grows, keys and values kept where model and interventions allow.

    Each growth is a forward pass of what is new, or of all; between them nothing of ours is on the
    model.

    Args:
        model: The model.
        prompt: How the text begins.
        plan: Interventions on every pass. Those at positions act on the prompt; all others on what
            grows behind it too.
        cached: Whether keys and values may be kept.
    """

    def __init__(
        self, model: LiveModel, prompt: Sequence[int], plan: Plan | None, *, cached: bool = True
    ) -> None:
        self._model, self._plan = model, plan
        self._prompt = torch.tensor([list(prompt)], device=model.device)
        self._keeps = cached and (plan is None or plan.clock.can_cache)
        self._ids: list[int] = []
        self._cache: Any = None

    def grow(self, ids: Sequence[int], last: int = 1) -> torch.Tensor:
        """Logits at the last places, float32 `[last, d_vocab]`, with `ids` behind the text.

        The prompt is what it grows by first.

        Raises:
            HeadscopeError: An intervention does not fit, the plan is not of this model as it is, or
                the model is in training mode.
        """
        model, bridge = self._model, self._model.bridge
        model.ready()
        self._ids += ids
        given = self._ids if self._cache is None else ids
        tokens = torch.tensor([list(given)], device=model.device)
        hooks = [("unembed.hook_in", lambda stream, hook: stream[:, -last:])]
        under: AbstractContextManager[None] = nullcontext()
        if self._plan is not None:
            self._plan.check(model)
            under = self._plan.installed(prompt=self._prompt)
        more: dict[str, Any] = {} if self._cache is None else {"past_key_values": self._cache}
        with torch.no_grad(), model.own_hooks(), leaving_no_trace(bridge), under:
            if self._keeps:
                logits, self._cache = bridge.run_with_hooks(
                    tokens, fwd_hooks=hooks, return_type="logits_and_cache", use_cache=True, **more
                )
            else:
                logits = bridge.run_with_hooks(tokens, fwd_hooks=hooks, use_cache=False)
        found: torch.Tensor = logits[0, -last:]
        return found.float()


def generate(
    model: LiveModel,
    token_ids: Sequence[int],
    sampling: Sampling,
    n_tokens: int,
    plan: Plan | None = None,
    *,
    cached: bool = True,
) -> Iterator[int]:
    """New tokens, one forward pass each.

    Stops before a token that ends a text, and where the model takes no longer one.

    Args:
        model: The model.
        token_ids: The prompt.
        sampling: How tokens are chosen.
        n_tokens: Most tokens.
        plan: Interventions; see `Text`.
        cached: Whether keys and values may be kept.

    Raises:
        HeadscopeError: As `Text.grow`.
    """
    text, ends = Text(model, token_ids, plan, cached=cached), end_ids(model)
    given: Sequence[int] = token_ids
    for step in range(min(n_tokens, model.n_ctx - len(token_ids))):
        token = sampling.choose(text.grow(given)[-1], step)
        if token in ends:
            return
        given = [token]
        yield token


def end_ids(model: LiveModel) -> frozenset[int]:
    """Tokens that end a text: the tokenizer's, and those of the model's generation settings."""
    own = getattr(model.bridge.tokenizer, "eos_token_id", None)
    config = getattr(model.bridge.original_model, "generation_config", None)
    more = getattr(config, "eos_token_id", None)
    listed = more if isinstance(more, (list, tuple)) else [more]
    return frozenset(int(token) for token in (own, *listed) if token is not None)
