"""`LiveModel`: a user's bridge, read but never changed."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch

from headscope._version import __version__
from headscope.arguments import short
from headscope.components import Layout
from headscope.errors import ModelError, ResultError
from headscope.interventions import Interventions
from headscope.model.capabilities import Capabilities, capabilities, name_of
from headscope.model.expected import Expected
from headscope.model.inventory import Inventory
from headscope.model.layout import layout
from headscope.model.memory import pass_bytes, refuse_if_too_large, site_bytes
from headscope.model.readout import ReadOut
from headscope.model.recorded import leaving_no_trace
from headscope.model.runs import LOGITS, Pool, RunCache, Site
from headscope.model.tokens import PromptLike, Tokens
from headscope.model.watching import Observer, Watch
from headscope.results import JsonValue, NextToken, Prompt, Provenance

_REGISTRY: weakref.WeakValueDictionary[int, LiveModel] = weakref.WeakValueDictionary()


_version = cache(version)


class Acting(Protocol):
    """Interventions as they act on a model; see `headscope.model.intervening.Plan`."""

    @property
    def interventions(self) -> Interventions:
        """Those that are on."""

    @property
    def described(self) -> tuple[str, ...]:
        """Each as JSON."""

    @property
    def runs(self) -> RunCache:
        """Where runs with them are kept."""

    @property
    def in_order(self) -> bool:
        """Whether every block runs once, in its own place."""

    @property
    def left_out(self) -> frozenset[int]:
        """Blocks that do not run."""

    @property
    def places(self) -> tuple[int, ...]:
        """For each place in the stack the block whose output leaves it."""

    def installed(self) -> AbstractContextManager[None]:
        """The model computes with them within."""


class LiveModel:
    """A `TransformerBridge` as the analyses see it. Get one by `LiveModel.of(bridge)`.

    There is one per bridge, alive as long as anybody uses it. The runs it caches go with it, or
    when those of other models need the room (`runs.POOL`).
    """

    def __init__(self, bridge: Any) -> None:
        self.bridge = bridge
        self._runs = RunCache()
        self._tokens = Tokens(bridge)
        capabilities(bridge)  # refuses what cannot be read at all
        self._inventory = Inventory.of(bridge)
        self._acting: Acting | None = None
        self._expected = Expected((), ())

    @classmethod
    def of(cls, source: Any) -> LiveModel:
        """The live model of `source`.

        Args:
            source: A `TransformerBridge` or a `LiveModel`.

        Raises:
            ModelError: It is something else, or not one stack of blocks with an unembedding.
        """
        if isinstance(source, cls):
            return source
        from transformer_lens.model_bridge import TransformerBridge

        if not isinstance(source, TransformerBridge):
            named = isinstance(source, (str, Path)) and " " not in str(source)  # or it is a prompt
            fix = f"hs.load({str(source)!r})" if named else "hs.load(name)"
            raise ModelError(
                f"The model is {short(source)}, not a TransformerBridge.",
                f"Pass {fix}, or TransformerBridge.boot_transformers(name, hf_model=model).",
            )
        model = _REGISTRY.get(id(source))
        if model is None:
            _REGISTRY[id(source)] = model = cls(source)
        return model

    @property
    def name(self) -> str:
        """Model name; of a directory only its last part."""
        return name_of(self.bridge)

    @property
    def architecture(self) -> str:
        """Class of the wrapped model."""
        return str(self.bridge.cfg.architecture or type(self.bridge.original_model).__name__)

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return int(self.bridge.cfg.n_layers)

    @property
    def n_heads(self) -> int:
        """Number of query heads in a layer."""
        return int(self.bridge.cfg.n_heads)

    @property
    def n_ctx(self) -> int:
        """Longest prompt."""
        return int(self.bridge.cfg.n_ctx)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.bridge.cfg.d_model)

    @property
    def d_head(self) -> int:
        """Width of a head."""
        return int(self.bridge.cfg.d_head)

    @property
    def d_vocab(self) -> int:
        """Size of the vocabulary."""
        return int(self.bridge.cfg.d_vocab)

    @property
    def dtype(self) -> str:
        """Parameter dtype, such as `float32`."""
        return str(self._first_parameter.dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        """Where the prompt goes in, such as `cuda:0`."""
        return str(self._first_parameter.device)

    @property
    def revision(self) -> str | None:
        """Hub revision, where the wrapped model knows it."""
        config = getattr(self.bridge.original_model, "config", None)
        return getattr(config, "_commit_hash", None)

    @property
    def fingerprint(self) -> str:
        """The same for the same weights, in another process too; a sample of them is read."""
        return self._inventory.fingerprint()

    @property
    def capabilities(self) -> Capabilities:
        """What the model has, as it is now."""
        return capabilities(self.bridge)

    @property
    def bos_id(self) -> int | None:
        """Id of the beginning-of-sequence token; None if there is none."""
        found = getattr(self.bridge.tokenizer, "bos_token_id", None)
        return None if found is None else int(found)

    @property
    def layout(self) -> Layout:
        """Its components, and which of them can read what others write."""
        return layout(self.bridge)

    @property
    def _first_parameter(self) -> torch.Tensor:
        return next(iter(self.bridge.parameters()))  # type: ignore[no-any-return]

    def tokenize(self, prompt: PromptLike) -> Prompt:
        """The prompt as it will run; see `Tokens.tokenize`."""
        return self._tokens.tokenize(prompt)

    def token_text(self, token_id: int) -> str:
        """Text of one token; see `Tokens.text`."""
        return self._tokens.text(token_id)

    def token_id(self, token: str | int) -> int:
        """Id of a text that is one token; see `Tokens.id`."""
        return self._tokens.id(token)

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of a text as it is, no beginning-of-sequence token before it."""
        return self._tokens.encode(text)

    @property
    def opening(self) -> tuple[int, ...]:
        """Ids that are put before a text; see `Tokens.opening`."""
        return self._tokens.opening

    def decode(self, ids: Sequence[int]) -> str:
        """The text that `ids` spell; see `Tokens.decode`."""
        return self._tokens.decode(ids)

    def ready(self) -> None:
        """Refuse to run in a state in which results would mean nothing.

        Raises:
            ModelError: Some module is in training mode (dropout would be on).
        """
        self._inventory.refresh()
        if self._inventory.is_training():
            raise ModelError("The model is in training mode.", "Call bridge.eval() first.")

    def forward(
        self,
        token_ids: Sequence[int],
        observers: Mapping[str, Observer],
        *,
        logits_at: Sequence[int] = (-1,),
        stop_at_layer: int | None = None,
        work: int = 0,
        kept: int = 0,
    ) -> torch.Tensor:
        """Run the model once, showing activations to observers. Nothing stays on the bridge.

        Args:
            token_ids: The prompt's ids.
            observers: Hook name to a function of the activation, without its batch axis. The
                user's own hooks have acted on it before.
            logits_at: Positions whose logits are wanted; only these are unembedded (unless hooks of
                the user's might be watching).
            stop_at_layer: Leave out this layer and those above; no logits then.
            work: Bytes that the observers, or what follows, need at a time on the model's device.
            kept: Bytes that are kept in main memory of what the observers see.

        Returns:
            float32 `[position, d_vocab]`; empty after `stop_at_layer`.

        Raises:
            ModelError: The model is not ready, or lacks a hook, or never fires it.
            RequestError: All of it needs more memory than is free.
        """
        self.ready()
        unknown = observers.keys() - self.bridge.hook_dict.keys()
        if unknown:
            raise ModelError(
                f"{self.name} has no {min(unknown)}.",
                "Its blocks are not attention followed by an MLP, which this analysis needs.",
            )
        acting = self._acting
        if acting is not None and not acting.in_order:
            stop_at_layer = None  # a layer that is watched may run above it
        positions = [position % len(token_ids) for position in logits_at]
        more: tuple[Site, ...] = ()
        # On an accelerator a run costs less than to bring all that back.
        if stop_at_layer is None and self.device == "cpu" and self._expected.is_of(token_ids):
            runs = self.open_runs()
            replayed = self._expected.replayed(runs, observers, positions)
            if replayed is not None:
                return replayed
            more = self._expected.missing(runs, self.bridge)
        watch = Watch(observers, self.left_out, self._expected.keepers(runs, more) if more else ())
        fwd_hooks: list[tuple[str, Any]] = [*watch.hooks()]
        narrow = stop_at_layer is None and not self._inventory.hooks()
        n_logits = len(positions) if narrow else len(token_ids) if stop_at_layer is None else 0
        n_layers = self.n_layers if stop_at_layer is None else stop_at_layer
        needs = Counter({self.device: work})
        needs[self.device] += pass_bytes(self.bridge, len(token_ids), n_layers, n_logits)
        needs["cpu"] += kept + sum(self._site_bytes(site, token_ids) for site in more)
        refuse_if_too_large(needs, f"{self.name} on {len(token_ids)} tokens")
        if narrow:
            fwd_hooks.append(("unembed.hook_in", lambda stream, hook: stream[:, positions]))
        ids = torch.tensor([list(token_ids)], device=self._first_parameter.device)
        with torch.no_grad(), self._inventory.own_hooks(), leaving_no_trace(self.bridge):
            output = self.bridge.run_with_hooks(
                ids, fwd_hooks=fwd_hooks, stop_at_layer=stop_at_layer
            )
        if missed := watch.finish():
            raise ModelError(
                f"{self.name} ran without showing {min(missed)}.",
                "Load it by hs.load(name), which picks an attention implementation that does.",
            )
        if stop_at_layer is not None:
            return torch.empty(0, self.d_vocab)
        logits: torch.Tensor = output[0] if narrow else output[0, positions]
        return logits.float()

    def activations(
        self, token_ids: Sequence[int], wanted: Iterable[Site], *, work: int = 0
    ) -> dict[Site, torch.Tensor]:
        """Activations from the cache, or from one forward pass.

        Args:
            token_ids: The prompt's ids.
            wanted: What to get.
            work: Bytes that what follows needs on the model's device.

        Returns:
            Tensors without batch axis, on the CPU, in the model's dtype (logits in float32). Not to
            be changed in place.

        Raises:
            ModelError: See `forward`.
            RequestError: All of it needs more memory than is free.
        """
        key = tuple(token_ids)
        wanted = list(wanted)
        runs = self.open_runs()
        have: dict[Site, torch.Tensor] = {}
        for site in wanted:
            if (cached := runs.get((key, site))) is not None:
                have[site] = cached
        missing = [site for site in wanted if site not in have]
        if not missing:
            return have
        if self.left_out:  # what a block that is left out comes to is seen beside the others
            missing = wanted

        def keep(sites: Sequence[Site]) -> Observer:
            def observer(activation: torch.Tensor) -> None:
                for site in sites:
                    have[site] = site.of(activation)

            return observer

        hooks = {site.hook for site in missing} - {LOGITS}
        observers = {hook: keep([s for s in missing if s.hook == hook]) for hook in hooks}
        positions = [s.index for s in missing if s.hook == LOGITS and s.index is not None]
        kept = sum(self._site_bytes(site, key) for site in missing)
        logits = self.forward(key, observers, logits_at=positions, work=work, kept=kept)
        have |= {Site(LOGITS, 0, p): row.cpu() for p, row in zip(positions, logits, strict=True)}
        for site in missing:
            runs.put((key, site), have[site])
        return have

    def expect(self, token_ids: Sequence[int], sites: Iterable[Site]) -> None:
        """Let whoever runs a prompt next keep what others are about to ask of it.

        So that it runs once for all of them. Replaces what was expected before.
        """
        self._expected = Expected(tuple(token_ids), tuple(sites))

    def _site_bytes(self, site: Site, token_ids: Sequence[int]) -> int:
        return site_bytes(self.bridge, site, len(token_ids))

    def forget_runs(self) -> None:
        """Drop every cached run: the next one really runs."""
        self._runs.clear()

    def user_hooks(self) -> tuple[str, ...]:
        """Hook points (or plain modules) that carry forward hooks of the user's, as they are now.

        Ask in the step in which the model runs: between steps hooks may come and go.
        """
        self._inventory.refresh()
        return tuple(self._inventory.hooks())

    def state(self) -> Any:
        """Another value when the weights, the user's hooks or the training mode have changed.

        Or when other interventions act.
        """
        inventory = self._inventory
        inventory.refresh()
        return inventory.weights(), inventory.hooks(), inventory.is_training(), self._acting

    @property
    def interventions(self) -> tuple[str, ...]:
        """Those that act now, each as JSON."""
        return () if self._acting is None else self._acting.described

    @property
    def acting(self) -> Interventions:
        """Those that act now."""
        return Interventions() if self._acting is None else self._acting.interventions

    @property
    def left_out(self) -> frozenset[int]:
        """Blocks that do not run now."""
        return frozenset() if self._acting is None else self._acting.left_out

    @property
    def places(self) -> tuple[int, ...]:
        """For each place in the stack the block that runs there now."""
        return tuple(range(self.n_layers)) if self._acting is None else self._acting.places

    @contextmanager
    def under(self, acting: Acting) -> Iterator[None]:
        """Interventions act within, and are known for what they are.

        They are no hooks of the user's; runs are kept apart from the plain ones, and `state` is
        another one.
        """
        before = self._acting
        with self._inventory.interventions(acting.installed(), acting.places):
            self._acting = acting
            try:
                yield
            finally:
                self._acting = before

    def still(self, state: Any, since: str) -> None:
        """Refuse to go on with a model that is not as it was.

        Args:
            state: What `state` gave.
            since: What began then.

        Raises:
            ResultError: Its weights or the hooks on it have changed.
        """
        if self.state() != state:
            raise ResultError(
                f"The model's weights or hooks have changed since {since}.", "Run it again."
            )

    def own_hooks(self) -> AbstractContextManager[None]:
        """What is hooked within is Headscope's own, and gone at the end: `state` needs no walk."""
        return self._inventory.own_hooks()

    def at_once(self) -> AbstractContextManager[None]:
        """Nobody else's code runs within, as in a step of a job: weights are looked at once."""
        return self._inventory.at_once()

    def open_runs(self) -> RunCache:
        """The cached runs, emptied if the weights have changed since.

        While the user's hooks are on the model the runs are set aside: an empty cache that keeps
        nothing is returned. Interventions that act have a cache of their own.
        """
        self._inventory.refresh()
        if self._inventory.hooks():
            return RunCache(Pool(0))
        runs = self._runs if self._acting is None else self._acting.runs
        runs.validate(self._inventory.weights())
        return runs

    def read_out(self) -> ReadOut:
        """How the residual stream becomes logits."""
        return ReadOut.of(self.bridge)

    def output_weights(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """W_O `[head, d_head, d_model]` and b_O `[d_model]` of a layer, float32."""
        attention = self.bridge.blocks[layer].attn
        weight = attention.W_O.detach().float()
        bias = getattr(attention, "b_O", None)
        return weight, weight.new_zeros(self.d_model) if bias is None else bias.detach().float()

    def output_gram(self, layer: int, runs: RunCache) -> torch.Tensor:
        """W_O W_O^T of every head `[head, d_head, d_head]`: |v W_O|^2 = v W_O W_O^T v.

        Args:
            layer: The layer.
            runs: From `open_runs`: where it is kept until the weights change.
        """
        key = ("output_gram", layer)
        gram = runs.get(key)
        if gram is None:
            weight, _ = self.output_weights(layer)
            gram = weight @ weight.mT
            runs.put(key, gram)
        return gram

    def next_tokens(self, logits: torch.Tensor, k: int = 10) -> tuple[NextToken, ...]:
        """The `k` most probable next tokens.

        Args:
            logits: The model's logits at the last position, `[d_vocab]`.
            k: How many.
        """
        top = logits.float().softmax(-1).topk(min(k, logits.shape[-1]))
        return tuple(
            NextToken(token_id, self.token_text(token_id), probability)
            for token_id, probability in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        )

    def provenance(
        self,
        analysis: str,
        prompts: Sequence[Prompt],
        parameters: Mapping[str, JsonValue],
        *,
        sign: str,
        normalisation: str,
        user_hooks: Sequence[str],
        notes: Sequence[str] = (),
        seed: int | None = None,
    ) -> Provenance:
        """The record that a result of this model carries; see `Provenance`."""
        return Provenance(
            analysis=analysis,
            model=self.name,
            architecture=self.architecture,
            dtype=self.dtype,
            device=self.device,
            processed_weights=self.capabilities.processed_weights,
            prompts=tuple(prompts),
            parameters=dict(parameters),
            sign=sign,
            normalisation=normalisation,
            versions={
                "headscope": __version__,
                "torch": str(torch.__version__),
                "transformer_lens": _version("transformer-lens"),
                "transformers": _version("transformers"),
            },
            revision=self.revision,
            fingerprint=self.fingerprint,
            seed=seed,
            notes=tuple(notes),
            user_hooks=tuple(user_hooks),
            interventions=self.interventions,
        )
