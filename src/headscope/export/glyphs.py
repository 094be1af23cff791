"""Token text as Plotly may show it, which renders HTML in labels and fills %{...} in hovers."""

from __future__ import annotations

GLYPHS = str.maketrans(
    {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍", "<": "&lt;", ">": "&gt;", "&": "&amp;"}
)
