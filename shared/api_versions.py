"""The versions of GitHub's REST API that can be requested.

https://docs.github.com/rest/about-the-rest-api/api-versions
"""

HEADER = "X-GitHub-Api-Version"
# What GitHub sends to a client that names no version.
UNNAMED = "2022-11-28"
# The newest first.
SUPPORTED = ("2026-03-10", UNNAMED)
