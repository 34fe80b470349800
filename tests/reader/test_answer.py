import gzip
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.answer import CORS_HEADERS, Answer, Conditions, answer
from reader.representation import Representation, View, page, whole
from shared.outcomes import Served
from shared.views import Metric
from tests.builders import JSON, NOW, compressed, make_entry, make_list_entry, make_ranked_entry

URL = "http://reader.test/orgs/Netflix"
BODY = b'{"login": "Netflix"}'
BOTH = whole(compressed(make_entry(BODY)))
PLAIN = whole(make_entry(BODY))


def ask(
    representation: Representation = BOTH,
    *,
    accept_encoding: str | None = None,
    if_none_match: str | None = None,
    served: Served = Served.LOCAL,
    now: float = NOW,
) -> Answer:
    conditions = Conditions(URL, accept_encoding, if_none_match)
    return answer(representation, conditions, served=served, now=now)


def test_a_whole_answer() -> None:
    sent = ask(now=NOW + 100.9)
    assert sent == Answer(
        200,
        {
            "ETag": '"tag"',
            "Vary": "Accept-Encoding",
            "Cache-Control": "public, max-age=899",
            "Age": "100",
            "Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT",
            "Cache-Status": "api-read-cache; hit; ttl=899; detail=local",
            **CORS_HEADERS,
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": "20",
        },
        b'{"login": "Netflix"}',
    )


def test_a_whole_compressed_answer() -> None:
    plain, small = ask(), ask(accept_encoding="gzip")
    assert gzip.decompress(small.body) == BODY
    assert small.headers == {
        **plain.headers,
        "ETag": '"tag-gzip"',
        "Content-Encoding": "gzip",
        "Content-Length": str(len(small.body)),
    }


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.0", None),
        ("gzip;q=0.000, *", None),
        ("*", "gzip"),
        ("*;q=0", None),
        ("*;q=0.1", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("identity;q=0", None),
        ("identity;q=0, gzip;q=0.001", "gzip"),
        ("identity;q=0, *", "gzip"),
        ("gzip;q=0.5, identity", None),
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
    assert sent.body == (BOTH.body if encoding is None else BOTH.gzipped)


@pytest.mark.parametrize("accepted", ["gzip", "identity;q=0", "*"])
def test_what_is_not_stored_compressed_is_sent_plain(accepted: str) -> None:
    sent = ask(PLAIN, accept_encoding=accepted)
    assert "Content-Encoding" not in sent.headers
    assert sent.body == BODY
    assert sent.headers["Vary"] == "Accept-Encoding"


@given(st.none() | st.text(), st.none() | st.text())
def test_no_header_value_makes_answering_fail(
    accept_encoding: str | None, if_none_match: str | None
) -> None:
    sent = ask(accept_encoding=accept_encoding, if_none_match=if_none_match)
    assert sent.status in {200, 304}


@given(st.binary(max_size=50), st.sampled_from([None, "gzip"]))
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
    assert sent == Answer(304, {k: v for k, v in plain.headers.items() if k not in content}, b"")


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
        '"ta", "g"',
        '"*"',
        '"x, tag"',
    ],
)
def test_a_validator_that_does_not_match_gets_the_content(if_none_match: str | None) -> None:
    assert ask(if_none_match=if_none_match) == ask()


def test_a_304_for_a_compressed_answer_names_neither_encoding_nor_length() -> None:
    sent = ask(accept_encoding="gzip", if_none_match='W/"tag-gzip"')
    assert sent.status == 304
    assert sent.headers["ETag"] == '"tag-gzip"'
    assert not {"Content-Encoding", "Content-Length", "Content-Type"} & set(sent.headers)


def test_the_tag_of_one_encoding_does_not_match_the_other() -> None:
    assert ask(accept_encoding="gzip", if_none_match='"tag"').status == 200
    assert ask(if_none_match='"tag-gzip"').status == 200


def test_a_304_keeps_its_links() -> None:
    cut = page(make_list_entry(50), "page=1")
    sent = ask(cut, if_none_match=ask(cut).headers["ETag"])
    assert sent.status == 304
    assert sent.headers["Link"] == ask(cut).headers["Link"]


@pytest.mark.parametrize("status", [404, 410, 451])
def test_a_negative_answer_is_never_not_modified(status: int) -> None:
    sent = ask(whole(make_entry(BODY, status=status)), if_none_match='"tag"')
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
        ask(page(entry, "page=1")),
        ask(page(entry, "page=2")),
        ask(page(entry, "page=1&per_page=1")),
        ask(View(Metric.STARS, from_top=True, count=1).of(entry)),
        ask(View(Metric.STARS, from_top=False, count=1).of(entry)),
        ask(View(Metric.FORKS, from_top=True, count=1).of(entry)),
    ]
    assert len({one.headers["ETag"] for one in sent}) == len(sent)


@pytest.mark.parametrize(
    ("age", "control", "ttl"),
    [
        (0, "public, max-age=1000", 1000),
        (999, "public, max-age=1", 1),
        (1000, "public, max-age=0", 0),
        (1001, "public, max-age=0", -1),
        (5000, "public, max-age=0", -4000),
    ],
)
def test_ttl_counts_down_and_goes_below_zero_when_stale(age: int, control: str, ttl: int) -> None:
    headers = ask(now=NOW + age).headers
    assert headers["Cache-Status"] == f"api-read-cache; hit; ttl={ttl}; detail=local"
    assert headers["Cache-Control"] == control
    assert headers["Age"] == str(age)


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
