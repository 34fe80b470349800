from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.errors import ApiError, NotFound
from reader.response.mount import MOUNT, split_mount
from reader.response.target import parse_target
from tests.builders import CATALOGUE

NAMES = [
    *(resource.name for resource in CATALOGUE.tracked),
    *("/orgs/Netflix/repos?per_page=3&page=2", "/view/top/2/stars", "/users/mona?page=2"),
]


@pytest.mark.parametrize(
    ("target", "rest"),
    [
        ("/api/v3", "/"),
        ("/api/v3/", "/"),
        ("/api/v3?page=2", "/?page=2"),
        ("/api/v3/?page=2", "/?page=2"),
        ("/api/v3/orgs/Netflix?a=/api/v3/", "/orgs/Netflix?a=/api/v3/"),
        ("/api/v3//orgs", "//orgs"),
        ("/api/v3/api/v3/orgs", "/api/v3/orgs"),
    ],
)
def test_the_mount_is_taken_off_once(target: str, rest: str) -> None:
    assert split_mount(target) == (MOUNT, rest)


@pytest.mark.parametrize(
    "target",
    ["", "/", "/api", "/api/v", "/api/v34", "/api/v3x/orgs", "/api/v3%2Forgs", "/%61pi/v3/orgs",
     "/API/v3/orgs", "/api/V3", "//api/v3/orgs", "/api//v3/orgs", "/api/v3#x", "/orgs/api/v3",
     "api/v3", "/?/api/v3", "/api%2Fv3/orgs"],
)  # fmt: skip
def test_only_this_spelling_is_the_mount(target: str) -> None:
    assert split_mount(target) == ("", target)


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_under_the_mount_is_what_lies_under_the_root(name: str) -> None:
    plain, mounted = parse_target(CATALOGUE, name), parse_target(CATALOGUE, MOUNT + name)
    assert (plain.mount, mounted.mount) == ("", MOUNT)
    assert mounted.resource == plain.resource
    assert (mounted.route, mounted.resource.id) == (plain.route, plain.resource.id)


@pytest.mark.parametrize("target", [MOUNT, f"{MOUNT}/", f"{MOUNT}?"])
def test_the_mount_itself_is_the_root(target: str) -> None:
    assert parse_target(CATALOGUE, target) == replace(parse_target(CATALOGUE, "/"), mount=MOUNT)


@given(
    st.lists(
        st.sampled_from(["/", "api", "v3", "%2F", "..", ".", "?", "orgs", "Netflix", "view"]),
        max_size=10,
    ).map("".join)
)
def test_no_target_names_more_under_the_mount_than_under_the_root(rest: str) -> None:
    target = f"{MOUNT}/{rest}"
    try:
        mounted = parse_target(CATALOGUE, target)
    except ApiError:
        with pytest.raises(ApiError):
            parse_target(CATALOGUE, f"/{rest}")
        return
    assert replace(mounted, mount="") == replace(parse_target(CATALOGUE, f"/{rest}"), mount="")


@pytest.mark.parametrize("name", NAMES)
def test_the_mount_is_not_mounted_below_itself(name: str) -> None:
    with pytest.raises(NotFound):
        parse_target(CATALOGUE, MOUNT + MOUNT + name)
