"""Prompts and tokens. Positions are those of the very ids that run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Union

import torch

from headscope.arguments import short
from headscope.errors import PromptError
from headscope.results import Prompt

PromptLike = Union[str, Sequence[int], torch.Tensor, Prompt]

_SENTENCEPIECE_SPACE = "\u2581"
_REPLACEMENT = "\ufffd"


class Tokens:
    """Texts to ids and back, for one bridge.

    Args:
        bridge: The `TransformerBridge`; its tokenizer may be None.
    """

    def __init__(self, bridge: Any) -> None:
        self._bridge = bridge
        self._texts: dict[int, str] = {}

    @property
    def _tokenizer(self) -> Any:
        return self._bridge.tokenizer

    @property
    def _size(self) -> int:
        return int(self._bridge.cfg.d_vocab)

    def tokenize(self, prompt: PromptLike) -> Prompt:
        """The prompt as it will run.

        Args:
            prompt: A string (a beginning-of-sequence token is put before it where the bridge does
                so by default), token ids `[position]` (run as they are), or a `Prompt`.

        Raises:
            PromptError: It is empty, longer than the model's context, has ids outside the
                vocabulary, or is a string and there is no tokenizer. Nothing is ever truncated.
        """
        if isinstance(prompt, Prompt):
            text, ids = prompt.text, prompt.token_ids
        elif isinstance(prompt, str):
            text, ids = prompt, self._encode_prompt(prompt)
        else:
            text, ids = "", _as_ids(prompt)
        if not ids:
            raise PromptError("The prompt is empty.", "Type at least one token.")
        self._check_ids(ids)
        limit = int(self._bridge.cfg.n_ctx)
        if len(ids) > limit:
            raise PromptError(
                f"The prompt is {len(ids)} tokens long, {limit} is the longest this model takes.",
                f"Shorten it by {len(ids) - limit}; Headscope does not truncate prompts.",
            )
        return Prompt(text=text, tokens=tuple(map(self.text, ids)), token_ids=ids)

    def text(self, token_id: int) -> str:
        """Text of one token. A token that is part of a character shows its bytes as `<0xE6>`."""
        if token_id not in self._texts:
            self._texts[token_id] = self._token_text(token_id)
        return self._texts[token_id]

    def id(self, token: str | int) -> int:
        """Id of one token.

        Args:
            token: An id, or a text that is exactly one token as given, or else with a space before
                it (so that `"Paris"` finds `" Paris"` where only that is a token), or else one that
                the tokenizer makes only inside a word (the "32" of "1732").

        Raises:
            PromptError: The text is several tokens, or the id is outside the vocabulary.
        """
        if not isinstance(token, str):
            ids = _as_ids([token])
            if len(ids) != 1:
                raise PromptError(f"{short(token)} is not one token.", "Pass its text or its id.")
            self._check_ids(ids)
            return ids[0]
        pieces = self._encode(token)
        if len(pieces) == 1:
            return pieces[0]
        spaced = self._encode(f" {token}")
        if len(spaced) == 1:
            return spaced[0]
        inside = self._tokenizer.convert_tokens_to_ids(token)
        if isinstance(inside, int) and 0 <= inside < self._size and self.text(inside) == token:
            return inside
        if not pieces:
            raise PromptError("The token is empty.", "Pass a token's text or its id.")
        shown = ", ".join(repr(self.text(piece)) for piece in pieces)
        raise PromptError(
            f"{token!r} is {len(pieces)} tokens, not one: {shown}.",
            f"Pass one of them, or a token id such as {pieces[0]}.",
        )

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of a text as it is, no beginning-of-sequence token before it.

        Raises:
            PromptError: There is no tokenizer.
        """
        return tuple(self._encode(text))

    @property
    def opening(self) -> tuple[int, ...]:
        """Ids that are put before a text: its beginning-of-sequence token, or nothing."""
        if self._tokenizer is None:
            return ()
        return self._encode_prompt(" a")[: -len(self._encode(" a"))]

    def decode(self, ids: Sequence[int]) -> str:
        """The text that `ids` spell, without the beginning-of-sequence token that was prepended.

        Raises:
            PromptError: There is no tokenizer.
        """
        ids = list(ids)
        if self._tokenizer is None:
            raise _no_tokenizer()
        prepends = getattr(self._bridge.cfg, "default_prepend_bos", True)
        if prepends and ids and ids[0] == self._tokenizer.bos_token_id:
            ids = ids[1:]
        return str(self._tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def _encode_prompt(self, prompt: str) -> tuple[int, ...]:
        if self._tokenizer is None:
            raise _no_tokenizer()
        if not prompt:
            raise PromptError("The prompt is empty.", "Type at least one token.")
        _refuse_half_characters(prompt, "The prompt")
        # to_tokens truncates silently unless told not to.
        tokens = self._bridge.to_tokens(prompt, truncate=False, move_to_device=False)
        return tuple(tokens[0].tolist())

    def _encode(self, text: str) -> list[int]:
        if self._tokenizer is None:
            raise _no_tokenizer()
        _refuse_half_characters(text, "The token")
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _check_ids(self, ids: Sequence[int]) -> None:
        for token_id in ids:
            if not 0 <= token_id < self._size:
                raise PromptError(
                    f"Token id {token_id} is outside the vocabulary.",
                    f"Ids run from 0 to {self._size - 1}.",
                )

    def _token_text(self, token_id: int) -> str:
        tokenizer = self._tokenizer
        piece = None if tokenizer is None else tokenizer.convert_ids_to_tokens(token_id)
        if piece is None:  # no tokenizer, or one of the unused rows that pad many vocabularies
            return str(token_id)
        if _SENTENCEPIECE_SPACE in piece:  # decoding one token alone would drop its space
            return str(piece.replace(_SENTENCEPIECE_SPACE, " "))
        text = str(tokenizer.decode([token_id], clean_up_tokenization_spaces=False))
        return _spell_bytes(piece) if _REPLACEMENT in text else text


def _as_ids(prompt: Sequence[int] | torch.Tensor) -> tuple[int, ...]:
    try:
        tensor = torch.as_tensor(prompt)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PromptError(
            f"A prompt is a text or one sequence of token ids, not {short(prompt)}.",
            "Pass one prompt: 'When John and Mary ...', or bridge.to_tokens(text)[0].",
        ) from error
    if tensor.numel() == 0:
        return ()
    if tensor.ndim == 2 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim != 1 or tensor.is_floating_point() or tensor.dtype == torch.bool:
        raise PromptError(
            f"Token ids must be one sequence of integers, not {tensor.dtype} {list(tensor.shape)}.",
            "Pass bridge.to_tokens(text)[0], for example.",
        )
    return tuple(tensor.tolist())


def _refuse_half_characters(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as half:
        raise PromptError(
            f"{what} has half a character at position {half.start}.", "Type it again."
        ) from half


def _no_tokenizer() -> PromptError:
    return PromptError(
        "This model has no tokenizer, so a string cannot be used.",
        "Pass token ids: prompt=[464, 3290], answer=11.",
    )


@cache
def _byte_alphabet() -> dict[str, int]:
    """The printable stand-in of each byte in byte-level BPE vocabularies (GPT-2's table)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(0x100) if byte not in printable]
    stand_ins = {chr(byte): byte for byte in printable}
    return stand_ins | {chr(0x100 + n): byte for n, byte in enumerate(hidden)}


def _spell_bytes(piece: str) -> str:
    """Characters where the bytes of `piece` are whole ones, `<0xE6>` where they are not."""
    alphabet = _byte_alphabet()
    if not all(character in alphabet for character in piece):
        return piece
    raw = bytes(alphabet[character] for character in piece)
    return "".join(
        f"<0x{ord(c) - 0xDC00:02X}>" if 0xDC80 <= ord(c) <= 0xDCFF else c
        for c in raw.decode("utf-8", errors="surrogateescape")
    )
