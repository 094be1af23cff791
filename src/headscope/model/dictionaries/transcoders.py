"""Transcoders: features that read what an MLP reads and write what MLPs write.

With x `[position, d_model]` what is read in layer l, features f of that layer and m >= l:

    pre = x @ w_enc.T + b_enc                  [position, feature]
    a   = activation(pre)                      [position, feature]
    MLP output of layer m ~ sum over l <= m of a_l @ w_dec_l[:, m - l] + b_dec_m + x_m @ w_skip_m.T

A per-layer transcoder (Dunefsky et al. 2024) writes to its own layer; a cross-layer one (Ameisen
et al. 2025) to its own and all later ones. Everything is computed in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

import torch

from headscope.errors import ModelError, RequestError
from headscope.model.dictionaries.activations import Activation, JumpReLU

_STREAM = {"hook_resid_mid", "hook_mlp_in", "ln2.hook_in"}
_MLP_INPUT = {"mlp.hook_in", "ln2.hook_out"}
_MLP_OUTPUT = {"hook_mlp_out", "mlp.hook_out"}


@dataclass(frozen=True, eq=False)
class LayerTranscoder:
    """The features of one layer.

    Args:
        layer: Where they read.
        w_enc: Encoder `[feature, d_model]`, of any float dtype; may be memory-mapped.
        b_enc: Encoder bias `[feature]`.
        w_dec: Decoder `[feature, target, d_model]`, memory-mapped or not. Targets are the layers
            from `layer` on: one for a per-layer transcoder.
        b_dec: `[d_model]`, what this layer's MLP output has without any feature.
        activation: What makes activations of pre-activations.
        w_skip: `[d_model (written), d_model (read)]`: a linear path around the features; or None.

    Raises:
        ModelError: The shapes do not fit together, or a bias is no finite number.
    """

    layer: int
    w_enc: torch.Tensor
    b_enc: torch.Tensor
    w_dec: torch.Tensor
    b_dec: torch.Tensor
    activation: Activation
    w_skip: Union[torch.Tensor, None] = None

    def __post_init__(self) -> None:
        if self.w_enc.ndim != 2 or self.w_dec.ndim != 3:
            raise self._wrong("w_enc is [feature, d_model] and w_dec [feature, target, d_model]")
        (features, width), targets = self.w_enc.shape, self.w_dec.shape[1]
        wanted = {
            "b_enc": (features,),
            "w_dec": (features, targets, width),
            "b_dec": (width,),
            "w_skip": (width, width),
        }
        given = {name: getattr(self, name) for name in wanted if getattr(self, name) is not None}
        if isinstance(self.activation, JumpReLU):
            wanted["threshold"] = (features,)
            given["threshold"] = self.activation.threshold
        for name, tensor in given.items():
            if tuple(tensor.shape) != wanted[name]:
                raise self._wrong(
                    f"{name} is {list(tensor.shape)}, not {list(wanted[name])}, "
                    f"beside an encoder of {list(self.w_enc.shape)}"
                )
        if not (features and targets):
            raise self._wrong("there are no features")
        for name in given.keys() & {"b_enc", "b_dec", "threshold"}:
            self._finite(given[name], name)

    @property
    def n_features(self) -> int:
        """How many features there are."""
        return int(self.w_enc.shape[0])

    @property
    def targets(self) -> range:
        """The layers whose MLP outputs the features write to."""
        return range(self.layer, self.layer + int(self.w_dec.shape[1]))

    def pre_activations(self, x: torch.Tensor) -> torch.Tensor:
        """float32 `[n, feature]`, on x's device.

        Args:
            x: What the features read, `[n, d_model]`.

        Raises:
            ModelError: An encoder weight (or x) is no finite number.
        """
        weight = self.w_enc.to(x.device, torch.float32)
        pre = torch.addmm(self.b_enc.to(weight), x.float(), weight.mT)
        return self._finite(pre, "a pre-activation")

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Activations, float32 `[n, feature]`; see `pre_activations`."""
        return self.activation(self.pre_activations(x))

    def encoder(self, features: torch.Tensor) -> torch.Tensor:
        """Encoder rows, float32 `[k, d_model]`, of features int64 `[k]`, on their device."""
        rows = self.w_enc[self._checked(features)]
        return self._finite(rows.to(features.device, torch.float32), "w_enc")

    def decoder(self, features: torch.Tensor, to_layer: int | None = None) -> torch.Tensor:
        """Decoder rows, float32 `[k, d_model]`, of features int64 `[k]`, on their device.

        Args:
            features: Which.
            to_layer: To which MLP output; this layer's unless given.

        Raises:
            RequestError: The features do not write there, or there is no such feature.
        """
        target = self.layer if to_layer is None else to_layer
        if target not in self.targets:
            raise RequestError(
                f"Features of layer {self.layer} do not write to layer {target}.",
                f"They write to {self.targets.start} to {self.targets.stop - 1}.",
            )
        rows = self.w_dec[self._checked(features), target - self.layer]
        return self._finite(rows.to(features.device, torch.float32), "w_dec")

    def skip(self, x: torch.Tensor) -> torch.Tensor | None:
        """What goes around the features, float32 `[n, d_model]`; None where nothing does."""
        if self.w_skip is None:
            return None
        return self._finite(x.float() @ self.w_skip.to(x.device, torch.float32).mT, "w_skip")

    def _checked(self, features: torch.Tensor) -> torch.Tensor:
        """The features' indices where the weights are."""
        index = features.to(self.w_enc.device)
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < self.n_features:
            raise RequestError(
                f"Layer {self.layer} has no such feature.",
                f"There are features 0 to {self.n_features - 1}.",
            )
        return index

    def _finite(self, tensor: torch.Tensor, name: str) -> torch.Tensor:
        if not bool(tensor.isfinite().all()):
            raise self._wrong(f"{name} is NaN or infinite")
        return tensor

    def _wrong(self, what: str) -> ModelError:
        return ModelError(
            f"The transcoder of layer {self.layer} cannot be used: {what}.",
            "Load another one, or write its file again.",
        )


