"""GitHub's clients as people have them, unmodified, with a reader as their base URL."""

import pytest

pytest.register_assert_rewrite("tests.clients.claims", "tests.clients.scenarios.run")
