"""HAProxy's configuration in `deploy/` fits what readers promise."""

import re

from tests.shipping.compose import service
from tests.shipping.environment import GRACE, HAPROXY, program, run, seconds


def directives() -> str:
    """The configuration without its comments."""
    lines = (line.partition("#")[0].rstrip() for line in HAPROXY.read_text().splitlines())
    return "\n".join(line for line in lines if line)


def test_haproxy_can_read_its_configuration() -> None:
    haproxy = program("haproxy", "CONFIGURATION OF HAPROXY")
    checked = run(haproxy, "-c", "-f", HAPROXY)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "[WARNING]" not in checked.stderr


def test_haproxy_asks_each_reader_whether_it_can_serve() -> None:
    assert "http-check send meth GET uri /healthcheck " in directives()
    assert "http-check expect status 200" in directives()
    assert re.search(r"default-server check ", directives())
    assert re.search(r"server-template reader- \d+ reader:5000 ", directives())
    assert service("reader")["environment"]["PORT"] == "5000"


def test_haproxy_sends_again_only_what_met_a_broken_connection() -> None:
    assert re.findall(r"retry-on (.*)", directives()) == ["conn-failure empty-response"]
    assert "http-request disable-l7-retry unless METH_GET" in directives()
    assert "on-marked-down" not in directives(), "what a reader has begun, it ends"


def test_haproxy_waits_for_readers_longer_than_they_have_clients_wait() -> None:
    assert seconds(re.findall(r"timeout server (\w+)", directives())[0]) > GRACE


def test_haproxy_leaves_no_client_the_headers_that_readers_believe_of_it() -> None:
    for header in ("X-Request-Id", "X-Forwarded-Host", "X-Forwarded-For"):
        assert re.search(rf"^ +http-request set-header {header} \S+$", directives(), re.MULTILINE)
    set_proto = re.findall(r"http-request set-header X-Forwarded-Proto (.*)", directives())
    assert set_proto == ["http", "https if { ssl_fc }"]
