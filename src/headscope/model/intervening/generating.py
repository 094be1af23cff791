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


def generate(
    model: LiveModel,
    token_ids: Sequence[int],
    sampling: Sampling,
    n_tokens: int,
    plan: Plan | None = None,
    *,
    cached: bool = True,
) -> Iterator[int]:
    """New tokens, one forward pass each; between them nothing of ours is on the model.

    Stops before the tokenizer's end-of-sequence token, and where the model takes no longer text.

    Args:
        model: The model.
        token_ids: The prompt.
        sampling: How tokens are chosen.
        n_tokens: Most tokens.
        plan: Interventions on every pass. Those at positions act on the prompt; all others on new
            tokens too.
        cached: Whether keys and values are kept, where model and interventions allow: only the new
            token then runs.

    Raises:
        HeadscopeError: An intervention does not fit, the plan is not of this model as it is, or the
            model is in training mode.
    """
    text, cache = list(token_ids), None
    keeps = cached and (plan is None or plan.clock.can_cache)
    prompt = torch.tensor([text], device=model.device)
    end = getattr(model.bridge.tokenizer, "eos_token_id", None)
    for step in range(min(n_tokens, model.n_ctx - len(text))):
        model.ready()
        if plan is not None:
            plan.check(model)
        given = text if cache is None else text[-1:]
        logits, cache = _pass(model, given, cache, plan, prompt, keeps=keeps)
        token = sampling.choose(logits, step)
        if token == end:
            return
        text.append(token)
        yield token


def _pass(
    model: LiveModel,
    ids: Sequence[int],
    cache: Any,
    plan: Plan | None,
    prompt: torch.Tensor,
    *,
    keeps: bool,
) -> tuple[torch.Tensor, Any]:
    bridge = model.bridge
    tokens = torch.tensor([list(ids)], device=model.device)
    last = ("unembed.hook_in", lambda stream, hook: stream[:, -1:])
    under: AbstractContextManager[None] = nullcontext()
    if plan is not None:
        under = plan.installed(prompt=prompt)
    more: dict[str, Any] = {} if cache is None else {"past_key_values": cache}
    with torch.no_grad(), model.own_hooks(), leaving_no_trace(bridge), under:
        if keeps:
            logits, cache = bridge.run_with_hooks(
                tokens, fwd_hooks=[last], return_type="logits_and_cache", use_cache=True, **more
            )
        else:
            logits = bridge.run_with_hooks(tokens, fwd_hooks=[last], use_cache=False)
    return logits[0, -1].float(), cache
