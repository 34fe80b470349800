"""The whole of an entry as a representation, and the tags of all representations of an entry."""

from collections.abc import Callable

from reader.response.paging import page
from reader.response.ranked_view import RankedView
from reader.response.representation import Representation, whole
from tests.builders import RANKINGS, compressed, make_entry, make_ranked_entry


def test_the_whole_is_the_entry_as_it_is_stored() -> None:
    entry = compressed(make_entry(links=(("next", "page=2"),), status=404, content_type="a/b"))
    sent = whole(entry)
    assert sent.body is entry.body
    assert sent.encoded is entry.encoded
    assert (sent.tag, sent.status, sent.content_type) == ("tag", 404, "a/b")
    assert sent.links == (("next", "page=2"),)


def test_whole_pages_and_views_all_have_different_tags() -> None:
    entry = make_ranked_entry({f"Netflix/r{number}": number for number in range(20)})
    made = [whole(entry)]
    made += [
        page(entry, f"page={number}&per_page={size}")
        for number in (1, 2, 12)
        for size in (1, 2, 21)
    ]
    made += [
        RankedView(metric, from_top=from_top, count=count).of(entry)
        for metric in RANKINGS
        for from_top in (True, False)
        for count in (1, 2, 12)
    ]
    assert len({one.tag for one in made}) == len(made)


def test_a_tag_changes_with_the_entrys() -> None:
    one, other = (make_ranked_entry({"a/b": 1}, etag=etag) for etag in ("one", "other"))
    made: list[Callable[..., Representation]] = [
        whole,
        lambda entry: page(entry, "page=1"),
        RankedView("stars", from_top=True, count=1).of,
    ]
    assert all(make(one).tag != make(other).tag for make in made)
