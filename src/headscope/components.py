"""The components of a transformer, as users write them and as hooks name them.

embed               what enters the first block (token embedding, with positions where learned)
L9H6                the output of head 6 of layer 9
L9H6.q, .k, .v      the queries, keys or values of head 6, made of what it reads
L9, L9.k            the outputs of all heads of layer 9; the keys of all of them
L9KV3, L9KV3.v      where query heads share key-value heads: the outputs of those that share
                    number 3; its values
MLP5                the MLP of layer 5: as a sender its output, as a receiver its input
L5N17               neuron 17 of that MLP, in circuits of neurons
logits              what is unembedded: the stream after the last block
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Union

from headscope.errors import RequestError

Kind = Literal["embed", "head", "mlp", "neuron", "logits"]
Input = Literal["q", "k", "v"]
INPUTS: tuple[Input, ...] = ("q", "k", "v")

_HEAD = re.compile(r"L(?P<layer>\d+)(?:(?P<kind>H|KV)(?P<index>\d+))?(?:\.(?P<input>[qkv]))?")
_MLP = re.compile(r"MLP(?P<layer>\d+)")
_HOOK = re.compile(r"blocks\.(?P<layer>\d+)\.(?:attn\.hook_(?P<letter>[qkvz])|hook_mlp_out)")
_EMBED, _LOGITS = "blocks.0.hook_resid_pre", "ln_final.hook_in"


def meant(name: str, read: Callable[[str], object]) -> str:
    """`Did you mean L9H6.q? ` of `l9h6.Q`, where `read` takes that; empty where it does not."""
    part, dot, of = name.lower().partition(".")
    other = (part if part in ("embed", "logits") else part.upper()) + dot + of
    if other == name:
        return ""
    try:
        read(other)
    except RequestError:
        return ""
    return f"Did you mean {other}? "


@dataclass(frozen=True)
class Component:
    """A part of the model that writes to the residual stream or reads from it.

    Args:
        kind: `embed`, `head`, `mlp`, `neuron` or `logits`.
        layer: Its block; None for `embed` and `logits`.
        head: The query head; None for all heads, or for those of `kv_head`.
        kv_head: The key-value head.
        input: Which of a head's inputs; None for its output.
        neuron: The neuron of the layer's MLP.
    """

    kind: Kind
    layer: Union[int, None] = None
    head: Union[int, None] = None
    kv_head: Union[int, None] = None
    input: Union[Input, None] = None
    neuron: Union[int, None] = None

    @classmethod
    def parse(cls, text: str) -> Component:
        """The component written as `text`.

        Raises:
            RequestError: It is none.
        """
        name = text.strip()
        if name in ("embed", "logits"):
            return cls("embed" if name == "embed" else "logits")
        if match := _MLP.fullmatch(name):
            return cls("mlp", int(match["layer"]))
        match = _HEAD.fullmatch(name)
        if not match or (match["kind"] == "KV" and match["input"] == "q"):
            raise RequestError(
                f"There is no component {name!r}.",
                f"{meant(name, cls.parse)}Write L9H6, L9H6.q, L9.k, MLP5, embed or logits.",
            )
        index = None if match["index"] is None else int(match["index"])
        head, kv_head = (None, index) if match["kind"] == "KV" else (index, None)
        return cls("head", int(match["layer"]), head, kv_head, _input(match["input"]))

    @classmethod
    def of_hook(cls, name: str, index: int | None = None) -> Component:
        """The component whose activation TransformerLens shows at a hook.

        Args:
            name: The hook.
            index: On its axis of heads (key-value heads for keys and values); None for all.

        Raises:
            RequestError: No component's activation is there.
        """
        if name in (_EMBED, _LOGITS):
            return cls("embed" if name == _EMBED else "logits")
        match = _HOOK.fullmatch(name)
        if not match:
            raise RequestError(
                f"No component's activation is at {name!r}.",
                "Look at hook_z, hook_q, hook_k, hook_v or hook_mlp_out of a block.",
            )
        layer, letter = int(match["layer"]), match["letter"]
        if letter is None:
            return cls("mlp", layer)
        shared = letter in ("k", "v")
        head, kv_head = (None, index) if shared else (index, None)
        return cls("head", layer, head, kv_head, _input(letter))

    @property
    def hook(self) -> str:
        """TransformerLens's hook of its activation: a head's z, q, k or v, an MLP's output, ..."""
        if self.kind == "embed":
            return _EMBED
        if self.kind == "logits":
            return _LOGITS
        inside = {"mlp": "hook_mlp_out", "neuron": "mlp.hook_post"}
        own = f"attn.hook_{self.input or 'z'}"
        return f"blocks.{self.layer}.{inside.get(self.kind, own)}"

    def __str__(self) -> str:
        if self.layer is None:
            return self.kind
        if self.kind == "mlp":
            return f"MLP{self.layer}"
        if self.kind == "neuron":
            return f"L{self.layer}N{self.neuron}"
        head = "" if self.head is None else f"H{self.head}"
        kv_head = "" if self.kv_head is None else f"KV{self.kv_head}"
        return f"L{self.layer}{head}{kv_head}" + ("" if self.input is None else f".{self.input}")


