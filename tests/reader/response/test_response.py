import gzip
import math
from calendar import timegm
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import gmtime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reader.response.paging import page
from reader.response.ranked_view import RankedView
from reader.response.representation import Representation, whole
from reader.response.response import CORS_HEADERS, HttpResponse, RequestFields, to_response
from shared.encodings import ENCODINGS
from shared.outcomes import Served
from tests.builders import JSON, NOW, compressed, make_entry, make_list_entry, make_ranked_entry
from tests.http_client import DECOMPRESS

URL = "http://reader.test/orgs/Netflix"
BODY = b'{"login": "Netflix"}'
STORED = compressed(make_entry(BODY))
ALL = whole(STORED)
# The cases below are worked out for these two, whichever others the table has.
BOTH = replace(ALL, encoded={name: STORED.encoded[name] for name in ("br", "gzip")})
PLAIN = whole(make_entry(BODY))
ONLY_GZIP = replace(BOTH, encoded={"gzip": BOTH.encoded["gzip"]})  # an older process stored it


def ask(
    representation: Representation = BOTH,
    *,
    accept_encoding: str | None = None,
    if_none_match: str | None = None,
    if_modified_since: str | None = None,
    served: Served = Served.LOCAL,
    now: float = NOW,
) -> HttpResponse:
    conditions = RequestFields(URL, accept_encoding, if_none_match, if_modified_since)
    return to_response(representation, conditions, served=served, now=now)


def test_a_whole_answer() -> None:
    sent = ask(now=NOW + 100.9)
    assert sent == HttpResponse(
        200,
        {
            "ETag": '"tag"',
            "Vary": "Accept, Accept-Encoding, X-GitHub-Api-Version",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": (
                "public, max-age=1000, stale-while-revalidate=60, stale-if-error=86400"
            ),
            "Age": "100",
            "Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT",
            "Cache-Status": "api-read-cache; hit; ttl=899; detail=local",
            **CORS_HEADERS,
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": "20",
        },
        b'{"login": "Netflix"}',
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_whole_compressed_answer(encoding: str) -> None:
    plain, small = ask(ALL), ask(ALL, accept_encoding=encoding)
    assert DECOMPRESS[encoding](bytes(small.body)) == BODY
    assert small.headers == {
        **plain.headers,
        "ETag": f'"tag-{encoding}"',
        "Content-Encoding": encoding,
        "Content-Length": str(len(small.body)),
    }


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("deflate, zstd", None),
        ("br", "br"),
        ("BR", "br"),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "br"),
        ("br;q=0.8, gzip;q=1.0, *;q=0.1", "gzip"),
        ("br;q=0.5, gzip;q=0.5", "br"),
        ("br;q=0, gzip;q=0.001", "gzip"),
        ("br;q=0, gzip;q=0", None),
        ("gzip;q=0", None),
        ("gzip;q=0.0", None),
        ("gzip;q=0.000, *", "br"),
        ("br;q=0, *", "gzip"),
        ("br;q=0, gzip;q=0, *", None),
        ("*", "br"),
        ("*;q=0", None),
        ("*;q=0.1", "br"),
        ("*;q=0.1, gzip", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("identity;q=0", None),
        ("identity;q=0, gzip;q=0.001", "gzip"),
        ("identity;q=0, *", "br"),
        ("gzip;q=0.5, identity", None),
        ("br;q=0.5, gzip;q=0.6, identity;q=0.7", None),
        ("br;q=0.5, gzip;q=0.7, identity;q=0.6", "gzip"),
        # `*` is for having it plain as well, where `identity` is not named.
        ("br;q=0.2, gzip;q=0.5, *;q=0.8", None),
        ("br;q=0.2, gzip;q=0.8, *;q=0.5", "gzip"),
        ("br;q=0.2, gzip;q=0.5, *;q=0.8, identity;q=0", "gzip"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("*;q=0.5, identity;q=0.9", None),
        ("gzip;q=0, identity;q=0", None),
        (" gzip ; q=0.5 ", "gzip"),
        ("gzip;q=nonsense", None),
        (",,,", None),
        ("gzipped", None),
    ],
)
def test_the_encoding_is_the_one_the_client_likes_best(
    accepted: str | None, encoding: str | None
) -> None:
    sent = ask(accept_encoding=accepted)
    assert sent.headers.get("Content-Encoding") == encoding
    assert sent.body == (BOTH.body if encoding is None else BOTH.encoded[encoding])


