"""Clocks that processes are started with: wrong ones, and ones that jump."""

from pathlib import Path

_SHIFT = Path(__file__).with_name("wrong_clock")


class WrongClock:
    """The clock of the processes that are started with its `settings`.

    They need an interpreter each (`Fleet.interpreters`): Python reads the settings at its start.

    Args:
        file: holds its error.
        error: seconds that it is ahead.
    """

    def __init__(self, file: Path, error: float) -> None:
        self._file = file
        self.settings = {"PYTHONPATH": str(_SHIFT), "CLOCK_ERROR": str(file)}
        self.set(error)

    def set(self, error: float) -> None:
        """Let it jump."""
        new = self._file.with_name(f"{self._file.name}.new")
        new.write_text(str(error))
        new.replace(self._file)
