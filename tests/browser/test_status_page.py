"""The status page in a browser: on a phone, by keyboard, while things fail."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser import axe
from tests.browser.conftest import NewPage
from tests.browser.failure_states import FailureStates
from tests.browser.viewers import STRANGERS
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.npm import NodeMissing
from tests.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOKEN = "an-admin-token-of-24-chars"
PHONE = {"width": 375, "height": 812}
SCHEMES = ("light", "dark")
# As long as GitHub lets names be: 39 characters for an owner, 100 for a repository.
LONG = f"/repos/{'o' * 39}/{'r' * 100}"
# Seconds that content stays fresh: so short that a test sees it go stale.
TTL = 6


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(repos=120, members=5, viewers=STRANGERS) as server:
        yield server


@pytest.fixture(scope="module")
def reader(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader with a refresher, and two on-demand resources that were requested."""
    folder = tmp_path_factory.mktemp("status")
    known = {"CACHE_TTL": TTL, "BACKOFF_MAX": 4, "GITHUB_API_TOKEN": "ghp_0123456789abcdef"}
    with Fleet(folder, github.url, **known) as fleet:
        fleet.worker()
        reader = fleet.healthy_reader(ADMIN_TOKEN=TOKEN)
        assert reader.get("/users/netflix").ok
        assert reader.get(LONG).status_code == 404
        eventually(
            lambda: len(reader.get("/status.json").json()["on_demand"]) == 2,
            what="the requests are counted",
        )
        yield reader


@pytest.fixture(autouse=True)
def _all_is_well_afterwards(reader: Reader, github: FakeGitHubProcess) -> Iterator[None]:
    """The next test finds GitHub answering and refreshers at work, whatever this one does.

    And no failure on record: while refreshing is paused it would stay, and nothing go stale.
    """
    yield
    github.clear_faults()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.post(f"{reader.url}/status/resume", headers=headers, timeout=10).ok
    eventually(lambda: "failing" not in states(reader), what="what failed is refreshed")


@pytest.fixture
def failing(github: FakeGitHubProcess) -> None:
    """GitHub responds with 502."""
    github.fault("status", status=502)


def states(reader: Reader) -> list[str]:
    """The states of the tracked resources."""
    return [row["state"] for row in reader.get("/status.json").json()["resources"]]


def look(page: "Page", reader: Reader) -> None:
    """Load the page, and wait for its first update."""
    page.goto(f"{reader.url}/status")
    page.wait_for_function("() => document.getElementById('live').textContent.startsWith('live')")
    # Whatever is replaced from now on was not loaded anew.
    page.evaluate("window.stillTheSame = true")


def sign_in(page: "Page", reader: Reader) -> None:
    page.goto(f"{reader.url}/status")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Sign out")
    look(page, reader)


def wait_for(page: "Page", text: str) -> str:
    """Wait until the statements say it; gives all they say."""
    page.wait_for_function(
        "text => document.querySelector('.statements').innerText.includes(text)", arg=text
    )
    return page.inner_text(".statements")


def row(page: "Page", table: str, name: str) -> Any:
    """The row of a table that is about something."""
    found = page.locator(f"section[aria-labelledby={table}] tbody tr")
    return found.filter(has=page.get_by_text(name, exact=True)).first


def focused(page: "Page") -> str:
    """The text of the focused element for a screen reader."""
    return str(page.evaluate("document.activeElement.textContent.trim().replace(/\\s+/g, ' ')"))


def violations(page: "Page") -> list[str]:
    """The accessibility problems that axe finds, contrast included (WCAG 2.2 A and AA)."""
    try:
        page.evaluate(axe.source())
    except NodeMissing as missing:
        pytest.skip(f"ACCESSIBILITY IS NOT TESTED HERE: {missing}")
    found = page.evaluate("axe.run().then(result => result.violations)")
    return [f"{one['id']}: {[node['html'][:200] for node in one['nodes']][:3]}" for one in found]


def test_it_loads_and_comes_up_to_date_without_an_error(
    page: "Page", reader: Reader, failure_states: FailureStates
) -> None:
    look(page, reader)
    rows = page.locator("section[aria-labelledby=resources] tbody tr")
    assert rows.count() == 4
    assert row(page, "on_demand", "/users/netflix").is_visible()
    first = page.inner_text("header time")
    page.wait_for_function(
        "text => document.querySelector('header time').innerText > text", arg=first
    )
    assert page.evaluate("window.stillTheSame") is True
    assert failure_states.seen() == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("is_operator", [False, True], ids=["anybody", "operator"])
def test_it_is_accessible(
    new_page: NewPage, reader: Reader, scheme: str, is_operator: bool
) -> None:
    page = new_page(color_scheme=scheme)
    (sign_in if is_operator else look)(page, reader)
    assert violations(page) == []


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_accessible_when_everything_fails(
    new_page: NewPage, reader: Reader, scheme: str
) -> None:
    page = new_page(color_scheme=scheme, viewport=PHONE)
    look(page, reader)
    wait_for(page, "GitHub is failing")
    assert violations(page) == []


