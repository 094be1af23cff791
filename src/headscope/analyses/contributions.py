"""What each part of a model writes to the residual stream, projected on one logit's direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from headscope.errors import ModelError, RequestError
from headscope.model.live import LiveModel
from headscope.model.memory import FLOAT32
from headscope.model.readout import ReadOut
from headscope.model.runs import LOGITS, Site
from headscope.results import Identity, Term

By = Literal["component", "head", "source"]

#: Parts that miss their whole by more than this share are not its parts; bfloat16 rounds to 1 %.
_STRUCTURAL_TOLERANCE = 0.05
#: By so many roundings a sum of parts may miss the stream.
_ROUNDING = 32


@dataclass(frozen=True)
class Sites:
    """Which activations are needed: of every position, or of `position` alone."""

    model: LiveModel
    n_tokens: int
    position: int
    by: By

    @property
    def logits(self) -> Site:
        """The model's logits at `position`."""
        return Site(LOGITS, 0, self.position)

    @property
    def last_logits(self) -> Site:
        """The model's logits at the end of the prompt."""
        return Site(LOGITS, 0, self.n_tokens - 1)

    def stream(self, hook: str) -> Site:
        """An activation `[position, d_model]`."""
        return Site(hook) if self.by == "component" else Site(hook, 0, self.position)

    def layer(self, layer: int, hook: str) -> Site:
        """An activation `[position, d_model]` of a block."""
        return self.stream(f"blocks.{layer}.{hook}")

    @property
    def first(self) -> Site:
        """The first residual stream."""
        return self.layer(self.model.places[0], "hook_resid_pre")

    @property
    def final(self) -> Site:
        """The last residual stream."""
        return self.layer(self.model.places[-1], "hook_resid_post")

    @property
    def read(self) -> Site:
        """What the model's unembedding was given."""
        return self.stream("unembed.hook_in")

    @property
    def embed(self) -> Site:
        """What embeddings write, before any intervention."""
        return self.stream("hook_embed")

    @property
    def pos_embed(self) -> Site | None:
        """Where learned positions enter, if they do."""
        has = "hook_pos_embed" in self.model.bridge.hook_dict and not self.model.capabilities.rotary
        return self.stream("hook_pos_embed") if has else None

    def mlp(self, layer: int) -> Site | None:
        """What the layer's MLP writes, if it has one."""
        hook = f"blocks.{layer}.hook_mlp_out"
        return self.stream(hook) if hook in self.model.bridge.hook_dict else None

    def z(self, layer: int) -> Site:
        """`[head, d_head]`: the heads' outputs before W_O, at `position`."""
        return Site(f"blocks.{layer}.attn.hook_z", 0, self.position)

    def pattern_row(self, layer: int) -> Site:
        """`[head, src]`: attention from `position`."""
        return Site(f"blocks.{layer}.attn.hook_pattern", 1, self.position)

    def values(self, layer: int) -> Site:
        """`[src, key-value head, d_head]`."""
        return Site(f"blocks.{layer}.attn.hook_v")

    @property
    def working_bytes(self) -> int:
        """Most that projecting them takes at a time: every write in float32, and their stack."""
        n_positions = self.n_tokens if self.by == "component" else 1
        n_writes = 2 * self.model.n_layers + 2
        return 2 * n_writes * n_positions * self.model.d_model * FLOAT32

    def wanted(self) -> list[Site]:
        """All of them."""
        layers = range(self.model.n_layers)
        sites = [self.logits, self.last_logits, self.final, self.read]
        sites.append(self.first)
        sites += [self.layer(layer, "hook_attn_out") for layer in layers]
        if self.model.interventions:
            sites.append(self.embed)
        optional = [self.pos_embed, *(self.mlp(layer) for layer in layers)]
        sites += [site for site in optional if site is not None]
        if self.by != "component":
            sites += [self.z(layer) for layer in layers]
        if self.by == "source":
            sites += [s(layer) for s in (self.pattern_row, self.values) for layer in layers]
        return sites


@dataclass(frozen=True)
class Writer:
    """Something that adds to the residual stream."""

    label: str
    kind: Literal["embeddings", "attention", "MLPs", "interventions"]
    layer: int | None = None

    @property
    def component(self) -> str:
        """The component that it is, or is a part of."""
        if self.layer is None:
            return "embed"
        return f"L{self.layer}.attn_out" if self.kind == "attention" else f"MLP{self.layer}"


#: What changes the stream between the writes: steering, a patched stream, a layer that runs twice.
INTERVENTIONS = Writer("interventions", "interventions")


