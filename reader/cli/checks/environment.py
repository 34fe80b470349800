"""Checks of the settings of this process, which should be those of the readers."""

from collections.abc import Iterator, Mapping

from reader.cli.checks.finding import Finding, Verdict
from reader.status.formatting import listed, plural
from shared.settings import REFRESHERS_ONLY, Settings

_ABOUT = "settings"
# Variables set by platforms that put a proxy before readers, or known to gunicorn's users.
_SIGNS_OF_PROXIES = ("DYNO", "FLY_APP_NAME", "FORWARDED_ALLOW_IPS", "K_SERVICE", "RENDER")


def check_settings(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check for secrets that readers do not need, and for settings that are rarely intended."""
    paths = f", and {plural(len(settings.track), 'path')} of TRACK" if settings.track else ""
    tracked = f"{listed(list(settings.orgs))} tracked{paths}"
    yield Finding(_ABOUT, Verdict.OK, f"they are valid; {tracked}")
    secrets = [name for name in REFRESHERS_ONLY if environment.get(name)]
    if secrets:
        found = f"{listed(secrets)} set here, but readers do not need it"
        yield Finding(_ABOUT, Verdict.NOTE, found, "give GitHub's credentials to refreshers only")
    if settings.include_private:
        yield Finding(
            _ABOUT,
            Verdict.WARNING,
            "INCLUDE_PRIVATE=true: private repositories are served to every client of a reader",
            "restrict who can reach readers, or set it to false everywhere",
        )
    if settings.admin_token is None:
        found = (
            "ADMIN_TOKEN is not set here: readers with these settings allow no actions on the "
            "status page"
        )
        yield Finding(_ABOUT, Verdict.NOTE, found)
    if settings.local_ttl > settings.cache_ttl:
        yield Finding(
            _ABOUT,
            Verdict.NOTE,
            "LOCAL_TTL is longer than CACHE_TTL: readers still check Redis when content "
            "becomes stale",
            "a LOCAL_TTL of a twentieth of CACHE_TTL is sufficient",
        )
    proxy = next((name for name in _SIGNS_OF_PROXIES if environment.get(name)), None)
    if proxy is not None and not settings.trusted_proxies:
        yield Finding(
            _ABOUT,
            Verdict.NOTE,
            f"{proxy} is set, so there may be a proxy before the readers, but TRUSTED_PROXIES is "
            "not set: Link fields name the readers, not the proxy",
            "list the proxies' addresses in TRUSTED_PROXIES",
        )
    if settings.access_log == 1:
        found = "ACCESS_LOG=1 logs every request, which costs more than answering it"
        yield Finding(_ABOUT, Verdict.NOTE, found, "0.01 logs every hundredth")
