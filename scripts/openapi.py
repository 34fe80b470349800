"""`python -m scripts.openapi`: generates reader/openapi.json from docs/openapi.yaml.

People edit the YAML; readers serve the JSON and need no YAML parser.
"""

import json
import sys

import yaml

from scripts.running import ROOT

SOURCE = ROOT / "docs" / "openapi.yaml"
SERVED = ROOT / "reader" / "openapi.json"


def rendered() -> str:
    """The JSON document."""
    return json.dumps(yaml.safe_load(SOURCE.read_text()), separators=(",", ":")) + "\n"


def main() -> int:
    """Write the file."""
    SERVED.write_text(rendered())
    return 0


if __name__ == "__main__":
    sys.exit(main())
