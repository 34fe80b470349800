"""Lets `flask --app reader cache --help` work before a Redis is configured."""

import sys

import click

from shared.settings import Settings, load_or_exit


def settings_for_help() -> Settings | None:
    """Settings without a Redis if the command only prints its help; else None.

    Flask creates the application, which needs settings, before it parses the command.
    """
    if click.get_current_context(silent=True) is None:
        return None  # a server, not a command
    is_help = "--help" in sys.argv or sys.argv[-1] == "cache"
    return load_or_exit(needs_redis=False) if is_help else None
