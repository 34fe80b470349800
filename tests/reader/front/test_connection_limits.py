from dataclasses import dataclass, field

import pytest

from reader.front.connection_limits import ConnectionLimits


@dataclass(eq=False)
class Connection:
    may_be_ended: bool = True
    closed: bool = False
    looked_after: list[float] = field(default_factory=list)

    def check_timeouts(self, now: float) -> None:
        self.looked_after.append(now)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        raise AssertionError("nobody is cut off here")


def admitted(connections: ConnectionLimits, *known: Connection) -> list[Connection]:
    assert all(connections.admit(one) for one in known)
    return list(known)


def test_connections_are_admitted_up_to_the_limit() -> None:
    connections = ConnectionLimits(3)
    all_of_them = admitted(connections, *[Connection(may_be_ended=False) for _ in range(3)])
    assert not connections.admit(Connection())
    assert list(connections) == all_of_them
    assert len(connections) == 3


def test_the_oldest_idle_one_makes_room() -> None:
    connections = ConnectionLimits(3)
    busy, idle, younger = admitted(
        connections, Connection(may_be_ended=False), Connection(), Connection()
    )
    newest = Connection()
    assert connections.admit(newest)
    assert [one.closed for one in (busy, idle, younger, newest)] == [False, True, False, False]
    assert list(connections) == [busy, younger, newest]


def test_no_idle_one_is_closed_while_there_is_room() -> None:
    connections = ConnectionLimits(2)
    first, second = admitted(connections, Connection(), Connection())
    assert [first.closed, second.closed] == [False, False]
    connections.forget(first)
    assert connections.admit(Connection())
    assert not second.closed


@pytest.mark.parametrize("times", [1, 2])
def test_a_connection_may_be_forgotten_twice(times: int) -> None:
    connections = ConnectionLimits(2)
    [one] = admitted(connections, Connection())
    for _ in range(times):
        connections.forget(one)
    assert len(connections) == 0
    connections.forget(Connection())


def test_all_are_looked_after_even_when_some_go_meanwhile() -> None:
    connections = ConnectionLimits(3)

    @dataclass(eq=False)
    class Ending(Connection):
        def check_timeouts(self, now: float) -> None:
            super().check_timeouts(now)
            connections.forget(self)

    all_of_them = admitted(connections, Ending(), Connection(), Ending())
    connections.check_timeouts(7.0)
    assert [one.looked_after for one in all_of_them] == [[7.0]] * 3
    assert list(connections) == [all_of_them[1]]


def test_an_error_of_one_is_logged_and_ends_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connections = ConnectionLimits(3)

    @dataclass(eq=False)
    class Broken(Connection):
        def check_timeouts(self, now: float) -> None:
            super().check_timeouts(now)
            raise RuntimeError

    broken, other = admitted(connections, Broken(), Connection())
    for now in (1.0, 2.0):
        connections.check_timeouts(now)
    assert other.looked_after == [1.0, 2.0]
    assert broken.looked_after == [1.0]
    assert len(caplog.records) == 1
