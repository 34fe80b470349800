import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.errors import ApiError, BadRequest, NotFound, Unavailable
from reader.response.client_url import path_of
from reader.response.paging import page
from reader.response.ranked_view import RankedView
from reader.response.representation import whole
from reader.response.target import Target, parse_target
from shared.entry import Entry
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import ON_DEMAND, REPOSITORIES
from shared.resources.resource import Resource
from tests.builders import (
    CATALOGUE,
    RANKINGS,
    compressed,
    make_entry,
    make_list_entry,
    make_ranked_entry,
)

REPOS = CATALOGUE.of_kind(REPOSITORIES, "Netflix")
RANKED = make_ranked_entry({f"Netflix/{name}": value for value, name in enumerate("abcdefgh")})

lists = st.sampled_from([resource for resource in CATALOGUE.tracked if resource.kind.is_expanded])
# Targets that are mostly of what could be mistaken for something else.
odd_targets = (
    st.lists(
        st.sampled_from(
            ["/", "//", "?", "&", "=", "#", ".", "..", "%2e", "%2F", "%2f", "%3F", "%25", "%",
             "%00", "%0D%0A", "%FF", "%C3%A4", "ä", "\\", "+", " ", "view", "%76iew", "top",
             "bottom", "5", "0", "-1", "stars", "org", "Netflix", "orgs", "repos", "users", "page",
             "per_page"]
        ),
        max_size=12,
    ).map("".join)
    | st.text()
    | st.text(st.characters(max_codepoint=255))  # what a socket can bring
)  # fmt: skip


def found(target: str) -> Target:
    return parse_target(CATALOGUE, target)


VIEW = "/view/top/1/stars"


def resource(target: str) -> Resource:
    return found(target).resource


def body(target: str, entry: Entry) -> bytes:
    return bytes(found(target).represent(entry).body)


@st.composite
def encoded(draw: st.DrawFn, text: str) -> str:
    """The same text with any of its characters percent-encoded, in capitals or not."""
    ways = draw(st.lists(st.integers(0, 2), min_size=len(text), max_size=len(text)))
    return "".join(
        (letter, f"%{ord(letter):02X}", f"%{ord(letter):02x}")[way]
        for letter, way in zip(text, ways, strict=True)
    )


@pytest.mark.parametrize("tracked", CATALOGUE.tracked, ids=lambda tracked: tracked.name)
def test_what_is_tracked_is_selected_whole(tracked: Resource) -> None:
    assert found(tracked.name) == Target(tracked, whole, tracked.kind.route)


@given(st.sampled_from(CATALOGUE.tracked[1:]), st.data())
def test_any_spelling_of_what_is_tracked_selects_it(tracked: Resource, data: st.DataObject) -> None:
    letters = [data.draw(st.sampled_from([c.upper(), c.lower()])) for c in tracked.path]
    segments = [data.draw(encoded(segment)) for segment in "".join(letters).split("/")]
    end = data.draw(st.sampled_from(["", "?", "?&"]))
    assert found("/".join(segments) + end) == Target(tracked, whole, tracked.kind.route)


