"""The Helm chart is of this version, and its schema of these settings."""

import json
from functools import cache
from typing import Any

import yaml

from shared.settings import Settings
from shared.version import VERSION
from tests.shipping.environment import ROOT, SECRETS

CHART = ROOT / "deploy" / "helm"
EXAMPLE = ROOT / "deploy" / "kubernetes" / "secrets.example.yaml"


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)


@cache
def schema() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return read


def test_the_schema_names_every_setting_and_secrets_only_as_secrets() -> None:
    every = {name.upper() for name in Settings.model_fields}
    settings = set(schema()["definitions"]["settings"]["propertyNames"]["enum"])
    secrets = {
        name: set(one["properties"]["values"]["propertyNames"]["enum"])
        for name, one in schema()["properties"]["secrets"]["properties"].items()
    }
    assert settings == every - SECRETS - {"REDIS_URL", "PORT"}
    example = yaml.safe_load_all(EXAMPLE.read_text())
    assert secrets == {one["metadata"]["name"]: set(one["stringData"]) for one in example}
