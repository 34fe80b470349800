"""Which tests belong to `make check`, `make test` and others: by where they stand.

The markers are described in `pyproject.toml`.
"""

import subprocess
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

# The beginnings of the names of tests, by marker.
BY_PLACE: dict[str, tuple[str, ...]] = {
    "processes": (
        *("tests/end_to_end/", "tests/browser/", "tests/clients/", "tests/chaos/test_chaos"),
        *(
            "tests/bench/test_soak.py::test_a_quick_soak",
            "tests/bench/test_change.py::test_a_short",
        ),
        *("tests/bench/test_misses.py::TestOrigin", "tests/bench/test_misses.py::test_a_short"),
        "tests/fakegithub/test_apps.py::test_a_process_of_its_own",
        "tests/fakegithub/test_viewers.py::TestCredential::test_is_known_to_a_process_of_its_own",
        "tests/fakegithub/test_world.py::test_a_process_of_its_own",
        "tests/refresher/lock/test_refresh_lock.py::TestIndependentMasters",
        *("tests/shipping/test_haproxy_behaviour.py", "tests/shipping/test_image.py"),
        "tests/image/",
        "tests/shipping/test_supply_chain.py::test_nothing_in_redis_is_pickled",
    ),
    "slow": (
        "tests/refresher/visibility/test_only_public.py",  # every operation, seven credentials
        *("tests/test_damaged_values.py", "tests/test_redis_troubles.py"),  # a fleet, in threads
        "tests/reader/telemetry/test_process_files.py",  # an interpreter for each process
        *("tests/bench/test_cost.py", "tests/bench/test_scaling.py", "tests/bench/test_plot.py"),
        *("tests/bench/test_load.py", "tests/fuzz/"),
        "tests/shipping/test_deploy.py::test_each_alert_fires",
        # Lists of several pages, read again and again.
        *(
            "tests/refresher/content/test_mixed_views.py",
            "tests/refresher/github/test_revalidation",
        ),
        "tests/shipping/test_kubernetes.py",  # runs kustomize
    ),
    # What is promised is a time, or a figure that others on the same processors would change.
    "timing": (
        "tests/end_to_end/test_answers.py::test_statistics_that_never",
        *("tests/end_to_end/test_distant_redis.py", "tests/end_to_end/test_flood.py"),
        *("tests/end_to_end/test_many_names.py", "tests/end_to_end/test_many_refreshes.py"),
        *("tests/end_to_end/test_hits_stay_quick.py", "tests/end_to_end/test_misses.py"),
        "tests/end_to_end/test_operators_door.py::test_guesses",
        *("tests/end_to_end/test_redis_outage.py", "tests/end_to_end/test_reload.py"),
        *("tests/end_to_end/test_retry_after.py", "tests/end_to_end/test_shares.py"),
        *(
            "tests/end_to_end/test_slow_clients.py::test_a_client_that_takes",
            "tests/end_to_end/test_slow_clients.py::test_clients_that",
            "tests/end_to_end/test_slow_clients.py::test_five_hundred",
            "tests/end_to_end/test_strangers_bodies.py::test_a_body_has_one",
            "tests/end_to_end/test_strangers_bodies.py::test_dripping",
            "tests/end_to_end/test_strangers_bodies.py::test_many_large",
        ),
        "tests/end_to_end/test_withdrawal.py::test_what_is_made_private",
        *("tests/end_to_end/test_webhooks.py", "tests/refresher/dispatch/test_dispatcher.py"),
        "tests/refresher/github/auth/test_app_installation.py",
        *("tests/refresher/github/test_bounded_connection.py", "tests/refresher/github/test_turns"),
        "tests/refresher/github/test_client.py::test_a_compressed_answer_that_drips",
        "tests/refresher/lock/test_refresh_lock.py",
        *(
            "tests/shared/redis/test_connection.py",
            "tests/shared/resources/test_resource.py::test_a_path_of_many",
        ),
    ),
    "shipping": (
        *("tests/browser/", "tests/clients/test_other_clients.py", "tests/shipping/test_debian.py"),
        "tests/shipping/test_openapi_package.py",
        *(
            "tests/clients/test_joined_gzip.py::test_node",
            "tests/clients/test_joined_gzip.py::test_go",
        ),
        *("tests/shipping/test_haproxy_behaviour.py", "tests/shipping/test_image.py"),
        *("tests/shipping/test_helm.py", "tests/shipping/test_python_packages.py"),
    ),
    "image": ("tests/image/",),
}
# Tests that start no processes, and share what is costly to make.
TOGETHER = (
    *("tests/test_architecture.py", "tests/refresher/visibility/test_only_public.py"),
    *("tests/test_damaged_values.py", "tests/test_redis_troubles.py"),
)
# Modules that take half a minute and more: they begin first, and do not end long after all others.
LONG = (
    *("tests/chaos/test_chaos", "tests/bench/test_change.py::test_a_short"),
    *("tests/bench/test_soak.py::test_a_quick_soak", "tests/end_to_end/test_unreliable_events.py"),
    *("tests/end_to_end/test_wrong_clocks.py", "tests/end_to_end/test_upgrade.py"),
    *("tests/end_to_end/test_budget.py", "tests/end_to_end/test_collapsed_lists.py"),
    *(
        "tests/end_to_end/test_failover.py",
        "tests/end_to_end/test_metrics.py",
        "tests/end_to_end/test_only_public.py",
    ),
)
# Programs and modules that no test may start unless it is marked `processes`.
SERVERS = frozenset(
    [
        *("gunicorn", "rq", "chromium", "tests.fakegithub", "scripts.run"),
        *("tests.end_to_end.fork_server", "bench.soak", "bench.misses.origin"),
    ]
)


def markers_of(nodeid: str) -> list[str]:
    """The markers that a test has by its place."""
    return [marker for marker, places in BY_PLACE.items() if nodeid.startswith(places)]


def order_of(nodeid: str, *, has_processes: bool) -> int:
    """Where a test stands in the order: lower numbers begin first."""
    return 0 if nodeid.startswith(LONG) else 1 if has_processes else 2


def starts_processes(nodeid: str) -> bool:
    """Whether a test starts servers, or is in a module of which most tests do."""
    return nodeid.startswith(BY_PLACE["processes"])


def group_of(nodeid: str) -> str:
    """The name of the group of tests that one process of pytest-xdist has to run."""
    together = starts_processes(nodeid) or nodeid.startswith(TOGETHER)
    return nodeid.partition("::")[0] if together else nodeid


def refusing_servers(start: Callable[..., None]) -> Callable[..., None]:
    """`subprocess.Popen.__init__`, which starts none of `SERVERS`.

    Raises (when called):
        AssertionError: the command names one.
    """

    def checked(
        self: subprocess.Popen[Any], command: str | Sequence[object], *rest: Any, **known: Any
    ) -> None:
        words = [command] if isinstance(command, str) else [str(word) for word in command]
        modules = (module for option, module in pairwise(words) if option == "-m")
        named = SERVERS.intersection([Path(words[0]).name, *modules])
        if named:
            self.returncode = 0  # or its `__del__` would wait for it
            raise AssertionError(f"mark the test with `processes`: it starts {', '.join(named)}")
        start(self, command, *rest, **known)

    return checked
