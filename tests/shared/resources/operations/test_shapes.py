"""Public shapes let through what an anonymous client sees, and nothing that a credential adds."""

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from scripts.public_shapes import ShapeError, public_shapes, references, rendered
from tests.fakegithub.test_contract import RECORDED
from tests.shared.resources.operations.shape_reading import FILE, kept_back, load, objects

NAMED, OPERATIONS = load()

NEVER = ["plan", "billing_email", "security_and_analysis", "temp_clone_token", "ldap_dn",
         "notification_email", "two_factor_*", "client_secret", "webhook_secret", "pem",
         "notification_setting", "viewer_*", "issue_field_values"]  # fmt: skip
NEVER_IN_REPOSITORIES = [
    "permissions", "role_name", "allow_*_merge", "allow_merge_commit", "allow_update_branch",
    "delete_branch_on_merge", "use_squash_pr_title_as_default", "squash_merge_*",
    "merge_commit_*", "master_branch", "anonymous_access_enabled",
]  # fmt: skip
NEVER_IN_ACCOUNTS = [
    "permissions", "role_name", "*private*", "disk_usage", "collaborators", "business_plus",
    "default_repository_*", "members_can_*", "members_allowed_*", "*_enabled*", "suspended_at",
]  # fmt: skip

# What only an owner was told, when GitHub's answers were recorded.
KEPT_BACK = {
    "orgs/get": {
        "billing_email", "collaborators", "default_repository_permission", "disk_usage",
        "members_allowed_repository_creation_type", "members_can_create_internal_repositories",
        "members_can_create_pages", "members_can_create_private_pages",
        "members_can_create_private_repositories", "members_can_create_public_pages",
        "members_can_create_public_repositories", "members_can_create_repositories",
        "members_can_fork_private_repositories", "owned_private_repos", "plan", "private_gists",
        "total_private_repos", "two_factor_requirement_enabled", "web_commit_signoff_required",
    },
    "repos/get": {
        "allow_auto_merge", "allow_merge_commit", "allow_rebase_merge", "allow_squash_merge",
        "allow_update_branch", "delete_branch_on_merge", "permissions", "temp_clone_token",
        "use_squash_pr_title_as_default",
    },
}  # fmt: skip


