"""The errors that cross a module border, few and typed."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message is one line that names it."""


class UnreadableError(Exception):
    """A value in Redis is not what this process could have written: another schema, or damage."""
