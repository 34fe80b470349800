"""URLs of Redis behind sentinels."""

import pytest

from shared.errors import SettingsError
from shared.sentinel_url import is_sentinel_url, parse
from shared.settings import load

SECRET = "s3cret-in-a-url"


def test_every_part_is_parsed() -> None:
    url = parse(
        "rediss+sentinel://me:p%40ss@a.example:1,b.example,[::1]:3/my%20master/2"
        "?sentinel_username=asks&sentinel_password=q%26a&ssl_ca_certs=/ca.pem&socket_timeout=2"
    )
    assert url.sentinels == (("a.example", 1), ("b.example", 26379), ("::1", 3))
    assert url.master == "my master"
    tls = {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    rest = {"username": "me", "password": "p@ss", "db": 2, "socket_timeout": 2.0}
    assert url.options == {**rest, **tls}
    assert url.sentinel_options == {"username": "asks", "password": "q&a", **tls}


def test_a_host_and_a_master_are_enough() -> None:
    url = parse("redis+sentinel://a/cache")
    assert (url.sentinels, url.master) == ((("a", 26379),), "cache")
    assert url.options == {"db": 0}
    assert url.sentinel_options == {}


def test_no_password_shows_in_the_repr() -> None:
    url = f"redis+sentinel://:{SECRET}@a/cache?sentinel_password={SECRET}"
    assert SECRET not in repr(parse(url))


@pytest.mark.parametrize("url", ["redis://a", "rediss://a", "unix:///a", "sentinel://a/b", "x"])
def test_other_urls_are_not_of_sentinels(url: str) -> None:
    assert not is_sentinel_url(url)


@pytest.mark.parametrize(
    "url",
    [
        f"redis+sentinel://:{SECRET}@a",
        f"redis+sentinel://:{SECRET}@a/",
        f"redis+sentinel://:{SECRET}@a,/cache",
        f"redis+sentinel://:{SECRET}@a:65536/cache",
        f"redis+sentinel://:{SECRET}@a:port/cache",
        f"redis+sentinel://:{SECRET}@a/cache/one",
        f"redis+sentinel://:{SECRET}@a/cache/0?socket_timeout={SECRET}",
        f"redis+sentinel://:{SECRET}@a/cache?sentinel_passwort={SECRET}",
        f"redis+sentinel://:{SECRET}@a/cache?ssl_ca_certs=/ca.pem",
        f"redis+sentinel://:{SECRET}@a:1\n/cache",
        f"redis+sentinel://:x/{SECRET}@a/cache",
        f"redis+sentinel://:{SECRET}@:x@a/cache",
        f"redis+sentinel://a/cache#{SECRET}",
    ],
)
def test_a_bad_one_is_refused_in_one_line_that_shows_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SettingsError) as refused:
        load()
    said = str(refused.value)
    assert said.startswith("REDIS_URL: ")
    assert SECRET not in said
    assert "\n" not in said


def test_the_password_of_the_settings_is_the_masters() -> None:
    settings = load(redis_url="redis+sentinel://me@a:1,b:2/cache/0", cache_password="p@ss,/")
    assert parse(settings.redis_location).options["password"] == "p@ss,/"
    assert parse(settings.redis_location).sentinels == (("a", 1), ("b", 2))
