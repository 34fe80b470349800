"""A strange program overwrites all that Redis holds: a fleet of processes mends it by itself."""

from pathlib import Path

from shared.key_table import form_of
from tests.damaged_system import damage
from tests.end_to_end.fleet import Fleet
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

PATHS = ["/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos"]


def test_a_fleet_of_which_every_value_is_damaged_serves_and_heals(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=2) as fleet, fleet.redis() as redis:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        served = {path: reader.get(path).content for path in PATHS}
        held = [key.decode() for key in redis.scan_iter(count=1000)]
        forms = {key: form for key in held if (form := form_of(key))}
        assert len(forms) > 40
        for key, form in forms.items():
            damage(redis, key, "list" if form.type == "string" else "string")
        for path in PATHS:
            answer = reader.get(path)
            assert (answer.status_code, answer.content) == (200, served[path])
        for path in ("/status", "/status.json", "/metrics", "/healthcheck"):
            assert reader.get(path).status_code == 200
        github.mutate("star", repo=7, by=1000)
        await_up_to_date(github, reader, times=4)
        assert eventually(lambda: reader.get("/users/somebody-new").status_code == 404)
        titles = {one["title"] for one in reader.get("/status.json").json()["statements"]}
        assert "Damaged values in Redis were mended" in titles
        assert worker.process.poll() is None
