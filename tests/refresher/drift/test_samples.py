"""What is compared with GitHub: fresh content, tracked or on demand, and no searches."""

import time
from functools import partial

from redis import Redis

from refresher.drift.samples import Samples
from shared.entry import Entry
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from tests.builders import make_metadata, store_entry


def test_a_search_is_never_compared_and_other_paths_of_track_are(redis: Redis) -> None:
    catalogue = Catalogue(("Netflix",), track=("/search/issues?q=x", "/users/a"))
    now = time.time()
    for resource in catalogue.tracked[-2:]:
        times = {"validated_at": now, "fresh_until": now + 500, "changed_at": now}
        form = {"form": resource.stored_form, "derived": resource.kind.derived}
        store_entry(redis, resource, Entry(make_metadata(**times, **form), b"{}"))
    for chance in (0.0, 0.5, 0.99):
        sample = Samples(redis, catalogue, Store(redis), partial(float, chance)).one(now)
        assert sample is not None
        assert sample[0].path == "/users/a"
