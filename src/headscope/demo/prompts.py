"""Named prompt pairs for each task, every one of them held out of training.

`clean` is answered by `answer`, `corrupted` (the same length in tokens) by `wrong` or, for tasks
without a right answer to the corrupted prompt, no longer by `answer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PromptPair:
    """Two prompts that differ in what decides the answer.

    Args:
        task: Key in `prompts`.
        name: A short name, unique within the task.
        clean: The prompt.
        corrupted: Its twin, equally long in tokens.
        answer: The right next token after `clean`, with its leading space.
        wrong: The token to compare it with: the twin's answer where it has one.
    """

    task: str
    name: str
    clean: str
    corrupted: str
    answer: str
    wrong: str


def _read(task: str, *rows: tuple[str, str, str, str, str]) -> tuple[PromptPair, ...]:
    return tuple(PromptPair(task, *row) for row in rows)


prompts: Mapping[str, tuple[PromptPair, ...]] = MappingProxyType({})
