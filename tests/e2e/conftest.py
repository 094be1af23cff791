"""One server and one browser for the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.browser import chromium
from tests.e2e.lab import Lab, serve

ARTIFACTS = Path(__file__).parent / "artifacts"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser, and runs last.

    Playwright keeps an event loop running in the main thread, in which others could not run theirs.
    Workers take files in this order (`--no-loadscope-reorder`), so that it holds for each of them.
    """
    here = Path(__file__).parent
    items.sort(key=lambda item: here in item.path.parents)
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserContext]:
    expect.set_options(timeout=15_000)
    with chromium() as context:
        context.set_default_timeout(30_000)
        yield context


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with serve() as server:
        yield server


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep a picture of every page when a test fails."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    context = getattr(item, "funcargs", {}).get("browser")
    if report.when == "call" and report.failed and context is not None:
        ARTIFACTS.mkdir(exist_ok=True)
        for i, page in enumerate(context.pages):
            page.screenshot(path=ARTIFACTS / f"{item.name}-{i}.png")
