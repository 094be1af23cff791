"""What can go wrong, said in one line together with the call that fixes it."""

from __future__ import annotations


class HeadscopeError(Exception):
    """Something Headscope refuses or cannot do.

    Args:
        message: What was wrong, one sentence.
        hint: What to do about it: the call that fixes it wherever there is one.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ModelError(HeadscopeError):
    """The model cannot be used as it is, whatever is asked: wrong type, mode or capability."""


class PromptError(HeadscopeError):
    """The prompt or the tokens asked for cannot be used."""


class RequestError(HeadscopeError):
    """A parameter is out of range, contradicts another one, or asks too much of the model."""


class ResultError(HeadscopeError):
    """A result is malformed, or what was asked of it is not in it."""


class WireError(ResultError):
    """A payload or a saved file does not decode."""


class Cancelled(HeadscopeError):  # noqa: N818  (not an error of the user's: a state)
    """The job was cancelled before it finished."""