qualities = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
likings = st.dictionaries(
    st.sampled_from(["br", "gzip", "identity", "*", "deflate"]),
    st.sampled_from([0.0, 0.001, 0.5, 1.0]) | qualities,
)


@st.composite
def spelled(draw: st.DrawFn, liked: Mapping[str, float]) -> str:
    """`Accept-Encoding` with these weights, in any of the ways that HTTP allows."""
    space = st.sampled_from(["", " ", "\t", "  "])
    items = []
    for name, quality in draw(st.permutations(list(liked.items()))):
        written = draw(st.sampled_from([name, name.upper(), name.title()]))
        if quality < 1 or draw(st.booleans()):
            digits = draw(st.sampled_from([f"{quality:g}", f"{quality:.3f}"]))
            written += f"{draw(space)};{draw(space)}{draw(st.sampled_from('qQ'))}={digits}"
        items += [draw(space) + written + draw(space)]
        items += [""] * draw(st.integers(0, 1))  # RFC 9110 section 5.6.1.2: empty ones are ignored
    return ",".join(items)


def liking(liked: Mapping[str, float], encoding: str) -> float:
    """RFC 9110 section 12.5.3, word by word."""
    if encoding in liked:
        return liked[encoding]
    if "*" in liked:  # "matches any available content coding not explicitly listed"
        return liked["*"]
    # Without coding it is "acceptable by default", which is less than to be asked for.
    return 0.0001 if encoding == "identity" else 0.0


@given(likings, st.sampled_from([BOTH, ONLY_GZIP, PLAIN]), st.data())
def test_whatever_weights_a_client_sends_it_gets_what_it_likes_best(
    liked: dict[str, float], stored: Representation, data: st.DataObject
) -> None:
    sent = ask(stored, accept_encoding=data.draw(spelled(liked)))
    best, most = "identity", 0.0  # refused, too, it is better than nothing
    for encoding in (*ENCODINGS, "identity"):  # the smallest first, for ties
        available = encoding == "identity" or encoding in stored.encoded
        if available and liking(liked, encoding) > most:
            best, most = encoding, liking(liked, encoding)
    assert sent.headers.get("Content-Encoding", "identity") == best
    assert sent.body == stored.encoded.get(best, stored.body)
    assert sent.headers["ETag"] == ('"tag"' if best == "identity" else f'"tag-{best}"')


@pytest.mark.parametrize("accepted", ["br, gzip", "*", "gzip, br;q=0.1", "identity;q=0, *;q=0.1"])
def test_what_an_older_process_stored_is_sent_in_the_encoding_it_knew(accepted: str) -> None:
    sent = ask(ONLY_GZIP, accept_encoding=accepted)
    assert sent.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(bytes(sent.body)) == BODY


@pytest.mark.parametrize("accepted", ["gzip", "br", "identity;q=0", "*"])
def test_what_is_not_stored_compressed_is_sent_plain(accepted: str) -> None:
    sent = ask(PLAIN, accept_encoding=accepted)
    assert "Content-Encoding" not in sent.headers
    assert sent.body == BODY
    assert sent.headers["Vary"] == "Accept, Accept-Encoding, X-GitHub-Api-Version"


