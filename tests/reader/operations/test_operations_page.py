"""The page that lists what is served, and the decisions that it is made of."""

import gzip
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from reader.operations.listing import Row, areas_of
from reader.response.refused_paths import group_of
from shared.resources.operations import operations
from tests.reader.front.helpers import a_reader

AREAS = areas_of(operations())
ROWS = {row.path: row for area in AREAS for row in area.rows}


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    with a_reader() as made:
        yield made.app.test_client()


def test_every_operation_is_listed_once_in_the_area_that_refusals_lead_to() -> None:
    assert sum(len(area.rows) for area in AREAS) == len(ROWS) == 639
    ids = {area.id for area in AREAS}
    assert len(ids) == len(AREAS)
    for area in AREAS:
        assert {
            group_of(one) for one in operations() if one.path in {r.path for r in area.rows}
        } == {area.id}


def test_each_says_whether_it_is_served_as_the_table_decides() -> None:
    for one in operations():
        assert ROWS[one.path].is_served == (one.decision != "refused")


@pytest.mark.parametrize(
    "row",
    [
        Row("/", True, "yes", "The same addresses for everybody."),
        Row("/user/emails", False, "no: 401", "About the caller."),
        Row("/app", False, "no: 403", "For the App itself."),
        Row(
            "/rate_limit",
            True,
            "yes, by the cache",
            "What this cache has left for requests on demand.",
        ),
        Row(
            "/orgs/{org}/members",
            True,
            "yes",
            "Concealed members must never show: public ones are asked for; "
            "/orgs/{org}/public_members is asked for; not with filter, role.",
        ),
        Row(
            "/user/{account_id}",
            True,
            "yes, asked anonymously",
            "Managed users are shown to their own enterprise.",
        ),
    ],
    ids=lambda row: row.path,
)
def test_each_says_how_or_why_not(row: Row) -> None:
    assert ROWS[row.path] == row


def test_the_page_shows_all_of_them(client: FlaskClient) -> None:
    page = client.get("/operations")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    for one in operations():
        assert f"<code>{one.path}</code>" in page.text
    assert set(re.findall(r'<section id="([a-z_]+)"', page.text)) == {area.id for area in AREAS}


def test_it_runs_nothing_of_others_and_may_be_cached(client: FlaskClient) -> None:
    page = client.get("/operations")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "public, max-age=3600"
    assert "<script>" not in page.text
    assert " style=" not in page.text
    assert page.headers.getlist("Date") == []  # the server sends it


def test_it_is_small_and_not_sent_again(client: FlaskClient) -> None:
    plain = client.get("/operations")
    zipped = client.get("/operations", headers={"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(zipped.data) == plain.data
    assert len(zipped.data) < 20_000
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
    tag = zipped.headers["ETag"]
    known = client.get("/operations", headers={"Accept-Encoding": "gzip", "If-None-Match": tag})
    assert (known.status_code, known.data) == (304, b"")


def test_under_the_mount_it_is_the_same(client: FlaskClient) -> None:
    assert client.get("/api/v3/operations").data == client.get("/operations").data


def test_a_narrowed_cache_says_so(client: FlaskClient) -> None:
    assert "its operator has chosen" not in client.get("/operations").text
    with a_reader(on_demand_owners="mona") as made:
        assert "its operator has chosen" in made.app.test_client().get("/operations").text


@pytest.mark.parametrize("path", ["/operations/assets/operations.js", "/status/assets/status.css"])
def test_what_it_needs_is_there(client: FlaskClient, path: str) -> None:
    with client.get(path) as found:
        assert found.status_code == 200
        assert found.data


def test_only_reading_is_allowed(client: FlaskClient) -> None:
    assert client.post("/operations").status_code == 405
    assert client.get("/operations/").status_code == 404
