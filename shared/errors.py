"""The errors that cross a module border."""


class SettingsError(Exception):
    """A setting is missing or invalid; the message is one line that names it."""


class UnreadableError(Exception):
    """A value in Redis is malformed: written with another schema, or damaged."""
