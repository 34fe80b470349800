"""The page that lists what is served, in a browser: found by words, with and without scripts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from reader.operations.listing import areas_of
from shared.resources.operations import operations
from tests.browser import axe
from tests.browser.conftest import NewPage
from tests.browser.failure_states import FailureStates
from tests.end_to_end.fleet import Fleet, Reader
from tests.npm import NodeMissing

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"width": 375, "height": 812}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Fleet(tmp_path_factory.mktemp("operations"), "http://127.0.0.1:9") as fleet:
        yield fleet.reader()


def look(page: "Page", reader: Reader, fragment: str = "") -> None:
    page.goto(f"{reader.url}/operations{fragment}")
    page.wait_for_selector(".filter:not([hidden])")


def test_words_and_a_choice_narrow_the_list(
    page: "Page", reader: Reader, failure_states: FailureStates
) -> None:
    look(page, reader)
    assert page.inner_text("#found") == "639 operations"
    page.get_by_label("Find").fill("actions SECRETS")
    shown = page.locator("tbody tr:visible")
    assert 0 < shown.count() < 40
    assert page.inner_text("#found") == f"{shown.count()} operations"
    assert page.locator("section:visible").count() == page.locator("nav a:visible").count() < 5
    page.get_by_label("Show").select_option("yes")
    assert shown.count() == 0
    assert page.locator("#nothing").is_visible()
    page.get_by_label("Find").fill("")
    assert shown.count() == sum(area.served for area in areas_of(operations()))
    assert failure_states.seen() == []


def test_a_refusal_leads_to_its_area(page: "Page", reader: Reader) -> None:
    refused = reader.get("/orgs/netflix/hooks")
    page.goto(refused.json()["documentation_url"])
    assert page.locator("#orgs h2").is_visible()
    box = page.locator("#orgs h2").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 200


def test_without_scripts_all_is_there(new_page: NewPage, reader: Reader) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(f"{reader.url}/operations")
    assert page.locator("tbody tr").count() == 639
    assert page.locator(".filter").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_from_using_it(new_page: NewPage, reader: Reader, scheme: str) -> None:
    page = new_page(color_scheme=scheme)
    look(page, reader)
    try:
        page.evaluate(axe.source())
    except NodeMissing as missing:
        pytest.skip(str(missing))
    assert [one["id"] for one in page.evaluate("axe.run()")["violations"]] == []


def test_a_phone_shows_it_without_scrolling_sideways(new_page: NewPage, reader: Reader) -> None:
    page = new_page(viewport=PHONE)
    look(page, reader)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