@pytest.mark.parametrize("is_operator", [False, True], ids=["anybody", "operator"])
def test_on_a_phone_nothing_scrolls_sideways(
    new_page: NewPage, reader: Reader, is_operator: bool
) -> None:
    page = new_page(viewport=PHONE)
    (sign_in if is_operator else look)(page, reader)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    beyond = page.evaluate(
        "[...document.querySelectorAll('body *:not(.unseen, .unseen *)')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    assert beyond == []


def test_a_failure_is_shown_with_its_start_reason_consequence_and_next_try(
    page: "Page", reader: Reader, github: FakeGitHubProcess, failure_states: FailureStates
) -> None:
    look(page, reader)
    wait_for(page, "Everything is fresh")
    github.fault("status", status=502)
    said = wait_for(page, "4 of 4 tracked resources cannot be refreshed")
    assert re.search(
        r"GitHub is failing\n+"
        r"4 of 4 tracked resources cannot be refreshed\. "
        r"GitHub answered 502\. Since \d\d:\d\d:\d\d UTC \(\d+ s\), "
        r"until (\d\d:\d\d:\d\d UTC \(in \d+ s\)|now)\. It ends when a refresh succeeds; .* "
        r"Cached content is still served, at most \d+ s old\.",
        said,
    )
    assert page.title() == "! GitHub is failing"
    members = row(page, "resources", "/orgs/Netflix/members")
    assert "failing" in members.inner_text()
    assert "GitHub answered 502" in members.inner_text()
    newest = page.locator(".timeline li").first.inner_text()
    assert "failed: GitHub answered 502" in newest
    github.clear_faults()
    wait_for(page, "Everything is fresh")
    assert page.title() == "✓ Everything is fresh"
    assert page.evaluate("window.stillTheSame") is True
    assert failure_states.seen() == []


def test_a_change_is_shown_when_the_change_feed_tells_of_it(
    page: "Page", reader: Reader, github: FakeGitHubProcess, failure_states: FailureStates
) -> None:
    """Without the feed nothing would be: the page's timers of seconds never end here."""
    page.add_init_script(
        "const set = setTimeout; window.setTimeout = (f, ms) => (ms < 1000 ? set(f, ms) : 0);"
    )
    with page.expect_request("**/changes"):
        look(page, reader)
    items = row(page, "resources", "/orgs/Netflix/repos").locator("td[data-label=Content]")
    before = items.inner_text()
    github.mutate("add", org="Netflix")
    page.wait_for_function("before => !document.body.innerText.includes(before)", arg=before)
    assert items.inner_text() != before
    assert page.evaluate("window.stillTheSame") is True
    assert failure_states.seen() == []


def test_content_is_seen_to_go_stale_and_to_be_renewed(
    page: "Page", reader: Reader, failure_states: FailureStates
) -> None:
    """Nobody refreshes while refreshing is paused; then somebody does."""
    sign_in(page, reader)
    page.click("text=Pause refreshing")
    wait_for(page, "Refreshing is paused")
    page.wait_for_function(
        "() => [...document.querySelectorAll('[aria-labelledby=resources] .state')]"
        ".every(state => state.innerText.includes('stale'))"
    )
    bars = page.locator("[aria-labelledby=resources] .bar .part")
    assert {bars.nth(at).get_attribute("width") for at in range(4)} == {"100"}
    page.click("text=Resume refreshing")
    wait_for(page, "Everything is fresh")
    assert page.evaluate("window.stillTheSame") is True
    assert failure_states.seen() == []


def test_an_operator_has_a_resource_refreshed_by_keyboard_alone(
    page: "Page", reader: Reader, github: FakeGitHubProcess, failure_states: FailureStates
) -> None:
    page.goto(f"{reader.url}/status")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "token":
            break
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Sign out")
    look(page, reader)
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused(page) == "Refresh now of /orgs/Netflix":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "who uses the keyboard sees where they are"
    asked = github.page_requests("/orgs/Netflix")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('said').innerText")
    said = page.inner_text("#said")
    assert said in {
        "/orgs/Netflix will be refreshed.",
        "/orgs/Netflix is already being refreshed.",
    }
    eventually(lambda: github.page_requests("/orgs/Netflix") > asked, what="GitHub is asked")
    # It can be pressed again at once: bringing the page up to date takes the focus from nobody.
    page.wait_for_timeout(3500)
    assert focused(page) == "Refresh now of /orgs/Netflix"
    assert failure_states.seen() == []


def test_an_operator_has_an_on_demand_resource_forgotten(page: "Page", reader: Reader) -> None:
    sign_in(page, reader)
    assert reader.get("/users/netflix").ok
    row(page, "on_demand", "/users/netflix").get_by_role("button").click()
    page.wait_for_function("() => document.getElementById('said').innerText")
    assert page.inner_text("#said") == "/users/netflix will be forgotten."
    page.wait_for_function(
        "() => [...document.querySelectorAll('[aria-labelledby=on_demand] tr')].some("
        "row => row.innerText.includes('/users/netflix') && row.innerText.includes('not cached'))"
    )


def test_without_a_session_there_are_no_buttons_and_actions_are_refused(
    page: "Page", reader: Reader
) -> None:
    look(page, reader)
    assert page.locator("form.act").count() == 0
    status = page.evaluate(
        "fetch('/status/pause', {method: 'POST', body: new FormData()}).then(a => a.status)"
    )
    assert status == 401
    assert reader.get("/status.json").json()["paused"] is False


def test_a_wrong_token_is_refused_and_another_try_given(page: "Page", reader: Reader) -> None:
    page.goto(f"{reader.url}/status")
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Wrong admin token.")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Sign out")