def described(bodies: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A description of GET operations: id -> schema of its body, and the schemas it refers to."""
    paths = {
        f"/{operation}": {
            "get": {
                "operationId": operation,
                "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
            }
        }
        for operation, schema in bodies.items()
    }
    return {"paths": paths, "components": {"schemas": schemas}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def keys(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def made(schema: dict[str, Any], **schemas: Any) -> Any:
    """The shape of an operation with this body; the names in `schemas` are written with `_`."""
    named = {name.replace("_", "-"): value for name, value in schemas.items()}
    return public_shapes(described({"op": schema}, named))


TEXT = {"type": "string"}


def test_a_list_of_a_schema_is_a_list_of_a_named_shape() -> None:
    content = made({"type": "array", "items": ref("tag")}, tag=keys(name=TEXT), unused=keys(a=TEXT))
    assert content == {"shapes": {"tag": {"name": "-"}}, "operations": {"op": ["tag"]}}


def test_a_nullable_schema_is_the_schema_itself() -> None:
    body = keys(owner=ref("nullable-owner"), only=ref("nullable-only"))
    content = made(body, owner=keys(name=TEXT), nullable_owner=keys(name=TEXT), nullable_only=body)
    assert content["operations"] == {"op": {"owner": "owner", "only": "nullable-only"}}


def test_a_schema_may_contain_itself() -> None:
    team = keys(name=TEXT, parent={"anyOf": [ref("nullable-team"), ref("team")]})
    content = made(ref("team"), team=team, nullable_team=team)
    assert content == {
        "shapes": {"team": {"name": "-", "parent": "team"}},
        "operations": {"op": "team"},
    }


def test_a_union_of_two_schemas_that_contain_each_other_is_one_named_shape() -> None:
    one = keys(a=TEXT, next=ref("two"))
    two = keys(b=TEXT, next=ref("one"))
    content = made({"oneOf": [ref("one"), ref("two")]}, one=one, two=two)
    assert content == {
        "shapes": {"one|two": {"a": "-", "b": "-", "next": "one|two"}},
        "operations": {"op": "one|two"},
    }


def test_all_of_and_one_of_have_the_keys_of_all_parts() -> None:
    all_of = {"allOf": [ref("one"), keys(b=keys(c=TEXT))]}
    one_of = {"oneOf": [keys(b={"type": "array", "items": TEXT}), keys(b=keys(d=TEXT))]}
    content = made(keys(all=all_of, some=one_of), one=keys(a=TEXT, b=keys(e=TEXT)))
    assert content["operations"] == {
        "op": {"all": {"a": "-", "b": {"c": "-", "e": "-"}}, "some": {"b": {"d": "-", "[]": "-"}}}
    }
    assert content["shapes"] == {}


def test_a_scalar_or_an_object_is_the_object() -> None:
    label = {"oneOf": [TEXT, keys(name=TEXT)]}
    assert made(label)["operations"] == {"op": {"name": "-"}}


def test_an_object_or_a_list_of_objects_is_an_object_that_may_be_a_list() -> None:
    content = {"oneOf": [{"type": "array", "items": keys(a=TEXT)}, ref("file")]}
    assert made(content, file=keys(b=TEXT))["operations"] == {"op": {"b": "-", "[]": {"a": "-"}}}


def test_additional_properties_are_the_other_keys() -> None:
    languages = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert made(languages)["operations"] == {"op": {"*": "-"}}


def test_only_what_github_means_as_free_form_is_let_through_whole() -> None:
    free = {"type": "object", "additionalProperties": True}
    content = made(
        {"type": "array", "items": ref("deployment")}, deployment=keys(payload=free, other=free)
    )
    assert content["shapes"] == {"deployment": {"payload": "*", "other": {}}}


def test_a_repository_loses_what_a_role_in_it_adds_wherever_it_stands() -> None:
    repository = keys(
        full_name=TEXT, permissions=keys(push=TEXT), temp_clone_token=TEXT, allow_forking=TEXT,
        allow_squash_merge=TEXT, squash_merge_commit_title=TEXT, security_and_analysis=keys(),
    )  # fmt: skip
    widened = {"allOf": [ref("fork"), keys(role_name=TEXT, topics=TEXT)]}
    kept = {"full_name": "-", "allow_forking": "-"}
    content = made(keys(head=keys(repo=repository), base=widened), fork=repository)
    assert content["operations"] == {
        "op": {"head": {"repo": kept}, "base": {**kept, "topics": "-"}}
    }


def test_an_accounts_address_is_always_null_and_its_counts_are_kept_back() -> None:
    user = keys(login=TEXT, email=TEXT, plan=keys(name=TEXT), disk_usage=TEXT, bio=TEXT)
    private = keys(login=TEXT, email=TEXT, bio=TEXT, secret=TEXT)
    body = {"oneOf": [ref("private-user"), ref("public-user")]}
    content = made(body, public_user=user, private_user=private)
    assert content == {
        "shapes": {"public-user": {"login": "-", "email": "0", "bio": "-"}},
        "operations": {"op": "public-user"},
    }


def test_a_key_that_github_adds_to_organisations_is_kept_back() -> None:
    organisation = keys(login=TEXT, email=TEXT, new_policy=TEXT)
    content = made(ref("organization-full"), organization_full=organisation)
    assert content["shapes"] == {"organization-full": {"login": "-", "email": "-"}}


def test_permissions_of_an_app_and_of_a_licence_are_public() -> None:
    app = keys(slug=TEXT, permissions=keys(issues=TEXT), events=TEXT, installations_count=TEXT)
    content = made(ref("integration"), integration=app)
    assert content["shapes"] == {
        "integration": {"slug": "-", "permissions": {"issues": "-"}, "events": "-"}
    }
    assert NAMED["license"]["permissions"] == ["-"]


def test_a_schema_that_is_nothing_but_itself_is_refused() -> None:
    loop = {"oneOf": [ref("loop"), keys(a=TEXT)]}
    with pytest.raises(ShapeError, match="loop is defined by itself"):
        made(ref("loop"), loop=loop)


def test_only_operations_that_answer_json_have_a_shape() -> None:
    description = described({"op": TEXT}, {})
    answer = description["paths"]["/op"]["get"]["responses"]["200"]
    answer["content"] = {"text/plain": {"schema": TEXT}}
    assert public_shapes(description) == {"shapes": {}, "operations": {}}


def test_the_file_is_as_the_script_writes_it() -> None:
    assert FILE.read_text() == rendered({"shapes": NAMED, "operations": OPERATIONS})
    assert FILE.stat().st_size < 600_000


def test_every_reference_resolves_and_every_named_shape_is_used() -> None:
    waiting = [name for shape in OPERATIONS.values() for name in references(shape)]
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += references(NAMED[name])
    assert used == set(NAMED)
    assert not [name for name in NAMED if name[0] in "-*0"]


def is_shape(shape: Any) -> bool:
    match shape:
        case str():
            return bool(shape)
        case [item]:
            return is_shape(item)
        case dict():
            return all(map(is_shape, shape.values()))
    return False


def test_every_shape_has_the_documented_form() -> None:
    assert [name for name, shape in (NAMED | OPERATIONS).items() if not is_shape(shape)] == []
    assert [name for name, shape in NAMED.items() if not isinstance(shape, dict | list)] == []


def found(keys: Iterable[str], patterns: list[str]) -> list[str]:
    return [key for key in keys if any(fnmatchcase(key, pattern) for pattern in patterns)]


def test_no_shape_has_a_key_that_only_a_credential_sees() -> None:
    faults = []
    for name, shape in (NAMED | OPERATIONS).items():
        for part in objects(shape):
            never = [*NEVER]
            if "full_name" in part:
                never += NEVER_IN_REPOSITORIES
            if "login" in part:
                never += NEVER_IN_ACCOUNTS
            faults += [(name, key) for key in found(part, never)]
    assert faults == []


def test_everything_is_let_through_only_where_it_is_free_form() -> None:
    free = {
        (name, key)
        for name, shape in (NAMED | OPERATIONS).items()
        for part in objects(shape)
        for key, value in part.items()
        if value == "*"
    }
    attestations = {"repos/list-attestations", "orgs/list-attestations", "users/list-attestations"}
    assert free == {
        ("deployment", "payload"),
        ("minimal-repository", "custom_properties"),
        ("full-repository", "custom_properties"),
        *((name, "verificationMaterial") for name in attestations),
        *((name, "dsseEnvelope") for name in attestations),
    }


def test_a_users_address_is_null_and_an_organisations_is_public() -> None:
    assert OPERATIONS["users/get-by-username"] == OPERATIONS["users/get-by-id"] == "public-user"
    assert NAMED["public-user"]["email"] == NAMED["simple-user"]["email"] == "0"
    assert NAMED["organization-full"]["email"] == "-"


def test_keys_that_only_some_objects_have_stay() -> None:
    assert {"parent", "source", "template_repository", "organization"} <= set(
        NAMED["full-repository"]
    )
    assert {"sub_issues_summary", "issue_dependencies_summary", "type", "reactions", "body_html",
            "performed_via_github_app", "pull_request"} <= set(NAMED["issue"])  # fmt: skip
    assert {"score", "text_matches"} <= set(NAMED["repo-search-result-item"])
    assert {"merge_commit_sha", "auto_merge", "body_text"} <= set(NAMED["pull-request"])
    assert {"verified", "verified_at"} <= set(NAMED["verification"])


def recorded() -> list[dict[str, Any]]:
    """GitHub's recorded answers."""
    answers: list[dict[str, Any]] = json.loads(RECORDED.read_text())["responses"]
    return [answer for answer in answers if answer["status"] == 200]


RECORDED_PATHS = {
    r"/": "meta/root",
    r"/orgs/[^/]+": "orgs/get",
    r"/repos/[^/]+/[^/]+|/repositories/\d+": "repos/get",
    r"/(repos/[^/]+/[^/]+|repositories/\d+)/issues": "issues/list-for-repo",
}


def test_recorded_answers_are_let_through_except_what_an_owner_was_told() -> None:
    seen = set()
    for answer in recorded():
        path = answer["path"].partition("?")[0]
        operation = next(op for route, op in RECORDED_PATHS.items() if re.fullmatch(route, path))
        seen.add(operation)
        dropped = set(kept_back(OPERATIONS[operation], answer["body"], NAMED))
        assert dropped == KEPT_BACK.get(operation, set()), path
    assert seen == set(RECORDED_PATHS.values())
