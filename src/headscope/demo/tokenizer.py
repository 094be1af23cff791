"""The embedded model's tokenizer: one token per word of the world, bytes for everything else.

A byte-level BPE without merges whose vocabulary is looked up first (`ignore_merges`): a piece that
is a word of the world is one token, any other piece falls into the tokens of its UTF-8 bytes, so
every string has tokens and decodes to itself. As in GPT-2, a word carries the space before it; the
first word of a text gets one if it has none, so that "Mary" and " Mary" are the same token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from headscope.demo import words
from headscope.demo.language import TEMPLATES
from headscope.demo.world import RELATIONS, states

BOS = "<|endoftext|>"

_PIECES = r"| ?[A-Za-z]+| ?[0-9]{2}|[0-9]| ?[^A-Za-z0-9\s]|\s"


def vocabulary() -> tuple[str, ...]:
    """Every word that is one token, its leading space included, in a fixed order."""
    return tuple(dict.fromkeys(_words()))


def build() -> PreTrainedTokenizerFast:
    """The tokenizer, from nothing but the world's words."""
    characters = _byte_characters()
    pieces = {BOS: 0}
    for piece in (*characters, *("".join(characters[b] for b in w.encode()) for w in vocabulary())):
        pieces.setdefault(piece, len(pieces))
    tokenizer = Tokenizer(models.BPE(vocab=pieces, merges=[], ignore_merges=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(" "), normalizers.Replace(Regex(r"\A  "), " ")]
    )
    several = sorted((w for w in vocabulary() if " " in w[1:]), key=len, reverse=True)
    places = "|".join(map(re.escape, several))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rf"(?:{places})(?![A-Za-z]){_PIECES}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=BOS,
        pad_token=BOS,
        clean_up_tokenization_spaces=False,
    )


def _words() -> Iterator[str]:
    for state in states():
        for word in (state.name, *(state.fact(r) for r in RELATIONS), *state.cities):
            yield f" {word}"
    groups = (
        words.NAMES, words.PLACES, words.OBJECTS, words.NOUNS, words.NOUNS.values(),
        words.PREPOSITIONS, words.ADJECTIVES, words.FEELINGS, words.EVENTS, words.CENTURIES,
        words.PRONOUN.values(), RELATIONS, *words.SERIES.values(),
    )  # fmt: skip
    for group in groups:
        for word in group:
            yield f" {word}"
    yield from words.YEARS
    for template in TEMPLATES:
        for word in re.findall(r"[A-Za-z]+", re.sub(r"\{.*?\}", " ", template)):
            yield f" {word}"


def _byte_characters() -> list[str]:
    """The printable character that byte-level tokenizers use for each byte (GPT-2's table)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(spare)) for b in range(256)]
