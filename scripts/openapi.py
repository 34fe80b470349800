"""`python -m scripts.openapi`: makes reader/openapi.json of docs/openapi.yaml.

People write and read the one, readers serve the other, and need no YAML for it.
"""

import json
import sys

import yaml

from scripts.running import ROOT

SOURCE = ROOT / "docs" / "openapi.yaml"
SERVED = ROOT / "reader" / "openapi.json"


def rendered() -> str:
    """What readers serve."""
    return json.dumps(yaml.safe_load(SOURCE.read_text()), separators=(",", ":")) + "\n"


def main() -> int:
    """Write it."""
    SERVED.write_text(rendered())
    return 0


if __name__ == "__main__":
    sys.exit(main())
