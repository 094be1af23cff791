"""Which tokens a forward pass is about, seen by a hook on the wrapped model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from headscope.errors import RequestError


class Clock:
    """The tokens of the current forward pass, and where they stand in the text.

    A pass that goes on from a cache of keys and values belongs to the prompt of the pass before.
    """

    def __init__(self) -> None:
        #: Whether a cache of keys and values may be gone on from.
        self.can_cache = True
        #: The prompt `[row, position]` while a text grows beyond it; otherwise each text is one.
        self.fixed: torch.Tensor | None = None
        self.offset = 0
        self.prompt: torch.Tensor | None = None
        self.length = 0

    def see(self, _module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A forward pre-hook of the wrapped model, which is given its arguments."""
        given = kwargs.get("input_ids", args[0] if args else None)
        ids = given if isinstance(given, torch.Tensor) and given.ndim == 2 else None
        length = _length(kwargs.get("past_key_values"))
        if length and not self.can_cache:
            raise RequestError(
                "Where layer 0 is left out or a layer is repeated, keys and values cannot be kept.",
                "Run the whole text, with use_cache=False.",
            )
        self.begin(ids, length)

    def begin(self, ids: torch.Tensor | None, offset: int = 0) -> None:
        """A pass over `ids` `[row, position]` begins, whose first position is `offset`."""
        self.offset = offset
        if self.fixed is not None or offset == 0:
            self.prompt = ids if self.fixed is None else self.fixed
            self.length = 0 if self.prompt is None else int(self.prompt.shape[1])

    def first_key(self, n_queries: int, n_keys: int) -> int:
        """The position of the first key that is seen: later ones only where a window slides."""
        return max(0, self.offset + n_queries - n_keys)

    def local(self, positions: Sequence[int] | None, n: int) -> list[int] | slice:
        """Where `positions` of the text are among the `n` of this pass.

        Raises:
            RequestError: The text has no such position.
        """
        if positions is None:
            return slice(None)
        length = self.length or n
        found = []
        for position in positions:
            place = position + length if position < 0 else position
            if place < 0 or (place >= length and self.offset == 0):
                raise RequestError(
                    f"An intervention is at position {position}, and the prompt has {length} "
                    "tokens.",
                    f"Use {-length} to {length - 1}, or positions=None for all.",
                )
            if 0 <= place - self.offset < n:
                found.append(place - self.offset)
        return found


def _length(cache: Any) -> int:
    """Tokens in a cache of keys and values, of which a layer that is left out has none."""
    layers = range(len(getattr(cache, "layers", ())))
    return max((int(cache.get_seq_length(layer)) for layer in layers), default=0)
