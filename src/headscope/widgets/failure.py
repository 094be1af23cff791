"""An error as the page shows it."""

from __future__ import annotations

from headscope.errors import HeadscopeError
from headscope.wire.messages import ErrorInfo


def describe(error: BaseException) -> ErrorInfo:
    """Kind, one line, and what to do."""
    kind = type(error).__name__
    if isinstance(error, HeadscopeError):
        return {"kind": kind, "message": error.message, "hint": error.hint}
    lines = str(error).strip().splitlines()
    message = lines[0] if lines else kind
    return {"kind": kind, "message": message, "hint": "The traceback: widget.last_error."}