@dataclass(frozen=True)
class Layout:
    """Which components a model has, and which of them can read what others write.

    Args:
        n_layers: Blocks.
        n_heads: Query heads in each.
        n_kv_heads: Key-value heads in each; as many, unless heads share them.
        parallel: Attention and MLP of a block read the same stream.
        mlps: Blocks have an MLP.
        n_neurons: Neurons of each MLP; None where that is not known.
    """

    n_layers: int
    n_heads: int
    n_kv_heads: int
    parallel: bool
    mlps: bool
    n_neurons: Union[int, None] = None

    def resolve(self, component: Component) -> Component:
        """The component as this model has it: keys and values belong to key-value heads, if shared.

        Raises:
            RequestError: The model has no such component.
        """
        limits = ((component.layer, self.n_layers, "layer"), (component.head, self.n_heads, "head"),
                  (component.kv_head, self.n_kv_heads, "key-value head"))  # fmt: skip
        for index, size, name in limits:
            if index is not None and index >= size:
                raise RequestError(
                    f"There is no {component}.", f"The model has {name}s 0 to {size - 1}."
                )
        if component.kind == "mlp" and not self.mlps:
            raise RequestError(f"There is no {component}.", "This model has attention only.")
        if self.n_kv_heads == self.n_heads:
            if component.kv_head is None:
                return component
            return replace(component, head=component.kv_head, kv_head=None)
        if component.input in ("k", "v") and component.head is not None:
            return replace(component, head=None, kv_head=component.head // self.group)
        return component

    @property
    def group(self) -> int:
        """Query heads for each key-value head."""
        return self.n_heads // self.n_kv_heads

    def heads(self, component: Component) -> tuple[int, ...]:
        """The query heads whose outputs a (resolved) component of kind `head` stands for."""
        if component.head is not None:
            return (component.head,)
        if component.kv_head is None:
            return tuple(range(self.n_heads))
        first = component.kv_head * self.group
        return tuple(range(first, first + self.group))

    def reaches(self, sender: Component, receiver: Component) -> bool:
        """Whether what `sender` writes is in the stream that `receiver` reads."""
        return self.written_at(sender) < self.read_at(receiver)

    def written_at(self, component: Component) -> int:
        """When it writes: in units of which a block takes four."""
        if component.layer is None:
            return 0
        return 4 * component.layer + (2 if component.kind == "head" else 4)

    def read_at(self, component: Component) -> int:
        """When it reads, likewise."""
        if component.layer is None:
            return 4 * self.n_layers + 1
        late = component.kind in ("mlp", "neuron") and not self.parallel
        return 4 * component.layer + (3 if late else 1)


def parse_components(given: str | Iterable[str]) -> tuple[Component, ...]:
    """Several components: names in a list, or in one text, separated by commas or spaces.

    Raises:
        RequestError: One of them is none.
    """
    names = given.replace(",", " ").split() if isinstance(given, str) else given
    return tuple(dict.fromkeys(map(Component.parse, names)))


def _input(letter: str | None) -> Input | None:
    return next((part for part in INPUTS if part == letter), None)
