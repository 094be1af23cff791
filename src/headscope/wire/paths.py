"""Where files are written and read: one rule for whatever is saved or opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from headscope.arguments import fit
from headscope.errors import ResultError, WireError

_WRITERS = {
    ".safetensors": "result.save(path)", ".json": "graph.save_json(path)",
    ".html": "widget.save_html(path)",
}  # fmt: skip


def write(path: str | Path, suffix: str, writer: Callable[[Path], object]) -> Path:
    """Write a file, which takes its place once it is whole: until then an older one stays.

    `suffix` is added where there is none, `~` is the home directory, and missing folders are made.

    Args:
        path: Where the user wants it.
        suffix: Of the format that is written, such as `.json`.
        writer: Writes it, to a path of its own.

    Returns:
        Where it is.

    Raises:
        ResultError: The name is a folder's or says another format, or nothing can be written there.
    """
    target: str | Path = path
    try:
        target = _named(path, suffix)
        part = target.with_name(f"{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            writer(part)
            part.replace(target)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except (OSError, SafetensorError) as failed:
        reason = _reason(failed)
        raise ResultError(f"{target} is not written: {reason}.", "Choose another path.") from failed
    return target


def existing(path: str | Path, hint: str) -> Path:
    """The file at `path`.

    Args:
        path: Where the user says it is.
        hint: What to pass instead.

    Raises:
        WireError: There is none.
    """
    source = _path(path)
    try:
        if source.is_file():
            return source
        what = f"{source} is a folder." if source.is_dir() else f"There is no file {source}."
    except OSError as failed:
        what = f"There is no file {source}: {_reason(failed)}."
    raise WireError(what, hint)


def _path(path: Any) -> Path:
    found = Path(fit("path", path, str | Path))
    if "\0" in str(found):
        raise ResultError("A path cannot have a null character.", "Choose another path.")
    with suppress(RuntimeError):  # of a user whose home is not known
        return found.expanduser()
    return found


def _named(path: Any, suffix: str) -> Path:
    target = _path(path)
    if target.is_dir():
        raise ResultError(
            f"{target} is a folder.", f"Name a file in it, such as {target / 'name'}{suffix}."
        )
    if not target.suffix or target.suffix[1:].isdigit():  # as in v1.5
        return target.with_name(target.name + suffix)
    if target.suffix.lower() != suffix:
        writer = _WRITERS.get(target.suffix.lower())
        other = f", or call {writer}" if writer else ""
        raise ResultError(
            f"What is written is {suffix}, not {target.suffix}.",
            f"Name it {target.with_suffix(suffix).name}{other}.",
        )
    return target


def _reason(failed: Exception) -> str:
    text = getattr(failed, "strerror", None) or str(failed)
    return text.strip().splitlines()[0].rstrip(".")
