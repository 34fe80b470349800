"""Fuzzing one target guided by coverage, with Atheris (LibFuzzer), in a process of its own.

python -m tests.fuzz.guided NAME [options of LibFuzzer] [folder of the corpus]
"""

import sys

import atheris

OURS = ["reader", "refresher", "shared", "requests", "werkzeug", "gunicorn", "urllib"]


def main() -> None:
    """Until LibFuzzer ends it."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=OURS):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - instrumented as it is imported

    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
