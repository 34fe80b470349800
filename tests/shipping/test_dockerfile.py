"""The image holds what processes need and nothing else, and runs as nobody in particular."""

import json
import re

from shared.settings import Settings
from tests.end_to_end.fleet import procfile
from tests.shipping.dockerfile import copied, instructions, last_stage, only
from tests.shipping.environment import ROOT, SECRETS


def test_the_image_begins_as_a_reader() -> None:
    # In exec form: no shell stands between it and the signals.
    assert json.loads(only("CMD")) == procfile()["reader"]
    assert "ENTRYPOINT" not in dict(last_stage()), "the command says which process it is"


def test_the_image_has_what_processes_need_and_nothing_else() -> None:
    assert set(copied()) == {
        *("requirements.lock", "gunicorn.conf.py"),
        *("shared/", "reader/", "refresher/", "docs/runbooks/"),
    }
    assert "ADD" not in dict(instructions())
    kept = {line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert kept == {f"!{source}" for source in copied()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored.index("*") < ignored.index("!shared/"), "all else is not even sent"


def test_the_last_stage_runs_as_nobody_in_particular() -> None:
    stage = last_stage()
    assert only("USER") == "10001:10001"
    last_run = max(number for number, (name, _) in enumerate(stage) if name == "RUN")
    assert ("USER", "10001:10001") in stage[last_run:], "what is installed is not its own"
    assert not [rest for name, rest in stage if name == "COPY" and "--chown" in rest]


def test_the_last_stage_compiles_nothing_and_asks_no_index() -> None:
    runs = [rest for name, rest in last_stage() if name == "RUN"]
    installs = [rest for rest in runs if "install" in rest]
    assert len(installs) == 1
    assert "pip install" in installs[0]
    assert "--no-index" in installs[0]
    assert not re.search(r"apt|gcc|build-essential|curl", " ".join(runs))
    assert [rest for name, rest in instructions() if name == "FROM"] == [
        "${BASE} AS wheels",
        "${BASE}",
    ]


def test_signals_reach_the_process_and_its_output_is_not_held_back() -> None:
    assert only("STOPSIGNAL") == "SIGTERM"
    assert "PYTHONUNBUFFERED=1" in only("ENV").split()


def test_no_secret_and_no_setting_is_baked_into_the_image() -> None:
    # Before the first stage: it is no variable of the image.
    assert [one for one in instructions() if one[0] == "ARG"] == instructions()[:1]
    assert instructions()[0] == ("ARG", "BASE=python:3.12-slim")
    assert not [name for name in Settings.model_fields if name.upper() in only("ENV")]
    text = (ROOT / "Dockerfile").read_text()
    assert not [name for name in SECRETS if name in text]
