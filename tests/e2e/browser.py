"""Find a Chromium and start it the way a headless test machine needs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find() -> str | None:
    """Path of an installed Chromium, or None: then Playwright's own is used."""
    named = os.environ.get("HEADSCOPE_CHROMIUM")
    return named or next((p for p in map(shutil.which, NAMES) if p), None)


@contextmanager
def chromium(**options: object) -> Iterator[BrowserContext]:
    """A browser context with a fresh profile."""
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory(ignore_cleanup_errors=True) as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=find(),
            headless=True,
            args=FLAGS,
            viewport={"width": 1280, "height": 1000},
            **options,  # type: ignore[arg-type]
        )
        try:
            yield context
        finally:
            context.close()
