"""An error as the page shows it."""

from __future__ import annotations

import re

from headscope.errors import HeadscopeError
from headscope.wire.messages import ErrorInfo

#: The folders of a path: they name the user, and are no business of who reads the notebook.
_FOLDERS = re.compile(r"""(?<![\w./:\\])(?:~|[A-Za-z]:)?(?:[\\/][^\\/\s'"]+)+[\\/](?=[^\\/\s])""")


def describe(error: BaseException) -> ErrorInfo:
    """Kind, one line, and what to do."""
    kind = type(error).__name__
    if isinstance(error, HeadscopeError):
        return {"kind": kind, "message": error.message, "hint": error.hint}
    lines = str(error).strip().splitlines()
    message = _FOLDERS.sub("", lines[0]) if lines else kind
    return {"kind": kind, "message": message, "hint": "The traceback: widget.last_error."}
