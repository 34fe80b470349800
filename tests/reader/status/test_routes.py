"""The status page's paths: who may read it, who may act, and the effect of each action."""

import hashlib
import json
import time
import zlib
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from redis import Redis
from rq.suspension import is_suspended

from reader.fleet.hold_facts import AT_ONCE
from reader.status.admin import COOKIE
from shared import spending
from shared.queueing import FORGET_JOB, JOB
from shared.redis import keys
from shared.redis.store import Store
from shared.spending import spenders
from tests.builders import absent_redis, make_entry, on_demand, queued_names, store_entry, tracked
from tests.reader.conftest import MakeApp

TOKEN = "an-admin-token-of-24-chars"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ORG, MONA = tracked("/orgs/Netflix"), on_demand("/users/mona")


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    """A client of a reader with an admin token."""
    return make_app(admin_token=TOKEN).test_client()


def sign_in(client: FlaskClient, token: str = TOKEN) -> Any:
    return client.post("/status/sign-in", data={"token": token})


def csrf_of(client: FlaskClient) -> str:
    """The CSRF token in the page's forms."""
    text = client.get("/status").text
    return text.partition('name="csrf" value="')[2].partition('"')[0]


def jobs(redis: Redis) -> list[tuple[str, Mapping[str, Any]]]:
    """The queued jobs: the function's name, and its keyword arguments."""
    found = []
    for job in redis.lrange("rq:queue:refresh", 0, -1):
        assert isinstance(job, bytes)
        data = redis.hget(f"rq:job:{job.decode()}", "data")
        assert isinstance(data, bytes)
        name, _, _, known = json.loads(zlib.decompress(data))
        found.append((name, known))
    return found


def spend(redis: Redis, client: str) -> None:
    """A refresher reports a request to GitHub for which a client waited."""
    with redis.pipeline() as pipeline:
        spending.add(pipeline, dict.fromkeys(spenders(MONA, client), 1), now=time.time())
        pipeline.execute()


class TestWhoLooks:
    def test_everybody_may_unless_it_is_not_public(self, make_app: MakeApp) -> None:
        anybody = make_app().test_client()
        assert anybody.get("/status").status_code == 200
        assert anybody.get("/status.json").status_code == 200

    def test_a_page_that_is_not_public_is_404_without_an_admin_token(
        self, make_app: MakeApp
    ) -> None:
        anybody = make_app(status_public=False).test_client()
        assert anybody.get("/status").status_code == 404
        assert anybody.get("/status.json").status_code == 404

    def test_a_client_with_the_token_sees_it(self, make_app: MakeApp) -> None:
        somebody = make_app(status_public=False, admin_token=TOKEN).test_client()
        refused = somebody.get("/status")
        assert refused.status_code == 401
        assert "Tracked resources" not in refused.text
        assert "Admin token" in refused.text
        refused = somebody.get("/status.json")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (
            401,
            "Bearer",
        )
        assert somebody.get("/status.json", headers=BEARER).status_code == 200
        sign_in(somebody)
        assert "Tracked resources" in somebody.get("/status").text

    def test_only_one_who_has_signed_in_sees_addresses_of_clients_on_a_public_page(
        self, redis: Redis, client: FlaskClient
    ) -> None:
        spend(redis, "192.0.2.7")
        for headers in ({}, BEARER):
            for path in ("/status", "/status.json"):
                assert "192.0.2.7" not in client.get(path, headers=headers).text
        assert "192.0.2.7" not in client.get("/metrics").text
        sign_in(client)
        assert "192.0.2.7" in client.get("/status").text
        assert client.get("/status.json").get_json()["clients"][0]["name"] == "192.0.2.7"

    def test_all_who_may_see_a_page_that_is_not_public_see_addresses_of_clients(
        self, redis: Redis, make_app: MakeApp
    ) -> None:
        spend(redis, "192.0.2.7")
        somebody = make_app(status_public=False, admin_token=TOKEN).test_client()
        assert "192.0.2.7" not in somebody.get("/status.json").text
        assert "192.0.2.7" in somebody.get("/status.json", headers=BEARER).text

    def test_head_is_get_without_the_body(self, client: FlaskClient) -> None:
        assert client.head("/status").status_code == 200
        assert client.head("/status.json").data == b""


