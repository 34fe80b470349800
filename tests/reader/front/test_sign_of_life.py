"""A process shows that it lives although no folder for temporary files can be written."""

import os
from types import SimpleNamespace

import pytest

from reader.front.sign_of_life import SignOfLife


def test_it_needs_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.mkstemp", None)
    sign = SignOfLife(SimpleNamespace(uid=os.geteuid(), gid=os.getegid()))
    before = sign.last_update()
    sign.notify()
    assert sign.last_update() < before  # seconds since the machine has started, as gunicorn does it
    assert sign.fileno() > 2
    sign.close()
