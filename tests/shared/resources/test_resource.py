import hashlib
import re
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.resources import operations
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import MEMBERS, ON_DEMAND, ORGANISATION, REPOSITORIES
from shared.resources.resource import Resource
from shared.resources.resource_name import MAX_NAME_BYTES
from shared.stored_form import VISIBILITY
from tests.builders import CATALOGUE

REPOS = CATALOGUE.of_kind(REPOSITORIES, "Netflix")

# What a path segment can hold once it is decoded.
segments = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/\\"),
    min_size=1,
    max_size=12,
).filter(lambda text: text not in {".", ".."})
queries = st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=4)
# Odd paths: mostly of what could be mistaken for something else.
odd_paths = st.lists(
    st.sampled_from(
        ["/", ".", "..", "%2e", "%2E", "%2f", "%2F", "\\", "%5c", "%00", "%25", "%", "?", "#", ";",
         "%3f", " ", "users", "orgs", "Netflix", "repos", "USERS", "a", "ä", "%C3%A4", "%FF", "+"]
    ),
    max_size=10,
).map(lambda parts: "/users/" + "".join(parts))  # fmt: skip


def fully_encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def name_of(path: str, query: str = "") -> str | None:
    found = CATALOGUE.find(path, query)
    return found.name if found else None


@given(segments, segments, queries)
def test_a_name_leads_back_to_its_resource(
    login: str, below: str, pairs: list[tuple[str, str]]
) -> None:
    found = CATALOGUE.find(f"/repos/x/y/contents/{quote(login)}/{quote(below)}", urlencode(pairs))
    assert found is not None
    assert CATALOGUE.named(found.name) == found


@given(odd_paths, st.text(max_size=12))
def test_naming_is_idempotent_for_any_path_and_query(path: str, query: str) -> None:
    found = CATALOGUE.find(path, query)
    if found is not None:
        assert CATALOGUE.find(found.path, found.query) == found
        assert CATALOGUE.named(found.name) == found


@given(odd_paths)
def test_no_resource_has_an_empty_dot_or_slash_bearing_segment(path: str) -> None:
    found = CATALOGUE.find(path)
    if found is not None:
        decoded = [unquote(part) for part in found.path.split("/")[1:]]
        assert not {"", ".", ".."} & set(decoded)
        assert not any(re.search(r"[/\\\x00-\x1f\x7f]", part) for part in decoded)


@given(segments)
def test_every_encoding_of_a_segment_names_the_same(segment: str) -> None:
    plain = name_of(f"/repos/o/r/contents/{quote(segment, safe='')}")
    assert plain is not None
    assert name_of(f"/repos/o/r/contents/{fully_encoded(segment)}") == plain
    assert name_of(f"/repos/o/r/contents/{fully_encoded(segment).lower()}") == plain
    if "%" not in segment:
        assert name_of(f"/repos/o/r/contents/{segment}") == plain


@given(st.data())
def test_the_order_of_a_query_does_not_matter(data: st.DataObject) -> None:
    pairs = data.draw(st.lists(st.tuples(st.text(), st.text()), unique_by=lambda pair: pair[0]))
    other = data.draw(st.permutations(pairs))
    assert name_of("/users/a", urlencode(pairs)) == name_of("/users/a", urlencode(other))


@given(st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=4, unique=True))
def test_the_order_of_repeated_parameters_does(values: list[str]) -> None:
    there, back = ([("q", value) for value in order] for order in (values, values[::-1]))
    assert name_of("/users/a", urlencode(there)) != name_of("/users/a", urlencode(back))


@given(segments, segments)
def test_different_paths_have_different_names(one: str, other: str) -> None:
    same = name_of(f"/repos/o/r/contents/{quote(one)}") == name_of(
        f"/repos/o/r/contents/{quote(other)}"
    )
    assert same == (one == other)


@given(st.sampled_from(CATALOGUE.tracked), st.data())
def test_a_tracked_resource_is_found_in_any_case(resource: Resource, data: st.DataObject) -> None:
    raised = data.draw(st.lists(st.booleans(), min_size=40, max_size=40))
    path = "".join(
        letter.upper() if up else letter.lower()
        for letter, up in zip(resource.path, raised, strict=False)
    )
    assert CATALOGUE.find(path) is resource