@given(lists, st.integers(0, 60), st.integers(1, 12))
def test_the_pages_of_a_list_are_together_the_list(
    listed: Resource, count: int, per_page: int
) -> None:
    entry = make_list_entry(count)
    items: list[object] = []
    last = max(1, -(-count // per_page))
    for number in range(1, last + 1):
        target = f"{listed.path}?per_page={per_page}&page={number}"
        assert resource(target) is listed
        items += json.loads(body(target, entry))
    assert items == json.loads(body(listed.path, entry))
    assert body(f"{listed.path}?per_page={per_page}&page={last + 1}", entry) == b"[]"


@given(lists, st.integers(1, 99), st.integers(1, 99), st.data())
def test_any_spelling_of_a_page_is_the_same_page(
    listed: Resource, number: int, per_page: int, data: st.DataObject
) -> None:
    pairs = data.draw(st.permutations([("page", str(number)), ("per_page", str(per_page))]))
    query = "&".join(f"{data.draw(encoded(k))}={data.draw(encoded(v))}" for k, v in pairs)
    entry = make_list_entry(100)
    sent = found(f"{listed.path.upper()}?{query}").represent(entry)
    assert sent == page(entry, f"page={number}&per_page={per_page}")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/orgs/Netflix?page=2", "/orgs/netflix?page=2"),
        ("/users/mona/repos?page=2", "/users/mona/repos?page=2"),
        ("/orgs/Microsoft/repos?per_page=5", "/orgs/microsoft/repos?per_page=5"),
        ("/orgs/Netflix/repos?page=2&sort=updated", "/orgs/netflix/repos?page=2&sort=updated"),
        ("/orgs/Netflix/repos?sort=updated", "/orgs/netflix/repos?sort=updated"),
        ("/users/mona?q=a?b", "/users/mona?q=a%3Fb"),
        ("/users/mona", "/users/mona"),
    ],
)
def test_what_is_no_page_of_a_tracked_list_is_a_resource_on_demand(target: str, name: str) -> None:
    selection = found(target)
    assert (selection.resource.name, selection.resource.tracked) == (name, False)
    assert selection.select is whole


@given(st.sampled_from(RANKINGS), st.booleans(), st.integers(1, 12))
def test_a_view_is_of_the_first_organisations_repositories(
    metric: str, from_top: bool, count: int
) -> None:
    selection = found(f"/view/{'top' if from_top else 'bottom'}/{count}/{metric}")
    assert selection.resource == REPOS
    expected = RankedView(metric, from_top=from_top, count=count).of(RANKED)
    assert selection.represent(RANKED) == expected
    assert len(json.loads(bytes(expected.body))) == min(count, len("abcdefgh"))


@given(st.data())
def test_any_encoding_of_a_view_is_the_same_view(data: st.DataObject) -> None:
    segments = [data.draw(encoded(part)) for part in ("view", "bottom", "3", "stars")]
    name, value = data.draw(encoded("org")), data.draw(encoded("gOOGLE"))
    selection = found(f"/{'/'.join(segments)}?{name}={value}")
    assert selection.resource == CATALOGUE.of_kind(REPOSITORIES, "Google")
    assert selection.represent(RANKED) == RankedView.parse("bottom", "3", "stars").of(RANKED)


@pytest.mark.parametrize(
    ("query", "org"),
    [
        ("", "Netflix"),
        ("?", "Netflix"),
        ("?page=2", "Netflix"),
        ("?Org=Google", "Netflix"),
        ("?org=google", "Google"),
        ("?org=NETFLIX", "Netflix"),
        ("?org=Google&org=Netflix", "Google"),
        ("?page=2&org=Google&per_page=1", "Google"),
        ("?a=b?&org=Google", "Google"),
    ],
)
def test_a_query_picks_a_views_organisation_and_nothing_else(query: str, org: str) -> None:
    selection = found(f"/view/top/2/stars{query}")
    assert selection.resource == CATALOGUE.of_kind(REPOSITORIES, org)
    assert json.loads(bytes(selection.represent(RANKED).body)) == [
        ["Netflix/h", 7],
        ["Netflix/g", 6],
    ]


@pytest.mark.parametrize("org", ["Microsoft", "", "Netflix%20", "Netflix/repos", "%00", "%FF"])
def test_an_organisation_that_is_not_tracked_has_no_views(org: str) -> None:
    with pytest.raises(NotFound, match="the organisation is not tracked here"):
        found(f"/view/top/1/stars?org={org}")


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "x", "%20", "5%2F", "%D9%A1", "5%00"])
def test_a_view_of_a_number_that_is_none_is_a_bad_request(count: str) -> None:
    with pytest.raises(BadRequest):
        found(f"/view/top/{count}/stars")


