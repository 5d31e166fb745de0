"""A headless Chromium, started once for each file of tests that open a report."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def browser():
    is_required = os.environ.get("REQUIRE_BROWSER") == "1"
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        reason = "no chromium on PATH; install it (Debian: apt-get install chromium)"
        (pytest.fail if is_required else pytest.skip)(reason)
    if not is_required:
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser) -> Callable[..., contextlib.AbstractContextManager]:
    """Opens a file in a page that asks for nothing and complains of nothing."""

    @contextlib.contextmanager
    def opened(path: Path) -> Iterator:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(120_000)
        found, requests = [], []
        page.on("console", lambda message: found.append(message.text))
        page.on("pageerror", lambda error: found.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        try:
            page.goto(path.as_uri())
            yield page
            assert found == []
            assert page.locator(".failure:visible").count() == 0
            assert set(requests) == {path.as_uri()}
        finally:
            page.close()

    return opened
