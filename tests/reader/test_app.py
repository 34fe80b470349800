import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.exceptions import RequestEntityTooLarge

from reader.app import create_app
from shared.settings import Settings
from tests.builders import JSON
from tests.reader.conftest import MakeApp

CHECKOUT = Path(__file__).parents[2]


def failing(app: Flask, error: Exception) -> Flask:
    """The application with one more path, which fails."""

    @app.get("/broken")
    def broken() -> str:
        raise error

    return app


def test_an_unexpected_error_is_a_500_that_tells_nothing(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = failing(make_app(), RuntimeError("s3cret"))
    with caplog.at_level(logging.ERROR):
        answered = app.test_client().get("/broken")
    assert answered.status_code == 500
    assert json.loads(answered.data) == {
        "message": "Internal Server Error",
        "documentation_url": "https://docs.github.com/rest",
        "status": "500",
    }
    assert answered.headers["Content-Type"] == JSON
    assert [record.name for record in caplog.records] == ["reader"]
    assert caplog.records[0].exc_info


def test_an_error_of_flasks_own_is_in_githubs_form(make_app: MakeApp) -> None:
    answered = failing(make_app(), RequestEntityTooLarge()).test_client().get("/broken")
    assert answered.status_code == 413
    assert json.loads(answered.data) == {
        "message": "Request Entity Too Large",
        "documentation_url": "https://docs.github.com/rest",
        "status": "413",
    }


def test_an_application_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("ORGS", "acme")
    settings = create_app().extensions["process"].settings
    assert isinstance(settings, Settings)
    assert settings.orgs == ("acme",)


def test_an_application_does_not_start_with_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    with pytest.raises(SystemExit, match="PORT=x"):
        create_app()


def test_a_reader_never_imports_what_speaks_to_github_or_compresses() -> None:
    # `rq` brings `redis`, not `requests`; nothing else may bring it either.
    code = (
        "import sys, reader; "
        "print([m for m in ('requests', 'refresher', 'pottery', 'brotli') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True, text=True)
    assert ran.stdout.strip() == "[]"


def test_what_gunicorn_serves_is_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    from reader.wsgi import app  # noqa: PLC0415 - it reads the environment when it is imported

    assert isinstance(app, Flask)