@pytest.mark.parametrize(
    "target",
    ["/view", "/view/", "/view///", "/view//1/stars", "/view/top//stars", "/view/top/1",
     "/view/top/1/", "/view/top/1/stars/", "/view/top/1/stars/x", "/view/top/1/nonsense",
     "/view/up/1/stars", "/View/top/1/stars", "/view/Top/1/stars", "/view/top/1/Stars",
     "/view%2Ftop/1/stars", "/view/top%2F1/stars", "/view%2Ftop%2F1%2Fstars",
     "/x/view/top/1/stars", "view/top/1/stars", "x/view/top/1/stars", "..//view/top/1/stars"],
)  # fmt: skip
def test_what_only_looks_like_a_view_is_not_found(target: str) -> None:
    with pytest.raises(NotFound):
        found(target)


@given(odd_targets | st.sampled_from([one.name for one in CATALOGUE.tracked]))
def test_two_slashes_in_front_select_nothing(target: str) -> None:
    with pytest.raises(NotFound):
        found(f"//{target.lstrip('/')}")
    with pytest.raises(NotFound):
        found(f"//view/top/1/stars?{target}")


@pytest.mark.parametrize(
    "target",
    ["", "*", "?", "?page=1", "users/mona", "/nothing", "/users/mona/", "/users//mona",
     "/users/a%2Fb", "/users/a%5Cb", "/users/..", "/users/%2e%2E/orgs", "/users/a%0D%0Ab",
     "/users/%FF", "/orgs/Netflix/repos/?page=1",
     "http://api.github.com/users/mona"],
)  # fmt: skip
def test_what_is_not_to_be_had_is_not_found(target: str) -> None:
    with pytest.raises(NotFound):
        found(target)


@given(odd_targets, st.sampled_from(["", "/", "/users/", "/orgs/Netflix/repos?", "/view/top/"]))
def test_any_target_selects_something_or_is_refused(rest: str, start: str) -> None:
    try:
        selected = resource(start + rest)
    except ApiError:
        return
    assert CATALOGUE.named(selected.name) == selected


@given(odd_targets, st.sampled_from(["/users/", "/repos/a/b/contents/", "/orgs/Netflix/repos?"]))
def test_the_path_in_links_leads_to_what_was_selected(rest: str, start: str) -> None:
    target = start + rest
    try:
        selected = resource(target)
    except ApiError:
        return
    _, asked, query = target.partition("?")
    assert resource(path_of(target) + asked + query) == selected


@given(st.integers(1, 90), st.integers(1, 30))
def test_every_link_of_a_page_selects_a_page_of_the_same_list(number: int, per_page: int) -> None:
    entry = make_list_entry(90)
    target = f"/ORGS/netflix/%72epos?{urlencode({'page': number, 'per_page': per_page})}"
    for relation, query in found(target).represent(entry).links:
        linked = found(f"{path_of(target)}?{query}")
        assert linked.resource is resource(target)
        assert linked.represent(entry).body != b"[]", relation


def test_only_the_whole_is_stored_compressed() -> None:
    single, many = compressed(make_entry()), compressed(RANKED)
    assert found("/orgs/Netflix").represent(single).encoded is single.encoded
    assert found("/orgs/Netflix/repos").represent(many).encoded is many.encoded
    assert not found("/orgs/Netflix/repos?page=1").represent(many).encoded
    assert not found("/view/top/1/stars").represent(many).encoded


@pytest.mark.parametrize("target", ["/orgs/Netflix/repos", "/orgs/Netflix/repos?page=2", VIEW])
def test_a_negative_answer_has_no_pages_and_no_views(target: str) -> None:
    gone = make_entry(b'{"message":"Not Found"}', status=404)
    assert found(target).represent(gone) == whole(gone)


def test_a_view_that_another_release_did_not_make_is_unavailable_for_a_reason() -> None:
    older = make_ranked_entry({"Netflix/g": 6}, views=["forks"])
    with pytest.raises(Unavailable, match="The view stars is not available yet") as refused:
        found(VIEW).represent(older)
    assert refused.value.status == 503
    assert int(refused.value.headers["Retry-After"]) > 0