class Contributions:
    """Every write projected on the direction of the logit.

    `place` is where `position` is in the projected streams: they hold every position, or it alone.
    """

    def __init__(
        self,
        path: ReadOut,
        sites: Sites,
        found: Mapping[Site, torch.Tensor],
        answer: int,
        wrong: int | None,
    ) -> None:
        self.sites = sites
        self.model = sites.model
        self.found = found
        self.device = path.unembedding.device
        self.direction = path.direction(answer, wrong)
        self.constant = path.constant(answer, wrong)
        final = self._stream(sites.final)
        self.scale = path.scale(final)[:, 0]
        self.place = sites.position if sites.by == "component" else 0
        logits = found[sites.logits].to(self.device)
        path.check(final[self.place][None], logits[None])

        writes = self._writes()
        total = torch.stack(list(writes.values())).sum(0)
        if self.model.interventions:
            changed = final - total
            if not _equal(total, final, _ROUNDING * torch.finfo(found[sites.final].dtype).eps):
                writes[INTERVENTIONS] = changed
        elif not _equal(total, final):
            raise ModelError(
                f"In {self.model.name}, what attention and MLPs write is changed on the way, so it "
                "does not add up.",
                "Use hs.LogitLens.",
            )
        self.written = {writer: self.project(write) for writer, write in writes.items()}
        self.targets = path.raw_logit(self._stream(sites.read), answer, wrong)
        if not path.transforms:  # then the model's own output is the independent witness
            self.targets[self.place] = logits[answer] - (0 if wrong is None else logits[wrong])

    def _stream(self, site: Site) -> torch.Tensor:
        """float32 `[position, d_model]`."""
        return self.found[site].to(self.device).float().reshape(-1, self.model.d_model)

    def _writes(self) -> dict[Writer, torch.Tensor]:
        """What everything adds to the stream, in the order in which it does."""
        sites = self.sites
        embed, pos_embed = Writer("embed", "embeddings"), Writer("pos_embed", "embeddings")
        # The first stream is what interventions leave of the embeddings.
        writes = {embed: self._stream(sites.embed if self.model.interventions else sites.first)}
        if sites.pos_embed is not None:
            writes[pos_embed] = self._stream(sites.pos_embed)
            if not self.model.interventions:
                writes[embed] = writes[embed] - writes[pos_embed]
        for layer in range(self.model.n_layers):
            attention = self._stream(sites.layer(layer, "hook_attn_out"))
            writes[Writer(f"L{layer} attn", "attention", layer)] = attention
            mlp = sites.mlp(layer)
            if mlp is not None:
                writes[Writer(f"L{layer} mlp", "MLPs", layer)] = self._stream(mlp)
        return writes

    def project(self, write: torch.Tensor) -> torch.Tensor:
        """Contribution of each position's write, float32 `[position]`."""
        return write @ self.direction / self.scale

    def heads(self) -> tuple[torch.Tensor, float]:
        """Contribution of every head, `[layer, head]`, and of all the attention biases."""
        rows, biases = [], 0.0
        for layer in range(self.model.n_layers):
            w_out, b_out = self._output(layer)
            z = self.found[self.sites.z(layer)].to(self.device).float()
            written = torch.einsum("hk,hkd->d", z, w_out) + b_out
            attn_out = self._stream(self.sites.layer(layer, "hook_attn_out"))[0]
            self._refuse_heads_unless(_equal(written, attn_out), "write")
            rows.append(torch.einsum("hk,hkd,d->h", z, w_out, self.direction) / self.scale)
            biases += float(self.project(b_out))
        return torch.stack(rows), biases

    def sources(self) -> torch.Tensor:
        """Contribution of every head from every source, `[layer, head, src]`."""
        rows = []
        for layer in range(self.model.n_layers):
            w_out, _ = self._output(layer)
            values = self.found[self.sites.values(layer)].to(self.device).float()
            values = values.repeat_interleave(len(w_out) // values.shape[1], dim=1)
            pattern = self.found[self.sites.pattern_row(layer)].to(self.device).float()
            z = self.found[self.sites.z(layer)].to(self.device).float()
            moved = torch.einsum("hs,shk->hk", pattern, values)
            self._refuse_heads_unless(_equal(moved, z), "read")
            read = torch.einsum("shk,hk->hs", values, w_out @ self.direction)
            rows.append(pattern * read / self.scale)
        return torch.stack(rows)

    def _output(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        weight, bias = self.model.output_weights(layer)
        bias = bias if layer not in self.model.left_out else torch.zeros_like(bias)
        return weight.to(self.device), bias.to(self.device)

    def _refuse_heads_unless(self, whole: bool, what: str) -> None:
        if not whole:
            raise RequestError(
                f"In {self.model.name}, what heads {what} is changed on the way, so it does not "
                "add up.",
                "Use by='component'.",
            )

    def changed(self) -> dict[str, float]:
        """The term of interventions on the stream itself, if there are any."""
        name = INTERVENTIONS.label
        return {name: self.sum_of(INTERVENTIONS.kind)} if INTERVENTIONS in self.written else {}

    def sum_of(self, kind: str) -> float:
        """What all writers of a kind contribute at `position`."""
        return sum(
            float(contribution[self.place])
            for writer, contribution in self.written.items()
            if writer.kind == kind
        )

    def identity(self, terms: Mapping[str, float], label: str) -> Identity:
        """The equation, with its largest error over the projected positions and for `terms`."""
        total = torch.stack(list(self.written.values())).sum(0) + self.constant
        target = float(self.targets[self.place])
        everywhere = float((total - self.targets).abs().max())
        return Identity(
            tuple(Term(name, value) for name, value in terms.items()),
            Term(label, target),
            max(everywhere, abs(sum(terms.values()) - target)),
            len(self.targets),
        )


def _equal(
    parts: torch.Tensor, whole: torch.Tensor, tolerance: float = _STRUCTURAL_TOLERANCE
) -> bool:
    missed = (parts - whole).norm(dim=-1)
    return bool((missed <= tolerance * whole.norm(dim=-1)).all())