@pytest.mark.parametrize("resource", CATALOGUE.tracked, ids=lambda resource: resource.name)
def test_a_tracked_name_leads_back_to_its_resource(resource: Resource) -> None:
    assert CATALOGUE.named(resource.name) is resource


def test_what_is_tracked() -> None:
    assert [resource.name for resource in CATALOGUE.tracked] == [
        "/",
        "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos",
        "/orgs/Google", "/orgs/Google/members", "/orgs/Google/repos",
    ]  # fmt: skip
    lists = [resource.name for resource in CATALOGUE.tracked if resource.kind.is_expanded]
    assert lists == [
        "/orgs/Netflix/members",
        "/orgs/Netflix/repos",
        "/orgs/Google/members",
        "/orgs/Google/repos",
    ]
    ranked = [resource.name for resource in CATALOGUE.tracked if resource.kind.rankings]
    assert ranked == ["/orgs/Netflix/repos", "/orgs/Google/repos"]


@pytest.mark.parametrize(
    "path",
    ["", "users/a", "//", "//users/a", "/users//a", "/users/a/", "/users/", "/users/.",
     "/users/..", "/users/a/../b", "/users/%2e", "/users/%2E%2e", "/users/a/%2E", "/users/a%2Fb",
     "/users/a%5Cb", "/users/a\\b", "/users/a%00", "/users/a%0Ab", "/users/a%7F", "/users/%FF",
     "/users/a%C3", "/.", "/..", "/orgs/Netflix/"],
)  # fmt: skip
def test_an_odd_path_names_nothing(path: str) -> None:
    assert CATALOGUE.find(path) is None


@pytest.mark.parametrize("name", ["/users/\ud800", "/users/a?q=\ud800"])
def test_what_is_no_unicode_names_nothing(name: str) -> None:
    assert CATALOGUE.named(name) is None


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("/USERS/Mona", "", "/users/mona"),
        ("/Repos/Acme/Site/contents/Docs/A", "", "/repos/acme/site/contents/Docs/A"),
        ("/Networks/Acme/Site/events", "", "/networks/acme/site/events"),
        ("/users/m%6Fna", "", "/users/mona"),
        ("/users/a%3Fb", "", "/users/a%3Fb"),
        ("/users/a#b", "", "/users/a%23b"),
        ("/users/%252e", "", "/users/%252e"),
        ("/users/\u00c4", "", "/users/%C3%A4"),
        ("/Repos/A/B/git/ref/heads%2FMain", "", "/repos/a/b/git/ref/heads%2FMain"),
        ("/Networks/A/B/events", "", "/networks/a/b/events"),
        ("/Advisories/GHSA-x", "", "/advisories/GHSA-x"),
        ("/gitignore/templates/C", "", "/gitignore/templates/C"),
        ("/users/a b", "", "/users/a%20b"),
        ("/repos/a/b/compare/x...y", "", "/repos/a/b/compare/x...y"),
        ("/users/a", "b=2&a=1", "/users/a?a=1&b=2"),
        ("/users/a", "a=2&b=&a=1", "/users/a?a=2&a=1&b="),
        ("/users/a", "flag", "/users/a?flag="),
        ("/users/a", "q=x+y%20z", "/users/a?q=x%20y%20z"),
        ("/users/a", "&&", "/users/a"),
        ("/orgs/netflix/repos", "type=all", "/orgs/netflix/repos?type=all"),
    ],
)
def test_golden_names(path: str, query: str, name: str) -> None:
    assert name_of(path, query) == name


def test_a_tracked_path_with_a_query_is_a_resource_of_its_own() -> None:
    found = CATALOGUE.find("/orgs/Netflix/repos", "type=forks")
    assert found == Resource("/orgs/netflix/repos", "type=forks")
    assert CATALOGUE.find("/orgs/Netflix/repos", "&") is CATALOGUE.find("/orgs/Netflix/repos")


def test_what_the_allow_list_refuses_names_nothing() -> None:
    assert CATALOGUE.find("/user") is None
    assert CATALOGUE.find("/ORGS/Netflix/%48ooks") is None
    assert CATALOGUE.find("/", "token=x") is None


def test_the_root_is_the_same_with_any_query() -> None:
    """GitHub ignores parameters that it does not know."""
    root = CATALOGUE.find("/")
    assert root is not None
    assert CATALOGUE.find("/", "page=2") is root
    assert CATALOGUE.find("", "page=2") is None


