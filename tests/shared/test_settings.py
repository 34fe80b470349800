import os
from pathlib import Path

import certifi
import pytest
from pydantic import SecretStr, ValidationError

from scripts import demo
from shared.errors import SettingsError
from shared.settings import Settings, load, load_or_exit
from tests.builders import make_settings

SECRET = "s3cret"  # in no message, in no repr
HOST = "redis://127.0.0.1:6379/0"


def problem(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """The error message for a wrong environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    return str(caught.value)


def loaded(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


def test_the_defaults_are_those_of_the_design() -> None:
    settings = load()
    assert settings.port == 5000
    assert settings.github_api_token is None
    assert settings.github_api_url == "https://api.github.com"
    assert settings.orgs == ("Netflix",)
    assert settings.redis_url is None
    assert settings.cache_password is None
    assert settings.cache_ttl == 1000
    assert settings.local_ttl == 50
    assert settings.miss_wait == 10
    assert settings.web_concurrency == os.cpu_count()
    assert settings.include_private is False


def test_every_default_is_valid() -> None:
    settings = load()
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    assert Settings.model_validate(values) == settings


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_settings_are_frozen() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.port = 1


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "1", 1),
        ("PORT", "65535", 65535),
        ("CACHE_TTL", "0.5", 0.5),
        ("LOCAL_TTL", "31536000", 31536000),
        ("WEB_CONCURRENCY", "512", 512),
        ("READER_THREADS", "20", 20),
        ("INCLUDE_PRIVATE", "true", True),
        ("INCLUDE_PRIVATE", "0", False),
        ("ORGS", "Netflix", ("Netflix",)),
        ("ORGS", " Netflix ,Google,, ", ("Netflix", "Google")),
        ("ORGS", "Netflix,NETFLIX,netflix,a", ("Netflix", "a")),
        ("ORGS", "a-b,x_y", ("a-b", "x_y")),
        ("ORGS", "a" * 39, ("a" * 39,)),
        ("TRUSTED_PROXIES", "10.0.0.1", ("10.0.0.1",)),
        ("TRUSTED_PROXIES", " 10.0.0.0/8 ,,2001:db8::/32, ", ("10.0.0.0/8", "2001:db8::/32")),
        ("TRUSTED_PROXIES", ",", ()),
        ("GITHUB_API_URL", "https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3"),
        ("GITHUB_API_URL", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("PUBLIC_URL", "https://cache.example.com/", "https://cache.example.com"),
        ("PUBLIC_URL", "http://10.0.0.1:5000/github/", "http://10.0.0.1:5000/github"),
    ],
)
def test_a_setting_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: object
) -> None:
    assert getattr(loaded(monkeypatch, **{name: value}), name.lower()) == expected


@pytest.mark.parametrize(
    "origin", ["https://api.github.com", "https://API.GitHub.com/", "https://api.octocorp.ghe.com"]
)
def test_the_points_of_a_minute_stay_within_githubs_limit(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    assert loaded(monkeypatch, GITHUB_API_URL=origin, ORIGIN_POINTS_PER_MINUTE="440")
    with pytest.raises(SettingsError, match="ORIGIN_POINTS_PER_MINUTE must be at most 440 at api"):
        loaded(monkeypatch, GITHUB_API_URL=origin, ORIGIN_POINTS_PER_MINUTE="441")


def test_another_origin_may_have_more_points_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = {"GITHUB_API_URL": "https://ghe.example.com/api/v3"}
    settings = loaded(monkeypatch, **origin, ORIGIN_POINTS_PER_MINUTE="1000000")
    assert settings.origin_points_per_minute == 1_000_000
    with pytest.raises(SettingsError, match="ORIGIN_POINTS_PER_MINUTE=1000001"):
        loaded(monkeypatch, **origin, ORIGIN_POINTS_PER_MINUTE="1000001")


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert loaded(monkeypatch, **{name: ""}) == load()


def test_variables_that_are_not_ours_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load()
    assert loaded(monkeypatch, CACHE_SIZE="x") == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("PORT", value) for value in ("0", "65536", "-1", "x", "80.5", "5000 5001")),
        *(("ORGS", value) for value in (",", " , ", "a/b", "-a", "a b", "a,b!", "a" * 40, "..")),
        *(
            (name, value)
            for name in ("CACHE_TTL", "LOCAL_TTL", "MISS_WAIT", "ON_DEMAND_TTL", "ON_DEMAND_KEEP",
                         "LOCK_TTL", "ORIGIN_CONNECT_TIMEOUT", "ORIGIN_READ_TIMEOUT",
                         "ORIGIN_DEADLINE", "BACKOFF_MAX")
            for value in ("0", "-1", "nan", "inf", "31536001", "ten")
        ),
        *(("WEB_CONCURRENCY", value) for value in ("0", "513", "1.5")),
        *(("READER_THREADS", value) for value in ("19", "4097")),
        *(("LOCAL_MAX_BYTES", value) for value in ("0", "-1", "1MB")),
        *(("ORIGIN_MAX_BYTES", value) for value in ("0", "1.5")),
        *(("QUEUE_MAX", value) for value in ("0", "x")),
        *(("LIST_MAX_PAGES", value) for value in ("0", "10001")),
        *(
            ("TRUSTED_PROXIES", value)
            for value in ("localhost", "*", "10", "10.0.0", "10.0.0.256", "10.0.0.0/33",
                          "10.0.0.0/x", "10.0.0.0 /8", "10.0.0.1:80", "2001:db8::/129", "[::1]",
                          "10.0.0.1;::1", "10.0.0.1,proxy.test", "010.0.0.1", "/", "/8")
        ),
        ("INCLUDE_PRIVATE", "maybe"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_in_one_line_that_shows_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    said = problem(monkeypatch, **{name: value})
    assert said.startswith(f"{name}={value}: ")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_API_URL", "ftp://example.com"),
        ("GITHUB_API_URL", "api.github.com"),
        ("GITHUB_API_URL", "https://"),
        ("GITHUB_API_URL", f"https://user:{SECRET}@example.com"),
        ("GITHUB_API_URL", f"https://{SECRET}@example.com"),
        ("GITHUB_API_URL", f"https://example.com/?token={SECRET}"),
        ("GITHUB_API_URL", f"https://example.com/#{SECRET}"),
        ("PUBLIC_URL", "cache.example.com"),
        ("PUBLIC_URL", "ftp://cache.example.com"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", f"https://user:{SECRET}@cache.example.com"),
        ("PUBLIC_URL", f"https://cache.example.com/?token={SECRET}"),
        ("PUBLIC_URL", f"https://cache.example.com/#{SECRET}"),
        ("PUBLIC_URL", "https://cache.example.com:x"),
        ("PUBLIC_URL", "https://cache.example.com/a b"),
        ("PUBLIC_URL", 'https://cache.example.com/"'),
        ("PUBLIC_URL", "https://cache.example.com/\\"),
        ("PUBLIC_URL", "https://cache.example.com/>"),
        ("PUBLIC_URL", "https://cache.example.com/\nX: y"),
        ("PUBLIC_URL", "https://cache.example.com/api/v3"),
        ("PUBLIC_URL", "https://cache.example.com/api/v3/"),
        ("REDIS_URL", f"http://:{SECRET}@localhost"),
        ("REDIS_URL", f":{SECRET}@localhost"),
        ("REDIS_URL", f"redis://:{SECRET}@"),
        ("REDIS_URL", f"redis://:{SECRET}@localhost:65536"),
        ("REDIS_URL", f"redis://localhost:{SECRET}"),
        ("REDIS_URL", f"redis://:x/{SECRET}@localhost"),
        ("REDIS_URL", "unix://"),
        ("GITHUB_API_TOKEN", f"{SECRET} x"),
        ("GITHUB_API_TOKEN", f"{SECRET}\nX-Header: y"),
        ("GITHUB_API_TOKEN", f"{SECRET}é"),
        ("GITHUB_HOOK_TOKEN", f"{SECRET}\nX-Header: y"),
        ("GITHUB_HOOK_TOKEN", f"{SECRET},another"),
        ("GITHUB_WEBHOOK_URL", f"cache.example/{SECRET}"),
        ("GITHUB_WEBHOOK_URL", f"ftp://cache.example/{SECRET}"),
    ],
)
def test_a_bad_value_that_may_hold_a_secret_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    said = problem(monkeypatch, **{name: value})
    assert said.startswith(f"{name}: ")
    assert SECRET not in said
    assert "\n" not in said


def test_the_token_for_webhooks_fetches_no_content(monkeypatch: pytest.MonkeyPatch) -> None:
    said = problem(monkeypatch, GITHUB_API_TOKEN=f"a,{SECRET}", GITHUB_HOOK_TOKEN=SECRET)
    assert said.startswith("GITHUB_HOOK_TOKEN must not be one of GITHUB_API_TOKEN")
    assert SECRET not in said
    settings = loaded(monkeypatch, GITHUB_API_TOKEN="a", GITHUB_HOOK_TOKEN=SECRET)
    assert settings.github_api_tokens == ("a",)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", f"redis://:x[{SECRET}]y@localhost"),
        ("REDIS_URL", f"redis://:{SECRET}\u2100@localhost"),
        ("GITHUB_API_URL", f"https://user:x[{SECRET}]y@example.com"),
    ],
    ids=["brackets", "nfkc", "origin"],
)
def test_a_malformed_url_is_not_shown_either(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert SECRET not in problem(monkeypatch, **{name: value})


@pytest.mark.parametrize("name", ["PORT", "ORGS", "CACHE_TTL"])
def test_a_bad_value_of_two_lines_is_reported_in_one(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert "\n" not in problem(monkeypatch, **{name: "a/\nb"})


@pytest.mark.parametrize("value", ["https://example.com:port", "https://example.com:70000",
                                   "https://exam\nple.com", "https://example.com/a b"])  # fmt: skip
def test_an_origin_that_no_request_could_reach_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    assert problem(monkeypatch, GITHUB_API_URL=value).startswith("GITHUB_API_URL: ")


def test_a_proxy_that_is_not_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = problem(monkeypatch, TRUSTED_PROXIES="10.0.0.1, proxy.test")
    assert "'proxy.test' is not an IP address or network" in said


@pytest.mark.parametrize(
    ("value", "networks"),
    [
        ("", []),
        ("192.0.2.7", ["192.0.2.7/32"]),
        ("10.1.2.3/8", ["10.0.0.0/8"]),
        ("10.0.0.0/255.0.0.0", ["10.0.0.0/8"]),
        ("2001:DB8::1", ["2001:db8::1/128"]),
        ("2001:db8::1/32, 127.0.0.1", ["2001:db8::/32", "127.0.0.1/32"]),
        ("0.0.0.0/0,::/0", ["0.0.0.0/0", "::/0"]),
    ],
)
def test_proxies_are_networks(
    monkeypatch: pytest.MonkeyPatch, value: str, networks: list[str]
) -> None:
    settings = loaded(monkeypatch, TRUSTED_PROXIES=value)
    assert [str(network) for network in settings.trusted_networks] == networks
    assert settings.trusted_networks is settings.trusted_networks  # taken apart once
    assert settings == load()


def test_no_proxy_is_trusted_by_default() -> None:
    assert load().trusted_networks == ()


def test_several_bad_values_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    said = problem(monkeypatch, PORT="x", CACHE_TTL="-1")
    assert "PORT=x: " in said
    assert "CACHE_TTL=-1: " in said
    assert "\n" not in said


def test_no_secret_shows_in_the_repr() -> None:
    settings = make_settings(
        redis_url=f"redis://:{SECRET}@localhost", cache_password=SECRET, github_api_token=SECRET
    )
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in f"{settings.model_dump()}"


@pytest.mark.parametrize("token", ["x", "demo", "15-characters-x"])
def test_an_admin_token_that_is_short_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    said = problem(monkeypatch, ADMIN_TOKEN=token)
    assert said.startswith("ADMIN_TOKEN: must have at least 16 characters")
    assert f" {token}" not in said
    assert "\n" not in said


def test_one_of_sixteen_characters_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, ADMIN_TOKEN="x" * 16).admin_token == SecretStr("x" * 16)


def test_the_demo_s_admin_token_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, ADMIN_TOKEN=demo._ADMIN).admin_token == SecretStr(demo._ADMIN)
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"`ADMIN_TOKEN` is `{demo._ADMIN}`" in readme


def test_a_token_is_kept_as_it_is() -> None:
    token = make_settings(github_api_token="ghp_!~x").github_api_token
    assert token == SecretStr("ghp_!~x")


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("redis://h:1/2", None, "redis://h:1/2"),
        ("redis://h:1/2?x=y", "p", "redis://:p@h:1/2?x=y"),
        ("redis://:own@h", "p", "redis://:own@h"),
        ("redis://user:own@h", "p", "redis://user:own@h"),
        ("rediss://user@h/0", "p", "rediss://user:p@h/0"),
        ("redis://h", "p@:/ %", "redis://:p%40%3A%2F%20%25@h"),
        ("redis://[::1]:6379/0", "p", "redis://:p@[::1]:6379/0"),
        ("unix:///run/redis.sock?db=1", "p", "unix://:p@/run/redis.sock?db=1"),
        ("redis+sentinel://a:1,[::1]:2/m/0", "p", "redis+sentinel://:p@a:1,[::1]:2/m/0"),
        ("redis+sentinel://u:own@a,b/m", "p", "redis+sentinel://u:own@a,b/m"),
        ("redis://h/0?x=a@b", "p", "redis://:p@h/0?x=a@b"),
    ],
)
def test_the_password_is_added_if_the_url_holds_none(
    url: str, password: str | None, expected: str
) -> None:
    settings = make_settings(redis_url=url, cache_password=password)
    assert settings.redis_location == expected


def test_locks_are_on_the_main_redis_unless_they_have_servers_of_their_own() -> None:
    assert load().redlock_locations == ()
    settings = make_settings(
        redlock_urls="redis://a, rediss://u:own@b:1/2 ,unix:///c?db=1", cache_password="p"
    )
    assert settings.redlock_locations == (
        *("redis://:p@a", "rediss://u:own@b:1/2", "unix://:p@/c?db=1"),
    )
    assert len(make_settings(redlock_urls="redis://a").redlock_locations) == 1


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ("redis://a,redis://b", "must name an odd number of servers: a majority of them decides"),
        (
            "redis://a,redis://b,redis://a:6379/1",
            "names a server twice: its vote would count double",
        ),
        ("redis://a,redis://b,", "must be a URL; its port must be below 65536"),
        ("redis://a,http://b,redis://c", "must begin with redis://, rediss:// or unix://"),
        ("redis://a,redis://,redis://c", "must contain a host"),
        (f"redis://:{SECRET}@a,x", "must begin with"),
    ],
)
def test_servers_for_locks_are_independent_and_odd_in_number(
    monkeypatch: pytest.MonkeyPatch, urls: str, said: str
) -> None:
    message = problem(monkeypatch, REDLOCK_URLS=urls)
    assert message.startswith(f"REDLOCK_URLS: {said}")
    assert SECRET not in message


CERTIFICATES = certifi.where()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rediss://h/0", f"rediss://h/0?ssl_ca_certs={CERTIFICATES}"),
        ("rediss://h/0?db=1", f"rediss://h/0?db=1&ssl_ca_certs={CERTIFICATES}"),
        ("rediss+sentinel://h/m", f"rediss+sentinel://h/m?ssl_ca_certs={CERTIFICATES}"),
        ("rediss://h?ssl_ca_certs=/own", "rediss://h?ssl_ca_certs=/own"),
    ],
)
def test_certificates_are_added_if_the_url_names_none(url: str, expected: str) -> None:
    assert make_settings(redis_url=url, redis_ca_file=CERTIFICATES).redis_location == expected


@pytest.mark.parametrize("file", ["/no/such/file", __file__])
def test_a_file_without_certificates_is_refused(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    said = problem(monkeypatch, REDIS_CA_FILE=file, REDIS_URL="rediss://h")
    assert said.startswith(f"REDIS_CA_FILE={file}: holds no certificates (")


def test_certificates_for_a_redis_without_tls_are_a_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = problem(monkeypatch, REDIS_CA_FILE=CERTIFICATES, REDIS_URL=f"redis://:{SECRET}@h")
    assert said == "REDIS_CA_FILE needs a REDIS_URL that begins with rediss"


def test_a_missing_redis_is_reported_when_it_is_needed() -> None:
    with pytest.raises(SettingsError, match=r"^REDIS_URL is not set"):
        _ = load().redis_location


def test_a_process_stops_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", HOST)
    monkeypatch.setenv("PORT", "x")
    with pytest.raises(SystemExit) as stopped:
        load_or_exit()
    # A string as the code: Python prints it on standard error and exits with 1.
    said = stopped.value.code
    assert isinstance(said, str)
    assert said.startswith("api-read-cache: bad settings: PORT=x: ")
    assert "\n" not in said


def test_a_process_stops_without_redis_only_if_it_needs_one() -> None:
    with pytest.raises(SystemExit, match="REDIS_URL"):
        load_or_exit()
    assert load_or_exit(needs_redis=False) == load()


def test_a_process_goes_on_with_good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", HOST)
    assert load_or_exit().redis_location == HOST


APP = {"GITHUB_APP_ID": "1234", "GITHUB_APP_INSTALLATION_ID": "5678"}
PEM = "-----BEGIN RSA PRIVATE KEY-----\\nbase64\\n-----END RSA PRIVATE KEY-----"


class TestGitHubApp:
    def test_a_key_may_be_in_the_environment_with_its_line_breaks_escaped(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = loaded(monkeypatch, **APP, GITHUB_APP_PRIVATE_KEY=PEM)
        assert settings.github_app_id == "1234"
        assert settings.github_app_installation_id == 5678
        assert settings.app_private_key == PEM.replace("\\n", "\n")

    def test_a_key_may_be_in_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        key = tmp_path / "app.pem"
        key.write_text("the key\n")
        settings = loaded(monkeypatch, **APP, GITHUB_APP_PRIVATE_KEY_FILE=str(key))
        assert settings.app_private_key == "the key\n"

    def test_a_file_that_is_not_there_is_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        settings = loaded(monkeypatch, **APP, GITHUB_APP_PRIVATE_KEY_FILE=str(tmp_path / "none"))
        with pytest.raises(SettingsError, match="GITHUB_APP_PRIVATE_KEY_FILE: cannot be read"):
            _ = settings.app_private_key

    def test_without_an_app_there_is_no_key(self) -> None:
        assert load().app_private_key is None

    @pytest.mark.parametrize(
        "environment",
        [
            APP,
            {"GITHUB_APP_ID": "1234", "GITHUB_APP_PRIVATE_KEY": PEM},
            {"GITHUB_APP_INSTALLATION_ID": "5", "GITHUB_APP_PRIVATE_KEY_FILE": "x.pem"},
            {**APP, "GITHUB_APP_PRIVATE_KEY": PEM, "GITHUB_APP_PRIVATE_KEY_FILE": "x.pem"},
            {"GITHUB_APP_PRIVATE_KEY": PEM},
        ],
    )
    def test_an_incomplete_app_is_refused_without_showing_a_secret(
        self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
    ) -> None:
        message = problem(monkeypatch, GITHUB_API_TOKEN=SECRET, **environment)
        assert message.startswith("GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and one of")
        assert SECRET not in message
        assert "base64" not in message

    @pytest.mark.parametrize("value", ["0", "x", "-1"])
    def test_an_installation_is_a_number(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        message = problem(monkeypatch, GITHUB_APP_INSTALLATION_ID=value)
        assert message.startswith(f"GITHUB_APP_INSTALLATION_ID={value}: ")

    def test_the_key_is_in_no_repr(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "base64" not in repr(loaded(monkeypatch, **APP, GITHUB_APP_PRIVATE_KEY=PEM))
