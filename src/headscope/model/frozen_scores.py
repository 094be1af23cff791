"""Attention scores as products of a query and a key that are linear in the frozen stream.

    score = factor (R_dest q) . (R_src k),    q = norm(stream) W_Q + b_Q,  k likewise

with the norm's scale held, rotations R where positions are rotary, and the factor that the model's
own scores have (before any soft cap). A model whose scores are anything else is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from headscope.components import Input
from headscope.errors import ModelError
from headscope.model.edges import Wiring
from headscope.model.frozen import FrozenRun
from headscope.model.live import LiveModel
from headscope.model.replacement_parts import Readers
from headscope.model.runs import Site

_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class HeadScores:
    """The scores of one head in one run.

    Args:
        layer: Its layer.
        factor: What products of queries and keys are multiplied by.
        scores: The model's own, before any soft cap, `[dest, src]`.
        pattern: What softmax made of them, `[dest, src]`.
    """

    layer: int
    factor: float
    scores: torch.Tensor
    pattern: torch.Tensor
    _wiring: Wiring
    _head: int
    _scale: torch.Tensor
    _rotary: tuple[torch.Tensor, torch.Tensor] | None

    def reader(self, letter: Input, position: int) -> Readers:
        """What the head's query (`q`) or key (`k`) at a position reads, one reader per number."""
        head = self._head
        if letter == "k":
            shared = self._wiring.map.layout
            head = head // shared.group
        rows = self._wiring.pulled(self.layer, letter)[head].float() / self._scale[position]
        none = torch.zeros_like(rows[:1]).expand(self._wiring.map.width(letter), 1, -1)
        bias = self._wiring.read(self.layer, letter, none)[0, head].float()
        where = torch.full((len(rows),), position, device=rows.device)
        return Readers(torch.full_like(where, 2 * self.layer), where, rows, bias)

    def turned(self, numbers: torch.Tensor, position: int) -> torch.Tensor:
        """Queries or keys `[d_head, n]` at a position, rotated where positions are rotary."""
        return numbers if self._rotary is None else _turned(numbers.T, self._rotary, position).T


def head_scores(
    model: LiveModel, run: FrozenRun, ids: tuple[int, ...], layer: int, head: int
) -> HeadScores:
    """The scores of a head.

    Args:
        model: The model.
        run: Its frozen run,
        ids: of this prompt.
        layer: The layer.
        head: The query head.

    Raises:
        ModelError: The model's scores are not such products.
    """
    at, rotary_names = f"blocks.{layer}.attn.", ("hook_cos", "hook_sin")
    wiring = Wiring(model.bridge, model.layout)
    names = ["hook_q", "hook_k", "hook_attn_scores", "hook_pattern"]
    names += [
        n for n in rotary_names if model.capabilities.rotary and at + n in model.bridge.hook_dict
    ]
    found = model.activations(ids, [Site(at + name) for name in names])

    def of(name: str) -> torch.Tensor:
        return found[Site(at + name)].to(model.device).float()

    rotary = (of("hook_cos"), of("hook_sin")) if "hook_cos" in names else None
    queries, keys = of("hook_q")[:, head], of("hook_k")[:, head // model.layout.group]
    scores = of("hook_attn_scores")[head]
    cap = getattr(model.bridge.cfg, "attn_scores_soft_cap", None)
    if cap is not None and cap > 0:
        scores = cap * torch.atanh(scores / cap)
    if rotary is not None:
        queries, keys = (
            torch.stack([_turned(row, rotary, i) for i, row in enumerate(rows)])
            for rows in (queries, keys)
        )
    products = queries @ keys.T
    seen = of("hook_pattern")[head] > 0
    best = int((products * seen).abs().argmax())
    factor = float(scores.flatten()[best] / products.flatten()[best])
    off = float(((products * factor - scores)[seen]).abs().max())
    if not off <= _TOLERANCE * float(scores[seen].abs().max()):
        raise ModelError(
            f"Attention scores of {model.name} are not products of its queries and keys (off by "
            f"{off:.1g}).",
            "They cannot be split.",
        )
    scale = wiring.norm(layer).scale(run.streams[layer])
    return HeadScores(layer, factor, scores, of("hook_pattern")[head], wiring, head, scale, rotary)


def _turned(
    rows: torch.Tensor, rotary: tuple[torch.Tensor, torch.Tensor], position: int
) -> torch.Tensor:
    """Rows `[..., d_head]` rotated as at a position: halves of the first numbers are pairs."""
    cos, sin = (angles[position] for angles in rotary)
    part, rest = rows[..., : len(cos)], rows[..., len(cos) :]
    first, second = part.chunk(2, -1)
    return torch.cat([part * cos + torch.cat([-second, first], -1) * sin, rest], -1)