# What the values of these fields are made of, in any order, and anything else.
fragments = st.sampled_from(
    ["gzip", "br", "q=", "0.5", "*", "''", "%FF", '"', "\\", ",", ";", " ", "\t", "W/", "tag",
     "Fri", "Jan", "15", "2027", "08:00:00", "GMT", "+", "-", ":", "9" * 20, "9" * 5000, "\ud800"]
)  # fmt: skip
values = st.none() | st.text() | st.lists(fragments, max_size=9).map("".join)
spaced_values = values | st.lists(fragments, max_size=9).map(" ".join)


@given(spaced_values, spaced_values, spaced_values)
@example(None, None, f"Fri, 15 Jan {'9' * 20} 08:00:00 GMT")
@example(None, None, f"Fri, 15 Jan 2027 08:00:00 +{'9' * 20}")
def test_no_header_value_makes_answering_fail(
    accept_encoding: str | None, if_none_match: str | None, if_modified_since: str | None
) -> None:
    sent = ask(
        accept_encoding=accept_encoding,
        if_none_match=if_none_match,
        if_modified_since=if_modified_since,
    )
    assert sent.status in {200, 304}


@given(st.binary(max_size=50), st.sampled_from([None, *ENCODINGS]))
def test_the_length_is_that_of_the_body_that_is_sent(body: bytes, accepted: str | None) -> None:
    sent = ask(whole(compressed(make_entry(body))), accept_encoding=accepted)
    assert sent.headers["Content-Length"] == str(len(sent.body))


@pytest.mark.parametrize(
    "if_none_match",
    ['"tag"', 'W/"tag"', '"x", "tag"', 'W/"x", W/"tag" , "y"', '"x","tag"', "*"],
)
def test_a_validator_that_matches_gets_304_without_content(if_none_match: str) -> None:
    plain = ask()
    sent = ask(if_none_match=if_none_match)
    content = {"Content-Type", "Content-Length"}
    assert sent == HttpResponse(
        304, {k: v for k, v in plain.headers.items() if k not in content}, b""
    )


@pytest.mark.parametrize(
    "if_none_match",
    [
        None,
        "",
        '"other"',
        'W/"other"',
        '"TAG"',
        '"tag',
        '"tag-gzip"',
        '"tag-br"',
        '"ta", "g"',
        '"*"',
        '"x, tag"',
    ],
)
def test_a_validator_that_does_not_match_gets_the_content(if_none_match: str | None) -> None:
    assert ask(if_none_match=if_none_match) == ask()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_304_for_a_compressed_answer_names_neither_encoding_nor_length(encoding: str) -> None:
    sent = ask(ALL, accept_encoding=encoding, if_none_match=f'W/"tag-{encoding}"')
    assert sent.status == 304
    assert sent.headers["ETag"] == f'"tag-{encoding}"'
    assert not {"Content-Encoding", "Content-Length", "Content-Type"} & set(sent.headers)


@pytest.mark.parametrize("held", ["identity", *ENCODINGS])
@pytest.mark.parametrize("accepted", ["identity", *ENCODINGS])
def test_the_tag_of_one_encoding_matches_no_other(held: str, accepted: str) -> None:
    tag = ask(ALL, accept_encoding=held).headers["ETag"]
    status = ask(ALL, accept_encoding=accepted, if_none_match=tag).status
    assert status == (304 if held == accepted else 200)


# RFC 9110 section 5.6.7, spelled here without the library that reads it.
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def imf_fixdate(seconds: int) -> str:
    at = gmtime(seconds)
    day, month = DAYS[at.tm_wday][:3], MONTHS[at.tm_mon - 1]
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year:04} {clock} GMT"


def rfc850_date(seconds: int) -> str:
    at = gmtime(seconds)
    day, month = DAYS[at.tm_wday], MONTHS[at.tm_mon - 1]
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"{day}, {at.tm_mday:02}-{month}-{at.tm_year % 100:02} {clock} GMT"


def asctime_date(seconds: int) -> str:
    at = gmtime(seconds)
    day, month = DAYS[at.tm_wday][:3], MONTHS[at.tm_mon - 1]
    return (
        f"{day} {month} {at.tm_mday:2} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} {at.tm_year}"
    )


