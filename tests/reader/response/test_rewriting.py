r"""Addresses in bodies, compared with a model that reads JSON token by token."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reader.response.rewriting import STEP, Rewriting, origins_of
from shared import json_array
from shared.json_array import JsonArray

GITHUB = "https://api.github.com"
OWN = "http://127.0.0.1:8080"
ADDRESS = "https://cache.test:8443/github/api/v3"
REWRITING = Rewriting([OWN, GITHUB])
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[ \t\r\n]+|[\[\]{}:,]|[^"\[\]{}:, \t\r\n]+', re.DOTALL)
CHARACTER = re.compile(rb'\\u[0-9A-Fa-f]{4}|\\.|[^\\"]', re.DOTALL)


def model(body: bytes) -> bytes:
    """What the contract says, by a whole reading of the body."""
    assert b"".join(TOKEN.findall(body)) == body
    out, key, is_value = [], "", False
    tokens = list(TOKEN.findall(body))
    for at, read in enumerate(tokens):
        token = read
        rest = [one for one in tokens[at + 1 : at + 3] if one.strip()]
        if token[:1] == b'"' and rest[:1] == [b":"]:
            key = json.loads(token)
        elif token == b":":
            is_value = True
        elif token.strip():
            if is_value and token[:1] == b'"' and key.endswith(("url", "href")):
                token = of_value(token)
            is_value = False
        out.append(token)
    return b"".join(out)


def of_value(token: bytes) -> bytes:
    value = json.loads(token)
    for origin in (OWN, GITHUB):
        if re.fullmatch(rf"{re.escape(origin)}(?:[/?{{#].*)?", value, re.DOTALL):
            spelled = CHARACTER.findall(token[1:-1])
            return b'"' + ADDRESS.encode() + b"".join(spelled[len(origin) :]) + b'"'
    return token


def rewritten(body: bytes, address: str = ADDRESS) -> bytes:
    return REWRITING.rewritten(body, address)


BEGINS = [
    *(GITHUB, OWN, "https://api.github.com.evil", "https://github.com", "HTTPS://API.GITHUB.COM"),
    *(" https://api.github.com", "https://api.github.co", "http://api.github.com", "", "url"),
]
REST = [
    *("", "/", "/repos/a/b", "{/sha}", "?q={q}", "#x", ".evil/", ":443/", "x", "\\/", '"', ","),
    "/é",
]
values = st.builds(str.__add__, st.sampled_from(BEGINS), st.sampled_from(REST))
# Text that looks like a key with a value.
traps = st.builds(
    lambda key, value, end: f'"{key}": "{value}"{end}',
    st.sampled_from(["url", "html_url", "href"]),
    values,
    st.sampled_from(["", ",", "}", "\\"]),
)
texts = values | traps | st.text(max_size=8) | st.sampled_from(["\\", "\\\\", '\\"', "\\u0075rl"])
keys = st.sampled_from(
    ["url", "html_url", "href", "Url", "URL", "urls", "url ", "ur", "self", "a,url", 'x"url',
     "\\url", "\\\\url", "\\u0075rl", "body", "", "\\href", "é_url", "curl"]
) | traps  # fmt: skip
scalars = texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none()
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.tuples(keys, inner | values), max_size=4).map(dict)
    ),
    max_leaves=12,
)


@st.composite
def spelled(draw: st.DrawFn, text: str) -> str:
    """A JSON string in one of the spellings that are allowed."""
    out = []
    style = draw(st.sampled_from(["plain", "plain", "slashes", "mixed"]))
    for character in json.dumps(text, ensure_ascii=False)[1:-1] if style == "plain" else text:
        way = draw(st.integers(0, 2)) if style == "mixed" else 0
        if style == "plain":
            out.append(character)
        elif (style == "slashes" or way == 1) and character == "/":
            out.append("\\/")
        elif way == 2 and ord(character) < 0x10000:
            digits = f"{ord(character):04x}"
            out.append(f"\\u{draw(st.sampled_from([digits, digits.upper()]))}")
        else:
            out.append(json.dumps(character, ensure_ascii=False)[1:-1])
    return f'"{"".join(out)}"'


@st.composite
def written(draw: st.DrawFn, tree: Any) -> str:
    """A tree as JSON, with any white space."""
    space = draw(st.sampled_from(["", "", " ", "\n\t", "\r\n  "]))
    if isinstance(tree, str):
        return draw(spelled(tree))
    if isinstance(tree, list):
        return f"[{space}{f'{space},'.join(draw(written(one)) for one in tree)}{space}]"
    if isinstance(tree, dict):
        pairs = [
            f"{space}{draw(spelled(key))}{space}:{space}{draw(written(value))}{space}"
            for key, value in tree.items()
        ]
        return "{" + ",".join(pairs) + "}"
    return json.dumps(tree)


bodies = trees.flatmap(written).map(lambda text: text.encode("utf-8", "surrogatepass"))


@given(bodies)
def test_only_addresses_under_such_keys_change(body: bytes) -> None:
    assert rewritten(body) == model(body)


@given(bodies, st.integers(1, 40))
def test_it_is_the_same_in_steps_of_any_size(body: bytes, step: int) -> None:
    assert b"".join(REWRITING.pieces(body, ADDRESS, step=step)) == model(body)


@given(st.lists(bodies, max_size=6), st.integers(0, 6), st.integers(0, 6), st.integers(1, 40))
def test_it_is_the_same_of_a_part_of_a_list(
    items: list[bytes], start: int, count: int, step: int
) -> None:
    array = JsonArray.join(items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_WORTH_SHARING", 0)
        cut = array.slice(start, start + count)
    assert b"".join(REWRITING.pieces(cut, ADDRESS, step=step)) == model(bytes(cut))


@given(bodies)
def test_twice_is_as_once(body: bytes) -> None:
    assert rewritten(rewritten(body)) == rewritten(body)


@given(st.lists(st.tuples(keys, values), max_size=6))
def test_of_keys_that_occur_twice_each_is_rewritten(pairs: list[tuple[str, str]]) -> None:
    members = (f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs)
    body = ("{" + ",".join(members) + "}").encode()
    assert rewritten(body) == model(body)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b"null", b'"https://api.github.com/"', b'["https://api.github.com/"]',
        b'{"a": 1.0, "b": 1e5, "c": -0, "url": null, "url": 1, "d": "\\u00e9\\/"}',
        b'{"body": "\\"url\\": \\"https://api.github.com/x\\""}',
        b'{"body": "url\\": \\"https://api.github.com/x"}',
        b'{"url": ["https://api.github.com/x"]}', b'{"url": {"x": "https://api.github.com/x"}}',
        b'{"url": "https://api.github.com.evil/x"}', b'{"url": "https://api.github.com:443/x"}',
        b'{"html_url": "https://github.com/x", "urls": "https://api.github.com/x"}',
        b'{"self": "https://api.github.com/x", "URL": "https://api.github.com/x"}',
        b'{"message": "https://api.github.com/x", "url": " https://api.github.com/x"}',
        b'{"\\\\u0075rl": "https:\\/\\/api.github.com/x"}',
    ],
)  # fmt: skip
def test_everything_else_stays_as_it_is(body: bytes) -> None:
    assert rewritten(body) == model(body) == body


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"url":"https://api.github.com"}', b'{"url":"%s"}'),
        (b'{"url": "https://api.github.com/"}', b'{"url": "%s/"}'),
        (b'{"a_url" :\n"https://api.github.com{/sha}"}', b'{"a_url" :\n"%s{/sha}"}'),
        (b'{"href":"https://api.github.com?q={q}"}', b'{"href":"%s?q={q}"}'),
        (b'{"url":"http://127.0.0.1:8080#x"}', b'{"url":"%s#x"}'),
        (b'{"url":"https:\\/\\/api.github.com\\/x\\/y"}', b'{"url":"%s\\/x\\/y"}'),
        (b'{"\\u0075r\\u006C":"\\u0068ttps://api.github.com/x"}', b'{"\\u0075r\\u006C":"%s/x"}'),
        (b'{"\\\\\\u0075rl":"https://api.github.com\\/"}', b'{"\\\\\\u0075rl":"%s\\/"}'),
        (b'{"a,url":"https://api.github.com/"}', b'{"a,url":"%s/"}'),
    ],
)
def test_an_address_is_replaced(before: bytes, after: bytes) -> None:
    assert rewritten(before) == model(before) == after.replace(b"%s", ADDRESS.encode())


def long_bodies() -> Iterator[bytes]:
    """Bodies of several steps, whose borders fall everywhere within an item."""
    item = b'{"id":1,"url":"https://api.github.com/repos/a/b","body":"a, \\"url\\": b"}'
    for padding in range(len(item)):
        yield b'["' + b"x" * (STEP - padding) + b'",' + item + b"," + item + b"]"


def test_no_border_of_a_step_hides_an_address() -> None:
    for body in long_bodies():
        assert rewritten(body) == model(body)
        assert rewritten(body).count(ADDRESS.encode()) == 2


def test_the_pieces_are_short() -> None:
    body = b"[" + b",".join([b'{"url":"https://api.github.com/x"}'] * 20_000) + b"]"
    pieces = list(REWRITING.pieces(body, ADDRESS))
    assert b"".join(pieces) == rewritten(body)
    assert max(map(len, pieces)) < 3 * STEP
    assert len(pieces) > 5


@given(st.sampled_from([GITHUB, OWN, f"{GITHUB}/api/v3", f"{OWN}/api/v3"]), bodies)
@example(OWN, b'{"url":"https://api.github.com/x","a_url":"http://127.0.0.1:8080/x"}')
def test_a_new_address_that_looks_like_an_old_one_is_not_replaced_again(
    address: str, body: bytes
) -> None:
    placeholder = ADDRESS.encode()
    if placeholder not in body:
        expected = model(body).replace(placeholder, address.encode())
        assert rewritten(body, address) == expected


@pytest.mark.parametrize(
    ("setting", "origins"),
    [
        (GITHUB, (GITHUB,)),
        ("https://ghe.test/api/v3", ("https://ghe.test/api/v3",)),
        (OWN, (OWN, GITHUB)),
    ],
)
def test_a_proxy_of_github_leaves_githubs_address_in_bodies(
    setting: str, origins: tuple[str, ...]
) -> None:
    assert origins_of(setting) == origins
