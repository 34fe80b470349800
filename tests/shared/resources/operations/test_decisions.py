"""The decisions on GitHub's operations: complete, well-formed, and careful where it matters."""

import re
from collections.abc import Iterator

from scripts.operations_table import PAGE, rendered
from shared.resources.operations import Operation, operations
from shared.resources.operations.shapes import public_shapes
from tests.fakegithub.openapi_schemas import document

DOCUMENTED = document()["operations"]
ROWS = operations()
BY_PATH = {row.path: row for row in ROWS}
REPO = "/repos/{owner}/{repo}"

# Each shows more, or other things, to some credentials; the reason stands in the file.
NEVER_ANYONE = [
    f"{REPO}/releases", f"{REPO}/releases/{{release_id}}", f"{REPO}/releases/{{release_id}}/assets",
    f"{REPO}/releases/assets/{{asset_id}}", f"{REPO}/security-advisories",
    f"{REPO}/issues/{{issue_number}}/timeline", f"{REPO}/issues/{{issue_number}}/events",
    f"{REPO}/issues/events", f"{REPO}/issues/{{issue_number}}/sub_issues",
    f"{REPO}/issues/{{issue_number}}/parent", f"{REPO}/pages/health", f"{REPO}/forks",
    f"{REPO}/issues/{{issue_number}}/dependencies/blocked_by",
    f"{REPO}/issues/{{issue_number}}/dependencies/blocking", f"{REPO}/stargazers",
    f"{REPO}/subscribers", f"{REPO}/pulls/{{pull_number}}/reviews", "/gists/{gist_id}",
    "/orgs/{org}/members/{username}", "/orgs/{org}/repos", "/users/{username}/repos",
    "/users/{username}/gists", "/users/{username}/starred", "/user/{account_id}",
]  # fmt: skip
# 204, 302 or 404 says it all.
ANSWERED_WITHOUT_A_BODY = {
    f"{REPO}/tarball/{{ref}}", f"{REPO}/zipball/{{ref}}",
    "/orgs/{org}/members/{username}", "/orgs/{org}/public_members/{username}",
    f"{REPO}/assignees/{{assignee}}", f"{REPO}/issues/{{issue_number}}/assignees/{{assignee}}",
    f"{REPO}/pulls/{{pull_number}}/merge", "/users/{username}/following/{target_user}",
}  # fmt: skip
SENT_AS_TEXT = {"meta/get-octocat", "meta/get-zen"}
# Whole families: a path that matches is refused, or asked anonymously, for the reason given.
NEVER_ANYONE_ANYWHERE = {
    r"^/search/": "results of private repositories",
    r"/(received_)?events($|/)": "feeds refer to private things",
}
ALWAYS_REFUSED = {
    r"^/user($|/(?!\{account_id\}$))": "the caller's own",
    r"^/(notifications|issues|installation|app|marketplace_listing)($|/)": "the caller's own",
    r"^/(agents|enterprises|teams|classrooms|assignments)($|/)": "members' and owners' own",
    r"/(agents|copilot|copilot-spaces|codespaces|projectsV2|code-quality|code-scanning)($|/)": "",
    r"/(secret-scanning|dependabot|code-security|campaigns|secrets|variables)($|/)": "",
    r"/(organization-secrets|organization-variables|runners|runner-groups|oidc)($|/)": "",
    r"/(hooks|keys/\{key_id\}|collaborators|outside_collaborators|traffic|teams)($|/)": "",
    r"/(invitations|failed_invitations|installation|installations|migrations)($|/)": "",
    r"/(billing|settings|blocks|interaction-limits|autolinks|insights)($|/)": "",
    r"/branches/\{branch\}/protection": "administration",
    r"/(logs|archive|\{archive_format\})$": "another host",
}


def matching(patterns: dict[str, str]) -> Iterator[Operation]:
    """Every row that one of the patterns is about; each pattern is about some."""
    for pattern in patterns:
        found = [row for row in ROWS if re.search(pattern, row.path)]
        assert found, pattern
        yield from found


def test_each_row_decides_and_says_why_and_what_shows_it() -> None:
    for row in ROWS:
        assert 3 <= len(row.why.split()) <= 14, row
        assert row.public_because not in {"", "-"}, row
        assert row.decision != "refused" or row.public_because != "stand-in", row
        assert re.fullmatch(r"[a-z-]+/[a-z0-9-]+", row.id), row
        assert all(cell == cell.strip() for cell in (row.path, row.why, row.public_because)), row


def test_the_last_columns_are_filled_only_where_they_mean_something() -> None:
    for row in ROWS:
        if row.decision == "refused":
            assert (row.ask, row.also_with, row.refused_query) == ("", "", frozenset()), row
        assert not row.also_with or row.decision == "anonymously", row
        assert row.also_with != "no-push" or row.path.startswith(REPO), row
        assert all(re.fullmatch(r"[a-z_]+", name) for name in row.refused_query), row


def test_what_is_asked_instead_is_public_as_a_whole_and_needs_no_other_name() -> None:
    for row in ROWS:
        if row.ask:
            asked = BY_PATH[row.ask]
            assert (asked.decision, asked.ask) == ("anyone", ""), row
            assert set(re.findall(r"\{.*?\}", row.ask)) <= set(re.findall(r"\{.*?\}", row.path)), (
                row
            )


def test_each_operation_stands_once_in_the_order_of_its_path() -> None:
    paths = [row.path for row in ROWS]
    assert len(set(paths)) == len(paths) == 639
    assert len({row.id for row in ROWS}) == 639
    assert paths == sorted(paths)


def test_the_file_holds_githubs_operations_and_no_others() -> None:
    documented = [(path, name) for path, (name, *_) in DOCUMENTED.items()]
    assert [(row.path, row.id) for row in ROWS] == documented


def test_a_refused_parameter_is_one_that_github_documents() -> None:
    for row in ROWS:
        assert row.refused_query <= set(DOCUMENTED[row.path][1:])


def test_what_some_credentials_see_more_of_is_not_asked_with_any() -> None:
    assert [path for path in NEVER_ANYONE if BY_PATH[path].decision == "anyone"] == []


def test_families_that_refer_to_private_things_are_not_asked_with_any_credential() -> None:
    assert [row.path for row in matching(NEVER_ANYONE_ANYWHERE) if row.decision == "anyone"] == []


def test_what_is_privileged_or_the_callers_own_is_refused() -> None:
    assert [row.path for row in matching(ALWAYS_REFUSED) if row.decision != "refused"] == []


def test_drafts_are_asked_for_only_by_those_who_may_not_push() -> None:
    for row in ROWS:
        if re.match(re.escape(REPO) + r"/releases(/(assets|\{release_id\}).*)?$", row.path):
            assert (row.decision, row.also_with) == ("anonymously", "no-push")


def test_members_are_the_public_ones_and_cannot_be_filtered() -> None:
    members = BY_PATH["/orgs/{org}/members"]
    assert members.decision == "anyone"
    assert members.ask == "/orgs/{org}/public_members"
    assert members.refused_query == {"filter", "role"}


def test_whatever_is_served_has_a_public_shape() -> None:
    shaped = public_shapes().operations
    no_content = {row.id for row in ROWS if row.path in ANSWERED_WITHOUT_A_BODY}
    served = {row.id for row in ROWS if row.is_asked}
    assert served - shaped.keys() == no_content | SENT_AS_TEXT


def test_the_page_in_docs_is_what_the_script_makes_of_the_file() -> None:
    assert PAGE.read_text(encoding="utf-8") == rendered(), "run python -m scripts.operations_table"
