import time
from urllib.parse import urlsplit

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from scripts.embedded_redis import EmbeddedRedis, free_port
from shared.redis.connection import connect
from tests.builders import make_settings


def test_a_client_connects_only_when_it_is_first_used() -> None:
    client = connect(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(RedisConnectionError):
        client.ping()


def test_an_outage_is_noticed_without_making_the_caller_wait() -> None:
    client = connect(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    began = time.monotonic()
    with pytest.raises(RedisConnectionError):
        client.get("x")
    assert time.monotonic() - began < 1


def test_a_connection_that_died_while_idle_is_replaced_unnoticed(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    with connect(make_settings(redis_url=redis_server.url)) as client:
        client.set("x", "1")
        redis.client_kill_filter(_type="normal", skipme=True)
        assert client.get("x") == b"1"


def test_clients_are_named(redis: Redis, redis_server: EmbeddedRedis) -> None:
    with connect(make_settings(redis_url=redis_server.url)) as client:
        assert client.client_getname() == "api-read-cache"


def test_the_password_of_the_settings_opens_redis(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    secret = "p@:/ %?#"
    redis.acl_setuser(
        "guest", enabled=True, passwords=[f"+{secret}"], commands=["+@all"], keys=["*"]
    )
    try:
        host = urlsplit(redis_server.url).netloc
        settings = make_settings(redis_url=f"redis://guest@{host}/0", cache_password=secret)
        with connect(settings) as client:
            assert client.acl_whoami() == "guest"
    finally:
        redis.acl_deluser("guest")