DATES = [imf_fixdate, rfc850_date, asctime_date]
# Beyond 2068 a year of two digits is one of the last century.
moments = st.integers(0, timegm((2068, 12, 31, 23, 59, 59)))


def changed(at: float) -> Representation:
    return whole(compressed(make_entry(BODY, changed_at=at)))


def test_the_dates_of_these_tests_are_those_of_the_rfc() -> None:
    assert [date(784111777) for date in DATES] == [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ]


LATER = 4e9  # than every moment below


@given(moments, st.floats(0, 0.999), st.integers(-3, 3) | st.integers(-(10**9), 10**9),
       st.sampled_from(DATES))  # fmt: skip
def test_what_did_not_change_since_a_date_is_not_sent_again(
    second: int, fraction: float, later: int, date: Callable[[int], str]
) -> None:
    since = max(0, min(second + later, timegm((2068, 12, 31, 23, 59, 59))))
    sent = ask(changed(second + fraction), if_modified_since=date(since), now=LATER)
    assert sent.status == (304 if since >= second else 200)


@given(st.floats(0, 4e9))
def test_the_date_that_was_sent_is_never_sent_again_for(at: float) -> None:
    dated = changed(at)
    sent = ask(dated, now=LATER).headers["Last-Modified"]
    assert ask(dated, if_modified_since=sent, now=LATER).status == 304
    before = imf_fixdate(math.floor(at) - 1)
    assert ask(dated, if_modified_since=before, now=LATER) == ask(dated, now=LATER)


@pytest.mark.parametrize("accepted", [None, *ENCODINGS])
def test_a_304_for_a_date_is_the_304_for_a_tag(accepted: str | None) -> None:
    tag = ask(ALL, accept_encoding=accepted).headers["ETag"]
    by_tag = ask(ALL, accept_encoding=accepted, if_none_match=tag)
    by_date = ask(ALL, accept_encoding=accepted, if_modified_since=imf_fixdate(int(NOW)))
    assert by_date == by_tag
    assert (by_date.status, by_date.body) == (304, b"")


@given(st.sampled_from(["", "*", '"tag"', '"other"', 'W/"tag"', "nonsense"]), moments)
def test_a_date_counts_for_nothing_beside_a_tag(if_none_match: str, since: int) -> None:
    both = ask(if_none_match=if_none_match, if_modified_since=imf_fixdate(since))
    assert both == ask(if_none_match=if_none_match)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "*",
        "0",
        "1800000000",
        "2027-01-15T08:00:00Z",
        "15 Jan 2027 08:00:00 GMT",
        "Fri, 15 Jan 2027 08:00:00",
        "Fri, 15 Jan 2027 08:00 GMT",
        "Fri, 15 Jan 2027 09:00:00 +0000",
        "Fri, 15 Jan 2027 09:00:00 CET",
        "Fri, 32 Jan 2027 08:00:00 GMT",
        "Fri, 15 Jem 2027 08:00:00 GMT",
        "Fri, 15 Jan 2027 25:00:00 GMT",
        "Fri, 15 Jan 12027 08:00:00 GMT",
        "Fri, 15 Jan 2027 08:00:00 GMT, Fri, 15 Jan 2027 08:00:00 GMT",
        "Fri, 15 Jan 2027 08:00:00 GMT,Fri, 15 Jan 2027 08:00:00 GMT",
        "Fri, 15 Jan 2027 08:00:00 GMT; length=20",
        "Fri, 15 Jan 2027 08:00:00 GMT\n",
        "Fri, 15 Jan \u0662\u0660\u0662\u0667 08:00:00 GMT",
        "Fri, 15 Jan 2027 08:00:00 GMT" * 2,
    ],
)
def test_what_is_not_one_date_is_ignored(value: str) -> None:
    assert ask(if_modified_since=value) == ask()


