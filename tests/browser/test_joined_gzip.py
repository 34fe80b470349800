"""The gzip body of a large list, joined from segments, in Chromium."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import requests

from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.up_to_date import REPOS
from tests.fakegithub.client import FakeGitHubProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader of a list of three pages."""
    with (
        FakeGitHubProcess(repos=245, members=1, anonymous_limit=10**6) as github,
        Fleet(tmp_path_factory.mktemp("gzip"), github.url, CACHE_TTL=600) as fleet,
    ):
        fleet.worker()
        yield fleet.healthy_reader()


def test_chromium_reads_it(page: "Page", reader: Reader) -> None:
    plain = requests.get(reader.url + REPOS, headers={"Accept-Encoding": ""}, timeout=30).content
    opened = page.goto(reader.url + REPOS)
    assert opened is not None
    # Without Brotli, as Chromium asks for it, a list of several segments has gzip alone.
    assert opened.headers["content-encoding"] == "gzip"
    assert opened.body() == plain


def test_a_script_in_chromium_reads_it(page: "Page", reader: Reader) -> None:
    plain = requests.get(reader.url + REPOS, headers={"Accept-Encoding": ""}, timeout=30).content
    page.goto(reader.url)
    found = page.evaluate(
        """async (path) => {
            const body = await (await fetch(path)).arrayBuffer();
            const digest = await crypto.subtle.digest("SHA-256", body);
            const pair = (byte) => byte.toString(16).padStart(2, "0");
            return Array.from(new Uint8Array(digest), pair).join("");
        }""",
        REPOS,
    )
    assert found == hashlib.sha256(plain).hexdigest()
