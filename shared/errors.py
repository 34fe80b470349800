"""The errors that cross a module border, few and typed."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message is one line that names it."""


class UnknownSchemaError(Exception):
    """A value in Redis was written under a schema that this process does not read."""
