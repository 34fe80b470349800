"""GitHub's JSON objects of the world, in GitHub's order of keys.

The shapes are those of GitHub's OpenAPI description (`@octokit/openapi` 23.0.2) and of recorded
responses (`@octokit/fixtures` 23.1.2). `base` begins the URLs in bodies: GitHub's address,
not this server's. Objects are made as an anonymous client sees them; `forms` adds what others see.
"""

from base64 import b64encode
from typing import Any, Final, TypeAlias

from tests.fakegithub import sample_data
from tests.fakegithub.world import Account

JsonObject: TypeAlias = dict[str, Any]

SITE: Final = "https://github.com"
ROOT_PATHS: Final = {
    "current_user_url": "/user",
    "current_user_authorizations_html_url": None,  # on the site, not on the API
    "authorizations_url": "/authorizations",
    "code_search_url": "/search/code?q={query}{&page,per_page,sort,order}",
    "commit_search_url": "/search/commits?q={query}{&page,per_page,sort,order}",
    "emails_url": "/user/emails",
    "emojis_url": "/emojis",
    "events_url": "/events",
    "feeds_url": "/feeds",
    "followers_url": "/user/followers",
    "following_url": "/user/following{/target}",
    "gists_url": "/gists{/gist_id}",
    "hub_url": "/hub",
    "issue_search_url": "/search/issues?q={query}{&page,per_page,sort,order}",
    "issues_url": "/issues",
    "keys_url": "/user/keys",
    "label_search_url": "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
    "notifications_url": "/notifications",
    "organization_url": "/orgs/{org}",
    "organization_repositories_url": "/orgs/{org}/repos{?type,page,per_page,sort}",
    "organization_teams_url": "/orgs/{org}/teams",
    "public_gists_url": "/gists/public",
    "rate_limit_url": "/rate_limit",
    "repository_url": "/repos/{owner}/{repo}",
    "repository_search_url": "/search/repositories?q={query}{&page,per_page,sort,order}",
    "current_user_repositories_url": "/user/repos{?type,page,per_page,sort}",
    "starred_url": "/user/starred{/owner}{/repo}",
    "starred_gists_url": "/gists/starred",
    "topic_search_url": "/search/topics?q={query}{&page,per_page}",
    "user_url": "/users/{user}",
    "user_organizations_url": "/user/orgs",
    "user_repositories_url": "/users/{user}/repos{?type,page,per_page,sort}",
    "user_search_url": "/search/users?q={query}{&page,per_page,sort,order}",
}
REPO_PATHS: Final = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


def node_id(kind: str, number: int) -> str:
    """GitHub's older global id: base64 of the kind's length, the kind and the number."""
    return b64encode(f"0{len(kind)}:{kind}{number}".encode()).decode()


def root(base: str) -> JsonObject:
    """`GET /` (schema `root`)."""
    site = f"{SITE}/settings/connections/applications{{/client_id}}"
    return {key: site if path is None else base + path for key, path in ROOT_PATHS.items()}


def simple_user(base: str, account: Account) -> JsonObject:
    """A user in a list, or the owner of something (schema `simple-user`)."""
    url = f"{base}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id(account.kind, account.id),
        "avatar_url": f"https://avatars.githubusercontent.com/u/{account.id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{SITE}/{account.login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": account.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def public_user(base: str, account: Account) -> JsonObject:
    """`GET /users/{login}` (schema `public-user`); organisations have one too."""
    return simple_user(base, account) | {
        "name": account.name,
        "company": account.company or None,
        "blog": account.blog,
        "location": account.location or None,
        "email": account.email or None,
        "hireable": None,
        "bio": account.description,
        "twitter_username": account.twitter_username,
        "public_repos": len(account.public_repos()),
        "public_gists": account.public_gists,
        "followers": account.followers,
        "following": account.following,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    }


def organization_simple(base: str, org: Account) -> JsonObject:
    """An organisation in a list (schema `organization-simple`)."""
    url = f"{base}/orgs/{org.login}"
    return {
        "login": org.login,
        "id": org.id,
        "node_id": node_id(org.kind, org.id),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{org.id}?v=4",
        "description": org.description,
    }


def organization_full(base: str, org: Account) -> JsonObject:
    """`GET /orgs/{org}` as everybody sees it (schema `organization-full`)."""
    return organization_simple(base, org) | {
        "name": org.name,
        "company": org.company,
        "blog": org.blog,
        "location": org.location,
        "email": org.email,
        "twitter_username": org.twitter_username,
        "is_verified": True,
        "has_organization_projects": True,
        "has_repository_projects": True,
        "public_repos": len(org.public_repos()),
        "public_gists": org.public_gists,
        "followers": org.followers,
        "following": org.following,
        "html_url": f"{SITE}/{org.login}",
        "created_at": org.created_at,
        "updated_at": org.updated_at,
        "archived_at": None,
        "type": org.kind,
    }


def license_simple(base: str, key: str | None) -> JsonObject | None:
    """A repository's licence (schema `nullable-license-simple`)."""
    if key is None:
        return None
    name, spdx = sample_data.LICENSES[key]
    url = None if key == "other" else f"{base}/licenses/{key}"
    return {
        "key": key,
        "name": name,
        "spdx_id": spdx,
        "url": url,
        "node_id": node_id("License", sum(key.encode())),
    }
