"""Readers show the runbooks, and the status page leads to them."""

import ast
from pathlib import Path

from flask.testing import FlaskClient
from redis import Redis

from reader import status
from reader.status.runbooks import runbooks
from tests.reader.conftest import MakeApp

TOKEN = "an-admin-token-of-24-chars"
FOLDER = Path(status.__file__).parent
MODULES = (FOLDER / "diagnosis.py", FOLDER / "demand.py", *sorted(FOLDER.glob("*_statements.py")))


def test_readers_show_them_as_text(make_app: MakeApp) -> None:
    client: FlaskClient = make_app().test_client()
    for name, page in runbooks().items():
        shown = client.get(f"/status/runbooks/{name}")
        assert (shown.status_code, shown.text) == (200, page)
        assert shown.content_type == "text/plain; charset=utf-8"
        assert shown.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_else_is_shown_there(make_app: MakeApp) -> None:
    client = make_app().test_client()
    for name in ("README", "unknown", "..%2f..%2fREADME", "%2e%2e/operations", "drift.md"):
        assert client.get(f"/status/runbooks/{name}").status_code == 404


def test_a_page_that_is_not_public_hides_them(make_app: MakeApp) -> None:
    client = make_app(status_public=False, admin_token=TOKEN).test_client()
    assert client.get("/status/runbooks/drift").status_code == 401
    known = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/status/runbooks/drift", headers=known).status_code == 200


def test_a_statement_leads_to_the_page_about_it(redis: Redis, make_app: MakeApp) -> None:
    client = make_app().test_client()
    (said,) = (
        one
        for one in client.get("/status.json").get_json()["statements"]
        if one["title"] == "No refresher is running"
    )
    assert said["runbook"] == "/status/runbooks/no-refreshers"
    assert client.get(said["runbook"]).text.startswith("# ApiReadCacheNoRefreshers")
    assert f'href="{said["runbook"]}"' in client.get("/status").text


def test_statements_name_pages_that_exist() -> None:
    words = {
        node.value
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {word for word in words if "-" in word and word.replace("-", "").isalpha()}
    assert named | {"drift"} <= set(runbooks())
    assert len(named) > 10
