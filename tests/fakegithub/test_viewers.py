"""The stand-in GitHub shows each viewer what GitHub does: anonymous, stranger, member, owner."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakegithub.api import all_pages, ask
from tests.fakegithub.client import Controls, FakeGitHub, FakeGitHubError
from tests.fakegithub.forms import HOLDINGS, MERGE_SETTINGS, POLICIES, UNDOCUMENTED
from tests.fakegithub.signing import INSTALLATION_ID, app_entry, app_jwt

ORG, REPOS, MEMBERS = "/orgs/Netflix", "/orgs/Netflix/repos", "/orgs/Netflix/members"
VIEWERS = {
    "stranger": {"role": "stranger"},
    "member": {"role": "member", "scopes": "repo, read:org"},
    "owner": {"role": "owner", "scopes": "repo, admin:org"},
    "scopeless": {"role": "owner", "scopes": ""},
    "fine": {"role": "owner", "kind": "fine-grained"},
}
EVERYBODY = [None, *VIEWERS]
OUTSIDERS = [None, "stranger", "scopeless"]
INSIDERS = ["member", "owner", "fine"]


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(
        repos=20,
        private=3,
        internal=2,
        members=12,
        concealed=4,
        anonymous_limit=10_000,
        viewers=VIEWERS,
    ) as server:
        yield server


def body(github: Controls, path: str, token: str | None) -> Any:
    """The body of a path's 200 for a token."""
    response = ask(github, path, token=token)
    assert response.status == 200
    return response.json