def test_a_secret_in_the_query_names_nothing() -> None:
    assert CATALOGUE.find("/users/a", "access%5Ftoken=s3cret") is None


@pytest.mark.parametrize("org", ["netflix", "acme"])
def test_a_filter_that_only_owners_may_use_names_nothing(org: str) -> None:
    # https://docs.github.com/rest/orgs/members#list-organization-members
    assert CATALOGUE.find(f"/orgs/{org}/members", "filter=2fa_disabled") is None


def test_a_name_has_a_greatest_length() -> None:
    room = MAX_NAME_BYTES - len("/users/")
    assert name_of("/users/" + "a" * room) == "/users/" + "a" * room
    assert name_of("/users/" + "a" * (room + 1)) is None
    assert name_of("/users/a", "q=" + "a" * MAX_NAME_BYTES) is None


@pytest.mark.parametrize("below", ["branches", "commits", "compare", "code-scanning", "contents"])
def test_a_path_of_many_segments_takes_no_time_that_grows_with_their_square(below: str) -> None:
    began = time.process_time()
    assert CATALOGUE.find(f"/repos/o/r/{below}{'/a' * 50_000}") is None
    assert time.process_time() - began < 0.5  # seconds; all of them are matched in 1.3


@given(segments)
def test_an_id_can_stand_in_a_job_id_and_a_key(segment: str) -> None:
    found = CATALOGUE.find(f"/users/{quote(segment)}")
    assert found is not None
    assert re.fullmatch(r"[0-9a-f]{32}", found.id)


def test_ids_stay_what_they_were_from_release_to_release() -> None:
    # printf 'repositories, expansion 2, public 1\n/orgs/Netflix/repos' | sha256sum | cut -c-32
    assert REPOS.id == "57d7d0ce21abc9611d336251dc49bdce"
    # Likewise with `expansion 1`, as 0.3.0 has it.
    assert REPOS.former_form is not None
    assert REPOS.former_form.id == "c745ceadeccce3d1f7744d085232a30a"


def test_whoever_changes_what_is_public_says_whether_the_rules_became_stricter() -> None:
    # If so, raise `VISIBILITY`, too: what was stored by the older rules counts as absent then.
    held = [Path(operations.__file__).with_name(name) for name in ("decisions.tsv", "shapes.json")]
    digests = [hashlib.sha256(one.read_bytes()).hexdigest()[:16] for one in held]
    assert (VISIBILITY, digests) == (
        1,
        ["b554233a37eef010", "14f4ae00ecc85b4d"],
    )


def test_what_is_kept_in_another_way_has_another_id_under_the_same_name() -> None:
    forms = [
        REPOS,
        replace(REPOS, include_private=True),
        replace(REPOS, kind=MEMBERS),
        replace(REPOS, kind=ORGANISATION),
        replace(REPOS, kind=ON_DEMAND),
    ]
    assert len({one.id for one in forms}) == len(forms)
    assert {one.name for one in forms} == {"/orgs/Netflix/repos"}


def test_an_organisation_is_found_in_any_case_and_given_in_the_settings_spelling() -> None:
    assert CATALOGUE.org("nETFLIX") == "Netflix"
    assert CATALOGUE.org("Microsoft") is None
    assert CATALOGUE.org("") is None


def test_another_catalogue_tracks_other_things() -> None:
    other = Catalogue(("acme",))
    assert other.find("/orgs/Netflix") == Resource("/orgs/netflix")
    assert other.find("/orgs/ACME") == Resource("/orgs/acme", kind=ORGANISATION)


def test_a_name_alone_decides_the_version_whatever_the_settings_say() -> None:
    older, newer = Catalogue(("Netflix",)), Catalogue(("Netflix",), api_version="2026-03-10")
    for name in ("/users/a", "/users/a#version=2026-03-10", "/orgs/Netflix/repos"):
        one, other = older.named(name), newer.named(name)
        assert one is not None
        assert other is not None
        assert one.name == other.name == name
    assert newer.find("/users/a") == newer.named("/users/a#version=2026-03-10")
    tracked = newer.find("/orgs/Netflix/repos")
    assert tracked is not None
    assert tracked.tracked
    assert newer.named(tracked.name) == tracked
    assert newer.written("/orgs/Netflix/repos") == tracked
    assert newer.written("/users/a#media=raw") is None