def test_it_works_without_javascript(new_page: NewPage, reader: Reader) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(f"{reader.url}/status")
    assert page.locator("section[aria-labelledby=resources] tbody tr").count() == 4
    assert "UTC" in page.inner_text("header")
    page.fill("#token", TOKEN)
    page.click("text=Sign in")
    page.click("text=Pause refreshing")
    assert "Refreshing is paused: refreshers start no new job." in page.inner_text("#said")
    assert "An operator has paused refreshing" in page.inner_text(".statements")
    page.click("text=Resume refreshing")
    assert "Refreshing is resumed." in page.inner_text("#said")


def test_a_selection_stays_while_the_page_is_updated(page: "Page", reader: Reader) -> None:
    look(page, reader)
    page.evaluate(
        "getSelection().selectAllChildren("
        "document.querySelector('[aria-labelledby=resources] tbody tr:last-child th'))"
    )
    page.wait_for_timeout(3500)
    assert page.evaluate("getSelection().toString().trim()") == "/orgs/Netflix/repos"


def test_a_reader_that_is_gone_is_reported(page: "Page", reader: Reader) -> None:
    look(page, reader)
    page.route("**/status.json", lambda route: route.abort())
    page.wait_for_selector("text=this reader does not respond; as of")
    page.unroute("**/status.json")
    page.wait_for_selector("text=live, as of")


@pytest.mark.parametrize(("scheme", "other"), [SCHEMES, SCHEMES[::-1]])
def test_it_is_dark_in_a_dark_colour_scheme(
    new_page: NewPage, reader: Reader, scheme: str, other: str
) -> None:
    papers = {}
    for one in (scheme, other):
        page = new_page(color_scheme=one)
        page.goto(f"{reader.url}/status")
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        papers[one] = sum(map(int, re.findall(r"\d+", paper)))
    assert papers["dark"] < 100
    assert papers["light"] > 600


@pytest.fixture(scope="module")
def privileged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Reader]]:
    """Readers of a fleet with an owner's token, without and with INCLUDE_PRIVATE."""
    folder = tmp_path_factory.mktemp("privileged")
    with (
        FakeGitHubProcess(repos=5, members=5) as github,
        Fleet(folder, github.url, GITHUB_API_TOKEN="ghp_0123456789abcdef") as fleet,
    ):
        fleet.worker()
        public = fleet.healthy_reader()
        assert public.get("/repos/netflix/hystrix/releases").ok  # asked without the token
        private = fleet.reader(INCLUDE_PRIVATE="true")
        eventually(
            lambda: [budgets(one) for one in (public, private)] == [[False, True]] * 2,
            what="it is known what the credential sees",
        )
        yield {"public": public, "private": private}


def budgets(reader: Reader) -> list[bool]:
    """Which budgets are of a credential that sees too much, the anonymous one first."""
    rows = reader.get("/status.json").json()["budgets"]
    return sorted(bool(row["privileges"]) for row in rows)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_credential_that_sees_too_much_is_named_with_what_to_create_instead(
    new_page: NewPage, privileged: dict[str, Reader], scheme: str
) -> None:
    page = new_page(color_scheme=scheme)
    look(page, privileged["public"])
    said = page.inner_text(".statements")
    assert "A credential sees more than the public" in said
    assert "has the scope repo" in said
    assert "make a classic token without any scope" in said
    assert page.title() == "! A credential sees more than the public"
    cards = page.inner_text(".cards")
    assert "sees more than the public: has the scope repo" in cards
    assert "for requests without a credential" in cards
    assert page.locator(".private").is_hidden()
    assert violations(page) == []


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}])
def test_served_private_repositories_are_marked_at_the_top(
    new_page: NewPage, privileged: dict[str, Reader], options: dict[str, Any]
) -> None:
    page = new_page(**options)
    page.goto(f"{privileged['private'].url}/status")
    assert page.inner_text("header .private").startswith("PRIVATE")
    assert page.locator("header .private").is_visible()
    assert "Private repositories are served to everybody" in page.inner_text(".statements")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_mark_of_private_repositories_is_visible(
    new_page: NewPage, privileged: dict[str, Reader], scheme: str
) -> None:
    page = new_page(color_scheme=scheme, viewport=PHONE)
    look(page, privileged["private"])
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