def keys_of(value: Any) -> set[str]:
    """All keys of a body, at any depth."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set()


class TestOrganisation:
    def test_shows_outsiders_its_public_fields_only(self, github: FakeGitHub) -> None:
        public = body(github, ORG, None)
        assert public == github.org()
        assert not keys_of(public) & {"plan", "billing_email", UNDOCUMENTED, *HOLDINGS, *POLICIES}
        assert body(github, ORG, "stranger") == body(github, ORG, "scopeless") == public

    def test_shows_members_its_policies_but_not_its_plan(self, github: FakeGitHub) -> None:
        found = body(github, ORG, "member")
        assert found == github.org() | POLICIES

    @pytest.mark.parametrize("token", ["owner", "fine"])
    def test_shows_owners_everything(self, github: FakeGitHub, token: str) -> None:
        found = body(github, ORG, token)
        assert found.items() >= (github.org() | POLICIES).items()
        assert found["billing_email"] == "billing@netflix.example.com"
        assert (found["total_private_repos"], found["plan"]["name"]) == (5, "team")
        assert UNDOCUMENTED in found


class TestRepositories:
    @pytest.mark.parametrize("token", OUTSIDERS)
    def test_that_are_private_or_internal_are_not_there_for_outsiders(
        self, github: FakeGitHub, token: str | None
    ) -> None:
        listed = all_pages(github, f"{REPOS}?per_page=9", token=token)
        assert [repo["id"] for repo in listed] == [repo["id"] for repo in github.repos()]
        assert len(listed) == body(github, ORG, token)["public_repos"] == 20
        hidden = [repo for repo in github.repos(private=True) if repo["private"]]
        assert len(hidden) == 5
        for repo in hidden:
            for path in (f"/repos/{repo['full_name']}", f"/repositories/{repo['id']}/languages"):
                assert ask(github, path, token=token).status == 404

    @pytest.mark.parametrize("token", INSIDERS)
    def test_that_are_private_or_internal_are_there_for_insiders(
        self, github: FakeGitHub, token: str
    ) -> None:
        listed = all_pages(github, REPOS, token=token)
        role = str(VIEWERS[token]["role"])
        assert listed == github.repos(private=True, role=role)
        found = [repo["visibility"] for repo in listed if repo["private"]]
        assert sorted(found) == ["internal"] * 2 + ["private"] * 3
        for repo in listed:
            assert ask(github, f"/repos/{repo['full_name']}", token=token).status == 200

    def test_of_a_user_are_listed_as_far_as_they_are_public_whoever_asks(self) -> None:
        with FakeGitHub(members=9, repos=1) as github:
            logins = [member["login"] for member in github.members()]
            repos = [
                repo for login in logins for repo in body(github, f"/users/{login}/repos", "t")
            ]
            name, login = repos[0]["name"], repos[0]["owner"]["login"]
            github.mutate("make_private", org=login, repo=name)
            listed = body(github, f"/users/{login}/repos", "t")
            assert name not in [repo["name"] for repo in listed]
            assert ask(github, f"/repos/{login}/{name}").status == 404
            assert ask(github, f"/repos/{login}/{name}", token="t").status == 200

    def test_show_anonymous_viewers_no_field_for_insiders(self, github: FakeGitHub) -> None:
        own = {"permissions", "security_and_analysis", UNDOCUMENTED, *MERGE_SETTINGS}
        whole = body(github, "/repos/Netflix/Hystrix", None)
        assert whole["temp_clone_token"] is None
        assert not own & keys_of([whole, body(github, REPOS, None)])

    def test_show_a_stranger_no_push_permission(self, github: FakeGitHub) -> None:
        whole = body(github, "/repos/Netflix/Hystrix", "stranger")
        assert (whole["permissions"]["push"], whole["temp_clone_token"]) == (False, "")
        assert not {"security_and_analysis", *MERGE_SETTINGS} & set(whole)
        assert [repo["permissions"]["admin"] for repo in body(github, REPOS, "stranger")] == (
            [False] * 20
        )

    def test_show_members_the_merge_settings_if_they_may_push(self, github: FakeGitHub) -> None:
        pushed = set()
        for repo in body(github, REPOS, "member"):
            whole = body(github, f"/repos/{repo['full_name']}", "member")
            pushed.add(push := repo["permissions"]["push"])
            assert (set(MERGE_SETTINGS) <= set(whole)) == push
            assert "security_and_analysis" not in whole
        assert pushed == {True, False}

    def test_show_owners_everything(self, github: FakeGitHub) -> None:
        whole = body(github, "/repos/Netflix/Hystrix", "owner")
        assert whole["permissions"]["admin"]
        assert len(whole["temp_clone_token"]) == 29
        assert {"security_and_analysis", UNDOCUMENTED, *MERGE_SETTINGS} <= set(whole)

    def test_that_are_forks_name_parent_and_source_in_the_same_form(
        self, github: FakeGitHub
    ) -> None:
        fork = next(repo for repo in github.repos() if repo["fork"])
        path = f"/repos/{fork['full_name']}"
        public, owned = body(github, path, None), body(github, path, "owner")
        for key in ("parent", "source"):
            assert not public[key]["fork"]
            assert "permissions" not in public[key]
            assert owned[key]["permissions"]["admin"]

    def test_that_were_made_internal_are_hidden_from_anonymous_viewers_only(self) -> None:
        with FakeGitHub(repos=3, members=1) as github:
            github.mutate("make_internal", repo="Hystrix")
            assert ask(github, "/repos/Netflix/Hystrix").status == 404
            whole = body(github, "/repos/Netflix/Hystrix", "t")
            assert (whole["private"], whole["visibility"]) == (True, "internal")
            github.mutate("make_private", repo="Hystrix")
            assert body(github, "/repos/Netflix/Hystrix", "t")["visibility"] == "private"
            github.mutate("make_public", repo="Hystrix")
            assert body(github, "/repos/Netflix/Hystrix", None)["visibility"] == "public"


class TestReleases:
    PATH = "/repos/Netflix/Hystrix/releases"

    @pytest.mark.parametrize("token", [None, "stranger"])
    def test_that_are_drafts_are_not_there_for_those_who_may_not_push(
        self, github: FakeGitHub, token: str | None
    ) -> None:
        listed = body(github, self.PATH, token)
        assert [one["draft"] for one in listed] == [False] * len(listed)
        draft = body(github, self.PATH, "owner")[0]
        for path in (draft["id"], f"{draft['id']}/assets", f"assets/{draft['assets'][0]['id']}"):
            assert ask(github, f"{self.PATH}/{path}", token=token).status == 404

    @pytest.mark.parametrize("token", ["owner", "fine", "scopeless"])
    def test_that_are_drafts_are_there_for_those_who_may_push(
        self, github: FakeGitHub, token: str
    ) -> None:
        public, owned = body(github, self.PATH, None), body(github, self.PATH, token)
        assert len(owned) == len(public) + 1
        draft = owned[0]
        assert (draft["draft"], draft["published_at"]) == (True, None)
        asset = draft["assets"][0]
        assert body(github, f"{self.PATH}/{draft['id']}", token) == draft
        assert body(github, f"{self.PATH}/{draft['id']}/assets", token) == [asset]
        assert body(github, f"{self.PATH}/assets/{asset['id']}", token) == asset
        assert ask(github, f"{self.PATH}/tags/{draft['tag_name']}", token=token).status == 404

    def test_are_paged_and_their_number_tells_of_drafts(self, github: FakeGitHub) -> None:
        public = len(body(github, self.PATH, None))
        owned = all_pages(github, f"{self.PATH}?per_page=1", token="owner")
        assert len(owned) == public + 1

    @pytest.mark.parametrize("token", EVERYBODY)
    def test_that_are_published_are_found_by_number_tag_and_being_the_latest(
        self, github: FakeGitHub, token: str | None
    ) -> None:
        latest = body(github, f"{self.PATH}/latest", token)
        assert not latest["draft"]
        assert body(github, f"{self.PATH}/{latest['id']}", token) == latest
        assert body(github, f"{self.PATH}/tags/{latest['tag_name']}", token) == latest

    def test_are_shown_to_members_as_drafts_where_they_may_push(self, github: FakeGitHub) -> None:
        for repo in body(github, REPOS, "member"):
            listed = body(github, f"/repos/{repo['full_name']}/releases", "member")
            assert listed[0]["draft"] == repo["permissions"]["push"]


class TestMembers:
    @pytest.mark.parametrize("token", OUTSIDERS)
    def test_that_are_concealed_are_hidden_from_outsiders(
        self, github: FakeGitHub, token: str | None
    ) -> None:
        listed = {member["login"] for member in body(github, MEMBERS, token)}
        assert listed == {member["login"] for member in github.members()}
        everybody = {member["login"] for member in github.members(concealed=True)}
        assert (len(listed), len(everybody)) == (8, 12)
        for login in everybody:
            known = [org["login"] for org in body(github, f"/users/{login}/orgs", token)]
            assert known == (["Netflix"] if login in listed else [])

    @pytest.mark.parametrize("token", INSIDERS)
    def test_are_all_shown_to_insiders(self, github: FakeGitHub, token: str) -> None:
        assert len(body(github, MEMBERS, token)) == 12
        assert len(body(github, "/orgs/Netflix/public_members", token)) == 8
        # A user's own list has the public memberships only, whoever asks.
        public = {member["login"] for member in github.members()}
        for member in github.members(concealed=True):
            known = body(github, f"/users/{member['login']}/orgs", token)
            assert len(known) == (member["login"] in public)

    def test_have_a_status_of_their_own(self, github: FakeGitHub) -> None:
        public = {member["login"] for member in github.members()}
        for login in [member["login"] for member in github.members(concealed=True)] + ["mona"]:
            everybody = f"{ORG}/public_members/{login}"
            for token in OUTSIDERS:
                asked = ask(github, f"{MEMBERS}/{login}", token=token)
                assert (asked.status, asked.headers["location"]) == (302, github.url + everybody)
                assert ask(github, everybody, token=token).status == (
                    204 if login in public else 404
                )
            for token in INSIDERS:
                status = ask(github, f"{MEMBERS}/{login}", token=token).status
                assert status == (404 if login == "mona" else 204)

    def test_conceal_and_publicize_their_membership(self) -> None:
        with FakeGitHub(repos=1, members=3) as github:
            login = github.mutate("conceal_member", login=1)["login"]
            assert login not in [member["login"] for member in github.members()]
            github.mutate("publicize_member", login=login)
            assert len(body(github, MEMBERS, None)) == 3


class TestUser:
    def test_has_an_address_for_those_with_a_token_only(self, github: FakeGitHub) -> None:
        login = github.members()[0]["login"]
        assert body(github, f"/users/{login}", None)["email"] is None
        for token in VIEWERS:
            assert "@" in body(github, f"/users/{login}", token)["email"]

    def test_sees_more_of_the_own_account_than_others_do(self, github: FakeGitHub) -> None:
        mine, other = (member["login"] for member in github.members()[:2])
        github.configure(viewers={**VIEWERS, "own": {"role": "stranger", "login": mine}})
        own = body(github, f"/users/{mine}", "own")
        assert own == body(github, "/user", "own")
        assert (own["user_view_type"], own["plan"]["name"]) == ("private", "team")
        assert body(github, f"/users/{other}", "own")["user_view_type"] == "public"
        assert "plan" not in body(github, f"/users/{mine}", "owner")
        assert body(github, "/user", "owner")["type"] == "User"
        assert ask(github, "/user").status == 401
        github.configure(viewers=VIEWERS)


class TestCredential:
    def test_of_the_classic_kind_gets_its_scopes(self, github: FakeGitHub) -> None:
        for token in ("stranger", "member", "owner", "scopeless"):
            headers = ask(github, ORG, token=token).headers
            assert headers["x-oauth-scopes"] == VIEWERS[token].get("scopes", "repo")
            assert "x-accepted-github-permissions" not in headers

    def test_of_another_kind_gets_permissions_and_no_credential_gets_neither(
        self, github: FakeGitHub
    ) -> None:
        fine, nobody = (ask(github, ORG, token=token).headers for token in ("fine", None))
        assert fine["x-accepted-github-permissions"] == "metadata=read"
        assert not {"x-oauth-scopes", "x-accepted-oauth-scopes"} & set(fine)
        assert not [name for name in nobody if "oauth" in name or "permissions" in name]
        assert "x-oauth-scopes" not in ask(github, ORG, {"Authorization": ""}).headers

    def test_that_is_not_configured_is_an_owners_or_the_stars(self) -> None:
        with FakeGitHub(repos=1, members=1, private=1) as github:
            assert len(body(github, REPOS, "any")) == 2
            assert ask(github, ORG, token="any").headers["x-oauth-scopes"] == "repo"
            github.configure(viewers={"*": {"role": "stranger"}, "boss": {"role": "owner"}})
            assert len(body(github, REPOS, "any")) == 1
            assert len(body(github, REPOS, "boss")) == 2

    @pytest.mark.parametrize("role", ["stranger", "member", "owner"])
    def test_of_an_app_sees_what_its_role_sees(self, role: str) -> None:
        granted = {"contents": "write", "metadata": "read"}
        entry = app_entry(role=role, permissions=granted)
        with FakeGitHub(repos=4, private=2, members=4, concealed=2, apps=[entry]) as github:
            path = f"/app/installations/{INSTALLATION_ID}/access_tokens"
            given = ask(github, path, method="POST", token=app_jwt())
            assert given.json["permissions"] == granted
            assert "x-oauth-scopes" not in given.headers
            token = given.json["token"]
            github.configure(viewers={"user": {"role": role}})
            for asked in (ORG, REPOS, MEMBERS, "/repos/Netflix/Hystrix"):
                assert body(github, asked, token) == body(github, asked, "user")
            headers = ask(github, ORG, token=token).headers
            assert "x-accepted-github-permissions" in headers
            assert "x-oauth-scopes" not in headers

    @pytest.mark.parametrize("wrong", [{"role": "king"}, {"kind": "paper"}, {"nope": 1}])
    def test_that_is_invalid_is_refused(self, github: FakeGitHub, wrong: dict[str, Any]) -> None:
        with pytest.raises(FakeGitHubError):
            github.configure(viewers={"t": wrong})


def test_a_validator_is_valid_for_one_form_only(github: FakeGitHub) -> None:
    tags = {ask(github, ORG, token=token).headers["etag"] for token in EVERYBODY}
    assert len(tags) == len(EVERYBODY)
    for token in EVERYBODY:
        tag = ask(github, ORG, token=token).headers["etag"]
        assert ask(github, ORG, {"If-None-Match": tag}, token=token).status == 304
        github.configure(viewers={**VIEWERS, "owner": {"role": "stranger"}})
        assert ask(github, ORG, {"If-None-Match": tag}, token="owner").status == 200
        github.configure(viewers=VIEWERS)