def test_a_304_keeps_its_links() -> None:
    cut = page(make_list_entry(50), "page=1")
    sent = ask(cut, if_none_match=ask(cut).headers["ETag"])
    assert sent.status == 304
    assert sent.headers["Link"] == ask(cut).headers["Link"]


@pytest.mark.parametrize("status", [404, 410, 451])
def test_a_negative_answer_is_never_not_modified(status: int) -> None:
    negative = whole(make_entry(BODY, status=status))
    for sent in (
        ask(negative, if_none_match='"tag"'),
        ask(negative, if_modified_since=imf_fixdate(int(NOW))),
    ):
        assert (sent.status, sent.body) == (status, BODY)


def test_no_content_has_no_length() -> None:
    sent = ask(whole(make_entry(b"", status=204)))
    assert (sent.status, sent.body) == (204, b"")
    assert "Content-Length" not in sent.headers


def test_every_representation_in_every_encoding_has_a_tag_of_its_own() -> None:
    entry = compressed(make_ranked_entry({"a/b": 2, "a/c": 1}))
    sent = [
        ask(whole(entry)),
        ask(whole(entry), accept_encoding="gzip"),
        ask(whole(entry), accept_encoding="br"),
        ask(page(entry, "page=1")),
        ask(page(entry, "page=2")),
        ask(page(entry, "page=1&per_page=1")),
        ask(RankedView("stars", from_top=True, count=1).of(entry)),
        ask(RankedView("stars", from_top=False, count=1).of(entry)),
        ask(RankedView("stars", from_top=True, count=2).of(entry)),
    ]
    assert len({one.headers["ETag"] for one in sent}) == len(sent)


def max_age(sent: HttpResponse) -> int:
    directives = dict(
        directive.partition("=")[::2] for directive in sent.headers["Cache-Control"].split(", ")
    )
    return int(directives["max-age"])


def ttl(sent: HttpResponse) -> int:
    return int(sent.headers["Cache-Status"].split("; ttl=")[1].split(";")[0])


@pytest.mark.parametrize(
    ("age", "left"), [(0, 1000), (999, 1), (1000, 0), (1001, -1), (5000, -4000)]
)
def test_ttl_counts_down_and_goes_below_zero_when_stale(age: int, left: int) -> None:
    sent = ask(now=NOW + age)
    assert sent.headers["Cache-Status"] == f"api-read-cache; hit; ttl={left}; detail=local"
    assert sent.headers["Age"] == str(age)


@given(st.integers(0, 10**6), st.floats(0, 2e6))
def test_what_is_left_is_the_whole_lifetime_less_the_age(lifetime: int, since: float) -> None:
    sent = ask(whole(make_entry(BODY, fresh_until=NOW + lifetime)), now=NOW + since)
    assert max_age(sent) == lifetime
    # A cache between us and the client counts like we do, to the second.
    assert 0 <= max_age(sent) - int(sent.headers["Age"]) - ttl(sent) <= 1


@given(st.floats(-100, 1e6), st.floats(0, 2e6))
def test_the_lifetime_that_is_told_depends_on_the_content_and_not_on_the_moment(
    lifetime: float, since: float
) -> None:
    known = whole(make_entry(BODY, fresh_until=NOW + lifetime))
    early, late = ask(known), ask(known, now=NOW + since)
    assert early.headers["Cache-Control"] == late.headers["Cache-Control"]
    assert max_age(early) >= 0


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("age", [0, 1001, 10**6])
def test_others_may_send_what_is_stale_while_they_ask_and_when_they_cannot(
    status: int, age: int
) -> None:
    sent = ask(whole(make_entry(BODY, status=status)), now=NOW + age)
    # A negative answer is not sent stale here either, unless GitHub cannot be asked.
    while_revalidating = "stale-while-revalidate=60, " if status == 200 else ""
    assert sent.headers["Cache-Control"] == (
        f"public, max-age=1000, {while_revalidating}stale-if-error=86400"
    )