@dataclass(frozen=True, eq=False, repr=False)
class Transcoders:
    """A set of them for every layer of a model. `hs.load_transcoders(path)` makes one.

    Args:
        name: What it was loaded as.
        layers: One for each layer, from 0 on.
        input_hook: What x is, a hook of a block as the file names it. `hook_resid_mid` is the
            residual stream before the norm, `mlp.hook_in` what the MLP itself reads, after the
            norm, its gain and bias. `ln2.hook_normalized` is before the gain of an RMSNorm, and
            after gain and bias of a LayerNorm, as in TransformerLens up to version 3.
        output_hook: What is written: `mlp.hook_out`, or `hook_mlp_out`, which is the same unless a
            norm follows the MLP; then it is what that norm returns.
        revision: Of the Hub, where it is known.
        texts: On which features are shown, where none are given.

    Raises:
        ModelError: A layer is missing, or they do not fit each other.
    """

    name: str
    layers: tuple[LayerTranscoder, ...]
    input_hook: str = "mlp.hook_in"
    output_hook: str = "hook_mlp_out"
    revision: Union[str, None] = None
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        have = [layer.layer for layer in self.layers]
        if not have or have != list(range(len(have))):
            missing = sorted({*range(max(have, default=0) + 1)} - {*have}) or have
            raise self._wrong(f"of the layers from 0 on, {missing} are missing or there twice")
        if len({layer.w_enc.shape[1] for layer in self.layers}) > 1:
            raise self._wrong("its layers are not of one width")
        reach = [len(layer.targets) for layer in self.layers]
        if reach not in ([1] * len(reach), list(range(len(reach), 0, -1))):
            raise self._wrong("each layer must write to itself, or to itself and all later ones")
        known = _STREAM | _MLP_INPUT | {"ln2.hook_normalized"}
        for hook, allowed in ((self.input_hook, known), (self.output_hook, _MLP_OUTPUT)):
            if hook not in allowed:
                raise self._wrong(f"{hook!r} is none of {', '.join(sorted(allowed))}")

    def __repr__(self) -> str:
        kind = "cross-layer" if self.cross_layer else "per layer"
        return (
            f"Transcoders({self.name!r}: {len(self)} layers of {self.layers[0].n_features} "
            f"features, {kind}, d_model {self.d_model}, {self.input_hook} -> {self.output_hook})"
        )

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, layer: int) -> LayerTranscoder:
        return self.layers[layer]

    def __iter__(self) -> Iterator[LayerTranscoder]:
        return iter(self.layers)

    @property
    def d_model(self) -> int:
        """Width of what is read and written."""
        return int(self.layers[0].w_enc.shape[1])

    @property
    def cross_layer(self) -> bool:
        """Whether features write to later layers too."""
        return len(self.layers[0].targets) > 1

    def reads(self, bridge: Any, layer: int) -> str:
        """The hook of `bridge` that shows x of a layer."""
        return f"blocks.{layer}.{self._input_hook(bridge)}"

    def writes(self, layer: int) -> str:
        """The hook that shows what is written in a layer."""
        return f"blocks.{layer}.{self.output_hook}"

    def check(self, bridge: Any) -> None:
        """Refuse a `TransformerBridge` for which these are not made.

        Raises:
            ModelError: Depth or width differ, or it has no such hooks.
        """
        config = bridge.cfg
        theirs = (int(config.n_layers), int(config.d_model))
        if theirs != (len(self), self.d_model):
            raise ModelError(
                f"{self.name} is for {len(self)} layers of width {self.d_model}; the model has "
                f"{theirs[0]} of {theirs[1]}.",
                "Load the transcoders of this model.",
            )
        for hook in (self.reads(bridge, 0), self.writes(0)):
            if hook not in bridge.hook_dict:
                raise ModelError(
                    f"The model has no {hook}.", f"{self.name} needs it: use another model."
                )

    def written(
        self, layer: int, activations: Mapping[int, torch.Tensor], x: torch.Tensor
    ) -> torch.Tensor:
        """The MLP output of a layer as the transcoders have it, float32 `[n, d_model]`.

        Args:
            layer: Which.
            activations: Layer to activations `[n, feature]`, of every layer that writes there.
            x: What is read in `layer`, `[n, d_model]`.
        """
        out = self[layer].b_dec.to(x.device, torch.float32)
        for source in self.layers[: layer + 1] if self.cross_layer else (self[layer],):
            weight = source.w_dec[:, layer - source.layer].to(x.device, torch.float32)
            out = out + activations[source.layer] @ weight
        around = self[layer].skip(x)
        return out if around is None else out + around

    def _input_hook(self, bridge: Any) -> str:
        if self.input_hook in _STREAM:
            return "ln2.hook_in" if "blocks.0.ln2.hook_in" in bridge.hook_dict else "hook_in"
        layer_norm = "RMS" not in str(getattr(bridge.cfg, "normalization_type", None))
        if self.input_hook in _MLP_INPUT or layer_norm:
            return "mlp.hook_in"
        return "ln2.hook_normalized"

    def _wrong(self, what: str) -> ModelError:
        return ModelError(
            f"{self.name} cannot be used: {what}.", "Load another set, or write its files again."
        )