TRACKING = Catalogue(
    ("Netflix",),
    track=(
        *("/repos/netflix/hystrix/issues?state=open", "/repos/netflix/hystrix/releases"),
        *("/orgs/google/repos?type=sources", "/users/octocat/repos", "/users/octocat"),
    ),
)
LISTED = "/repos/Netflix/Hystrix/issues?state=open"


def tracking(target: str, **fields: str) -> Target:
    return parse_target(TRACKING, target, **fields)


@pytest.mark.parametrize(
    ("target", "ids"),
    [
        (LISTED, range(1, 101)),
        (f"{LISTED}&page=2", range(31, 61)),
        ("/repos/Netflix/Hystrix/issues?per_page=10&state=open&page=2", range(11, 21)),
        ("/api/v3/repos/netflix/hystrix/issues?page=4&state=open", range(91, 101)),
    ],
)
def test_a_tracked_list_is_sliced_whatever_its_filters(target: str, ids: range) -> None:
    named = tracking(target)
    assert named.resource.tracked
    assert named.resource.name == "/repos/netflix/hystrix/issues?state=open"
    sent = json.loads(bytes(named.represent(make_list_entry(100)).body))
    assert [item["id"] for item in sent] == list(ids)


@pytest.mark.parametrize(
    "target",
    [
        *("/repos/netflix/hystrix/issues", "/repos/netflix/hystrix/issues?page=2"),
        *(f"{LISTED}&sort=updated", f"{LISTED}&sort=updated&page=2"),
        *("/repos/netflix/hystrix/releases?x=1", "/users/octocat?page=2"),
    ],
)
def test_other_filters_name_another_list(target: str) -> None:
    named = tracking(target)
    assert named.resource.kind == ON_DEMAND
    assert named.select is whole


def test_another_media_type_of_a_tracked_list_is_a_page_as_github_sends_it() -> None:
    full = "application/vnd.github.full+json"
    named = tracking("/repos/netflix/hystrix/releases?page=2&per_page=5", accept=full)
    assert named.resource.kind == ON_DEMAND
    assert named.resource.name == "/repos/netflix/hystrix/releases?page=2&per_page=5#media=full"
    assert named.select is whole
    assert tracking("/repos/netflix/hystrix/releases", accept=full).select is whole
    newer = tracking("/repos/netflix/hystrix/releases?page=2", version="2026-03-10")
    assert newer.resource.kind.is_expanded


@pytest.mark.parametrize("star", ["*/*", "application/vnd.github.star+json"])
@pytest.mark.parametrize(
    ("of", "name"),
    [
        ("/users/octocat/repos", "/users/octocat/repos"),
        ("/users/OctoCat/repos", "/users/octocat/repos"),
        ("%2Forgs%2FGoogle%2Frepos%3Ftype%3Dsources", "/orgs/google/repos?type=sources"),
        ("/orgs/netflix/repos", "/orgs/Netflix/repos"),
    ],
)
def test_a_view_ranks_the_list_that_of_names(of: str, name: str, star: str) -> None:
    named = tracking(f"/view/top/2/stars?of={of}", accept=star)
    assert named.resource.name == name
    entry = make_ranked_entry({f"a/{name}": value for value, name in enumerate("abc")})
    assert json.loads(bytes(named.represent(entry).body)) == [["a/c", 2], ["a/b", 1]]


@pytest.mark.parametrize(
    "of",
    [
        "",
        "/orgs/google/repos",  # only with its filter
        "/users/octocat",  # no list
        "/users/mona/repos",
        "//users/octocat/repos",
        "/users/octocat/repos?page=2",
        "%ff",
        "/repos/netflix/hystrix/releases",  # nothing to rank by
    ],
)
def test_what_of_cannot_name_is_refused_in_words(of: str) -> None:
    with pytest.raises(NotFound) as refused:
        tracking(f"/view/top/2/stars?of={of}")
    assert refused.value.message != "Not Found"
