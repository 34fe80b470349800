"""What is kept of GitHub's description is what the package of it gives, whose checksum is known.

npm's registry has the package (`@octokit/openapi`, MIT, 29 MB); without it these tests are skipped.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from scripts import public_shapes
from tests.fakegithub import make_openapi_examples, openapi_schemas
from tests.fakegithub.make_openapi_schemas import PACKAGE, VERSION, rendered
from tests.fakegithub.openapi_examples import operations
from tests.npm import IMPATIENT

SHA512 = "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
MEMBER = "package/generated/api.github.com.json"


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """GitHub's description, from the package."""
    folder = tmp_path_factory.mktemp("openapi")
    archive = downloaded(folder)
    digest = hashlib.sha512(archive.read_bytes()).digest()
    assert base64.b64encode(digest).decode() == SHA512
    with tarfile.open(archive) as package:
        member = package.extractfile(MEMBER)
        assert member
        found = json.load(member)
    shutil.rmtree(folder)
    return found


def downloaded(folder: Path) -> Path:
    """The package as npm gets it; skips the test if it cannot."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    command = ["npm", "pack", "--silent", *IMPATIENT, f"{PACKAGE}@{VERSION}"]
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    if ended.returncode:
        pytest.skip(f"npm could not get {PACKAGE}: {ended.stderr.strip()[:200]}")
    (archive,) = folder.glob("*.tgz")
    return archive


def test_the_schemas_are_those_of_the_package(description: Any) -> None:
    assert openapi_schemas.FILE.read_text(encoding="utf-8") == rendered(description)


def test_the_examples_are_those_of_the_package_mended(description: Any) -> None:
    text = make_openapi_examples.examples_text(description)
    assert make_openapi_examples.TARGET.read_text(encoding="utf-8") == text
    assert len(operations()) == len(text.splitlines()) - 3


def test_the_public_shapes_are_made_from_it(description: Any) -> None:
    text = public_shapes.rendered(public_shapes.public_shapes(description))
    assert public_shapes.WRITTEN.read_text(encoding="utf-8") == text