@pytest.mark.parametrize("stale_for", [0.001, 0.5, 0.999])
def test_ttl_is_below_zero_in_the_first_stale_second(stale_for: float) -> None:
    status = ask(now=NOW + 1000 + stale_for).headers["Cache-Status"]
    assert "; ttl=-1; " in status


def test_the_age_is_never_below_zero() -> None:
    # The refresher's clock may be ahead of ours.
    assert ask(now=NOW - 5).headers["Age"] == "0"


@pytest.mark.parametrize(
    ("served", "status"),
    [
        (Served.LOCAL, "api-read-cache; hit; ttl=1000; detail=local"),
        (Served.REDIS, "api-read-cache; hit; ttl=1000; detail=redis"),
        (Served.WAITED, "api-read-cache; fwd=uri-miss; stored; ttl=1000; detail=waited"),
    ],
)
def test_only_what_went_forward_to_the_origin_is_no_hit(served: Served, status: str) -> None:
    assert ask(served=served).headers["Cache-Status"] == status


def test_links_lead_to_where_the_client_asked() -> None:
    cut = page(make_list_entry(50), "per_page=20&page=2")
    assert ask(cut).headers["Link"] == (
        f'<{URL}?per_page=20&page=1>; rel="prev", <{URL}?per_page=20&page=3>; rel="next", '
        f'<{URL}?per_page=20&page=3>; rel="last", <{URL}?per_page=20&page=1>; rel="first"'
    )


def test_without_links_there_is_no_such_header() -> None:
    assert "Link" not in ask().headers


def test_the_content_type_is_the_entrys() -> None:
    other = replace(PLAIN, metadata=replace(PLAIN.metadata, content_type="text/x"))
    assert ask(PLAIN).headers["Content-Type"] == JSON
    assert ask(other).headers["Content-Type"] == "text/x"


class TestTimesAgree:
    """`Date`, which the sender adds, is the time that `Age` and `Last-Modified` are made with."""

    def test_last_modified_is_never_later_than_date(self) -> None:
        # Redis's clock was set back, or two changes came within a second.
        ahead = whole(make_entry(BODY, changed_at=NOW + 3600))
        assert ask(ahead).headers["Last-Modified"] == imf_fixdate(int(NOW))

    def test_what_was_sent_for_the_older_content_does_not_match_the_newer(self) -> None:
        newer = whole(make_entry(BODY, changed_at=NOW + 3600))
        assert ask(newer, if_modified_since=imf_fixdate(int(NOW))).status == 200

    def test_a_date_in_the_future_does_not_count(self) -> None:
        changed = whole(make_entry(BODY, changed_at=NOW - 5))
        assert ask(changed, if_modified_since=imf_fixdate(int(NOW) + 3600)).status == 200
        assert ask(changed, if_modified_since=imf_fixdate(int(NOW))).status == 304


def answer_of(status: int, **metadata: Any) -> Representation:
    """What is sent of an entry with another answer of GitHub's than content."""
    entry = make_entry(b"{}")
    return whole(replace(entry, metadata=replace(entry.metadata, status=status, **metadata)))


def test_a_redirect_is_sent_with_its_target() -> None:
    target = "https://codeload.github.com/a/b/legacy.tar.gz/main"
    sent = ask(answer_of(302, location=target, fresh_until=NOW + 60))
    assert (sent.status, sent.headers["Location"]) == (302, target)
    assert sent.headers["Cache-Control"] == "public, max-age=60, stale-if-error=86400"
    assert "Location" not in ask().headers


def test_a_202_says_when_to_ask_again_and_is_kept_by_no_other_cache() -> None:
    not_ready = answer_of(202, fresh_until=NOW + 5)
    sent = ask(not_ready, now=NOW + 1.5)
    assert (sent.status, sent.headers["Retry-After"]) == (202, "4")
    assert sent.headers["Cache-Control"] == "no-store"
    assert ask(not_ready, now=NOW + 99).headers["Retry-After"] == "1"
    assert "Retry-After" not in ask().headers
