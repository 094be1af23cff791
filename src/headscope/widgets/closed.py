"""What is said of a closed widget, and what stands in its model's place."""

from __future__ import annotations

from typing import Any

from headscope.errors import ResultError


class Closed:
    """In the place of a closed widget's model, which is thus let go."""

    @staticmethod
    def error() -> ResultError:
        """What is said to whoever still asks."""
        return ResultError("This widget is closed.", "Make a new one.")

    def __getattr__(self, _name: str) -> Any:
        raise self.error()
