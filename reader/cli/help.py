"""`flask --app reader cache --help` works where no Redis is named yet."""

import sys

import click

from shared.settings import Settings, load_or_exit


def settings_for_help() -> Settings | None:
    """Settings without a Redis, for a command that is only asked what it does; else None.

    Flask makes the application before it knows the command, and that needs settings.
    """
    if click.get_current_context(silent=True) is None:
        return None  # a server, not a command
    is_asked = "--help" in sys.argv or sys.argv[-1] == "cache"
    return load_or_exit(needs_redis=False) if is_asked else None
