"""Header fields that every request to GitHub carries."""

# https://docs.github.com/rest/about-the-rest-api/api-versions
API_VERSION = "2022-11-28"
MEDIA_TYPE = "application/vnd.github+json"
# GitHub refuses requests without a User-Agent, and asks for one that names the application.
USER_AGENT = "api-read-cache"
