"""Connections and segments share the files that a process may open, however few they are."""

import pytest

from reader.file_shares import connections_wanted, file_shares
from tests.builders import make_settings

WANTED = 5096


@pytest.mark.parametrize("files", [20, 40, 64, 256, 1024, 4096, 10_000, 1_000_000])
def test_what_is_shared_leaves_files_for_the_rest(files: int) -> None:
    connections, segments = file_shares(files, connections=WANTED)
    assert connections >= 8
    assert segments >= 0
    assert connections + segments <= max(8, files - 24 - files // 8)


def test_with_files_enough_there_are_as_many_connections_as_are_wanted() -> None:
    assert file_shares(1_000_000, connections=WANTED).connections == WANTED
    assert file_shares(10_000, connections=WANTED).connections == WANTED
    assert file_shares(1024, connections=WANTED) == (582, 290)
    assert file_shares(64, connections=WANTED) == (22, 10)


def test_followers_of_the_change_feed_take_no_connection_from_others() -> None:
    without, many = (connections_wanted(make_settings(changes_followers=n)) for n in (1, 1000))
    assert many - without == 999
    assert without > 4000