class TestThePage:
    def test_allows_nothing_but_its_own_files(self, client: FlaskClient) -> None:
        answered = client.get("/status")
        policy = answered.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "<script>" not in answered.text
        assert "style=" not in answered.text
        assert "onclick" not in answered.text
        for name in ("status.css", "status.js", "icon.svg"):
            assert f"/status/assets/{name}" in answered.text
            with client.get(f"/status/assets/{name}") as asset:
                assert asset.status_code == 200

    def test_is_not_cached(self, client: FlaskClient) -> None:
        for path in ("/status", "/status.json"):
            assert client.get(path).headers["Cache-Control"] == "no-store"

    def test_is_not_for_other_sites(self, client: FlaskClient) -> None:
        for path in ("/status", "/status.json"):
            assert "Access-Control-Allow-Origin" not in client.get(path).headers

    def test_escapes_what_clients_request(self, redis: Redis, client: FlaskClient) -> None:
        odd = on_demand("/users/<script>alert(1)")
        client.get("/status")
        redis.zadd(keys.popular(int(time.time() // 600)), {odd.name: 3})
        client.application.extensions["process"].start().fleet.discard()
        text = client.get("/status").text
        assert "<script>alert" not in text
        assert "alert(1)" in text

    def test_shows_the_texts_of_the_json(self, client: FlaskClient) -> None:
        title = client.get("/status.json").json["title"]  # type: ignore[index]
        assert f'<title data-text="title">{title}</title>' in client.get("/status").text

    def test_shows_no_buttons_to_clients_without_a_session(self, client: FlaskClient) -> None:
        assert "Refresh now" not in client.get("/status").text
        sign_in(client)
        assert "Refresh now" in client.get("/status").text

    def test_without_an_admin_token_says_that_it_is_read_only(self, make_app: MakeApp) -> None:
        text = make_app().test_client().get("/status").text
        assert "read-only" in text
        assert "password" not in text


class TestSigningIn:
    def test_sets_a_cookie_that_no_script_reads_and_no_other_site_sends(
        self, client: FlaskClient
    ) -> None:
        answered = sign_in(client)
        assert (answered.status_code, answered.headers["Location"]) == (303, "/status")
        given = answered.headers["Set-Cookie"]
        assert "HttpOnly" in given
        assert "SameSite=Strict" in given
        assert "Secure" not in given
        assert TOKEN not in given

    def test_over_https_the_cookie_is_for_https_only(self, client: FlaskClient) -> None:
        answered = client.post(
            "/status/sign-in", data={"token": TOKEN}, base_url="https://cache.test"
        )
        assert "Secure" in answered.headers["Set-Cookie"]

    def test_with_a_wrong_token_sets_no_cookie(self, client: FlaskClient) -> None:
        answered = sign_in(client, "wrong")
        assert answered.status_code == 401
        assert "Set-Cookie" not in answered.headers
        assert "Wrong admin token" in answered.text

    def test_is_not_possible_without_an_admin_token(self, make_app: MakeApp) -> None:
        assert sign_in(make_app().test_client(), "").status_code == 403

    def test_ends_with_signing_out_also_for_copies_of_the_cookie(self, client: FlaskClient) -> None:
        sign_in(client)
        cookie = client.get_cookie(COOKIE)
        assert cookie is not None
        csrf = csrf_of(client)
        client.post("/status/sign-out", data={"csrf": csrf})
        assert "Refresh now" not in client.get("/status").text
        client.set_cookie(COOKIE, cookie.value)
        assert "Refresh now" not in client.get("/status").text
        assert client.post("/status/pause", data={"csrf": csrf}).status_code == 401

    def test_ends_with_a_new_token(self, client: FlaskClient, make_app: MakeApp) -> None:
        sign_in(client)
        cookie = client.get_cookie(COOKIE)
        assert cookie is not None
        other = make_app(admin_token="another-token-of-24-chars").test_client()
        other.set_cookie(COOKIE, cookie.value)
        assert "Refresh now" not in other.get("/status").text


class TestGuessing:
    WRONG: ClassVar = {"Authorization": "Bearer wrong"}

    def guess(self, client: FlaskClient, times: int) -> None:
        for _ in range(times):
            assert client.post("/status/pause", headers=self.WRONG).status_code == 401

    def test_more_than_a_few_wrong_tokens_are_too_many_on_every_path(
        self, client: FlaskClient, make_app: MakeApp
    ) -> None:
        self.guess(client, AT_ONCE - 1)
        assert sign_in(client, "wrong").status_code == 401
        private = make_app(admin_token=TOKEN, status_public=False).test_client()
        for answered in (
            client.post("/status/pause", headers=self.WRONG),
            private.get("/status.json", headers=self.WRONG),
            private.get("/status", headers=self.WRONG),
            sign_in(client, "wrong"),
        ):
            assert (answered.status_code, answered.headers["Retry-After"]) == (429, "60")
        assert "Wrong admin token" in private.get("/status", headers=self.WRONG).text

    def test_the_correct_token_is_accepted_all_the_same(self, client: FlaskClient) -> None:
        for _ in range(100):
            client.post("/status/pause", headers=self.WRONG)
        assert client.post("/status/resume", headers=BEARER).status_code == 202
        assert sign_in(client).status_code == 303

    def test_a_request_without_a_token_is_no_guess(self, redis: Redis, client: FlaskClient) -> None:
        client.set_cookie(COOKIE, "a" * 24)
        for path in ("/status", "/status.json"):
            assert client.get(path).status_code == 200
        assert client.post("/status/pause").status_code == 401
        assert list(redis.scan_iter(match="*:guesses:*")) == []

    def test_a_public_page_does_not_check_a_token(self, redis: Redis, client: FlaskClient) -> None:
        """So it needs no delay: a client may send GitHub's token everywhere."""
        pages = [client.get("/status", headers=headers).text for headers in (BEARER, self.WRONG)]
        assert "Refresh now" not in pages[0]
        assert "Refresh now" not in pages[1]
        assert list(redis.scan_iter(match="*:guesses:*")) == []

    def test_nothing_that_is_signed_with_a_guess_shows_whether_it_is_right(
        self, client: FlaskClient
    ) -> None:
        """Cookies and notes were once signed with the token: each page tested a guess."""
        signer = URLSafeTimedSerializer(
            TOKEN,
            salt="api-read-cache admin",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
        note = signer.dumps(["text", "Call this number"])
        assert "Call this number" not in client.get(f"/status?said={note}").text
        client.set_cookie(COOKIE, str(signer.dumps(["session", "x"])))
        assert "Refresh now" not in client.get("/status").text


class TestActing:
    def test_a_program_with_the_token_has_a_resource_refreshed(
        self, redis: Redis, client: FlaskClient
    ) -> None:
        answered = client.post("/status/refresh", data={"resource": ORG.name}, headers=BEARER)
        assert answered.status_code == 202
        assert answered.json == {"message": "/orgs/Netflix will be refreshed."}
        assert (JOB, {"force": True}) in jobs(redis)

    def test_the_job_carries_the_request_id(self, redis: Redis, client: FlaskClient) -> None:
        client.post(
            "/status/refresh",
            data={"resource": ORG.name},
            headers={**BEARER, "X-Request-Id": "by-hand-7"},
        )
        # Beside it are those of the reader, which asks for what it misses, in nobody's name.
        ids = cast(list[bytes], redis.lrange("rq:queue:refresh", 0, -1))
        metas = [json.loads(redis.hget(f"rq:job:{one.decode()}", "meta") or "{}") for one in ids]
        assert [meta.get("request_id") for meta in metas].count("by-hand-7") == 1

    def test_a_running_refresh_is_not_enqueued_again(
        self, redis: Redis, client: FlaskClient
    ) -> None:
        redis.set(keys.running(ORG), "somebody")
        answered = client.post("/status/refresh", data={"resource": ORG.name}, headers=BEARER)
        assert answered.json == {"message": "/orgs/Netflix is already being refreshed."}

    def test_an_on_demand_resource_is_forgotten_by_a_refresher(
        self, redis: Redis, client: FlaskClient
    ) -> None:
        store_entry(redis, MONA, make_entry())
        answered = client.post("/status/forget", data={"resource": MONA.name}, headers=BEARER)
        assert answered.json == {"message": "/users/mona will be forgotten."}
        assert (FORGET_JOB, {}) in jobs(redis)
        assert "forget /users/mona" in queued_names(redis)

    def test_a_tracked_resource_is_forgotten_by_reading_it_anew(
        self, redis: Redis, client: FlaskClient
    ) -> None:
        answered = client.post("/status/forget", data={"resource": ORG.name}, headers=BEARER)
        assert answered.status_code == 202
        assert FORGET_JOB in [name for name, _ in jobs(redis)]

    def test_refreshers_are_paused_and_resumed(self, redis: Redis, client: FlaskClient) -> None:
        client.post("/status/pause", headers=BEARER)
        assert is_suspended(redis)
        paused = client.get("/status.json").json
        assert paused is not None
        assert paused["paused"] is True
        assert "Refreshing is paused" in [one["title"] for one in paused["statements"]]
        later = client.post("/status/refresh", data={"resource": ORG.name}, headers=BEARER)
        assert later.json == {
            "message": "/orgs/Netflix will be refreshed once refreshing is resumed."
        }
        client.post("/status/resume", headers=BEARER)
        assert not is_suspended(redis)
        assert not redis.exists(keys.SUSPENDED)

    @pytest.mark.parametrize("name", ["", "/user", "/orgs/Netflix/hooks", "nonsense"])
    def test_an_unknown_resource_is_not_refreshed(self, client: FlaskClient, name: str) -> None:
        answered = client.post("/status/refresh", data={"resource": name}, headers=BEARER)
        assert answered.status_code == 404

    def test_there_are_no_other_actions(self, client: FlaskClient) -> None:
        assert client.post("/status/flushall", headers=BEARER).status_code == 404


class TestRefusing:
    ACTIONS = ("refresh", "forget", "pause", "resume", "sign-out")

    @pytest.mark.parametrize("action", ACTIONS)
    def test_a_client_without_a_token(self, redis: Redis, client: FlaskClient, action: str) -> None:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"{COOKIE}=made-up"}):
            answered = client.post(
                f"/status/{action}", data={"resource": ORG.name}, headers=headers
            )
            assert answered.status_code == 401
            assert answered.headers["WWW-Authenticate"] == "Bearer"
        assert not is_suspended(redis)
        assert not any(known.get("force") for _, known in jobs(redis))

    @pytest.mark.parametrize("action", ACTIONS)
    def test_every_client_without_an_admin_token(self, make_app: MakeApp, action: str) -> None:
        answered = make_app().test_client().post(f"/status/{action}", headers=BEARER)
        assert answered.status_code == 403

    @pytest.mark.parametrize("csrf", ["", "guessed"])
    def test_a_post_that_another_site_made_the_browser_send(
        self, redis: Redis, client: FlaskClient, csrf: str
    ) -> None:
        sign_in(client)
        answered = client.post("/status/pause", data={"csrf": csrf})
        assert answered.status_code == 403
        assert not is_suspended(redis)

    def test_also_one_with_the_csrf_token_but_from_another_site(
        self, redis: Redis, client: FlaskClient
    ) -> None:
        sign_in(client)
        answered = client.post(
            "/status/pause",
            data={"csrf": csrf_of(client)},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert answered.status_code == 403
        assert not is_suspended(redis)

    def test_a_get_of_an_actions_path(self, client: FlaskClient) -> None:
        assert client.get("/status/pause", headers=BEARER).status_code in {404, 405}


class TestAForm:
    def test_redirects_to_the_page_which_says_what_was_done(
        self, redis: Redis, client: FlaskClient
    ) -> None:
        sign_in(client)
        answered = client.post("/status/pause", data={"csrf": csrf_of(client)})
        assert answered.status_code == 303
        assert is_suspended(redis)
        text = client.get(answered.headers["Location"]).text
        assert "Refreshing is paused: refreshers start no new job." in text

    def test_that_fails_says_why(self, client: FlaskClient) -> None:
        sign_in(client)
        data = {"csrf": csrf_of(client), "resource": ORG.name}
        answered = client.post("/status/forget", data={**data, "resource": "/user"})
        text = client.get(answered.headers["Location"]).text
        assert "this cache does not serve such a resource" in text

    def test_forgets_tracked_content_only_once_it_is_read_anew(
        self, client: FlaskClient, redis: Redis
    ) -> None:
        sign_in(client)
        data = {"csrf": csrf_of(client), "resource": ORG.name}
        answered = client.post("/status/forget", data=data)
        text = client.get(answered.headers["Location"]).text
        assert f"{ORG.name} will be read anew, and is served until then." in text
        assert Store(redis).state(ORG).is_to_be_read_anew

    def test_cannot_make_the_page_show_a_forged_message(self, client: FlaskClient) -> None:
        assert "Call this number" not in client.get("/status?said=Call+this+number").text


def test_a_redis_that_is_away_is_shown(make_app: MakeApp) -> None:
    port = absent_redis().connection_pool.connection_kwargs["port"]
    client = make_app(redis_url=f"redis://127.0.0.1:{port}", admin_token=TOKEN).test_client()
    assert client.get("/status.json").json["redis"] is False  # type: ignore[index]
    assert "Redis does not respond" in client.get("/status").text
    answered = client.post("/status/pause", headers=BEARER)
    assert (answered.status_code, answered.headers["Retry-After"]) == (503, "1")


class TestWithoutRedis:
    @pytest.fixture
    def client(self, make_app: MakeApp) -> FlaskClient:
        port = absent_redis().connection_pool.connection_kwargs["port"]
        known = {"redis_url": f"redis://127.0.0.1:{port}", "admin_token": TOKEN}
        return make_app(**known, status_public=False).test_client()

    def test_no_session_is_accepted_and_the_response_says_why(self, client: FlaskClient) -> None:
        client.set_cookie(COOKIE, "a" * 24)
        for answered in (
            client.get("/status"),
            client.get("/status.json"),
            client.post("/status/pause"),
            client.post("/status/sign-out"),
            sign_in(client),
        ):
            assert (answered.status_code, answered.headers["Retry-After"]) == (503, "1")
            assert "Sessions cannot be checked" in answered.text

    def test_the_token_still_shows_the_page(self, client: FlaskClient) -> None:
        assert client.get("/status.json", headers=BEARER).status_code == 200

    def test_wrong_tokens_are_still_counted(self, client: FlaskClient) -> None:
        headers = {"Authorization": "Bearer wrong"}
        statuses = [
            client.get("/status.json", headers=headers).status_code for _ in range(AT_ONCE + 1)
        ]
        assert statuses == [401] * AT_ONCE + [429]

    def test_a_public_page_is_shown_as_without_a_session(self, make_app: MakeApp) -> None:
        port = absent_redis().connection_pool.connection_kwargs["port"]
        known = {"redis_url": f"redis://127.0.0.1:{port}", "admin_token": TOKEN}
        client = make_app(**known).test_client()
        client.set_cookie(COOKIE, "a" * 24)
        assert client.get("/status").status_code == 200
        assert client.get("/status.json").status_code == 200
