"""Who may request a documented operation, derived from GitHub's description.

The first of these rules that applies decides:

1. TABLE: operations whose rule is documented elsewhere, or follows from their nature.
2. OPEN: the description admits anyone, or anyone with read access.
3. The description asks for a JWT ("app"), for ownership ("owners"), for write access ("writers"),
   for membership ("members").
4. It speaks of the authenticated user, or asks for a scope without exception, or documents a 401
   ("caller").
5. In doubt, "anyone".
"""

import re
from collections.abc import Sequence
from typing import Final

from tests.fakegithub.viewers import Viewer
from tests.fakegithub.world import Repository

ANYONE: Final = "anyone"
REPO: Final = r"/repos/\{owner\}/\{repo\}"
ORG: Final = r"/orgs/\{org\}"
USER: Final = r"/users/\{username\}"
TABLE: Final = (
    # (who may request it, a regular expression for the whole template)
    ("anyone", rf"{USER}(/(followers|following|gists|keys|gpg_keys|starred|subscriptions|orgs))?"),
    ("anyone", rf"{USER}/(events|received_events)(/public)?"),
    ("anyone", rf"({REPO}|{ORG}|/networks/\{{owner\}}/\{{repo\}})?/events"),
    ("anyone", r"/search/(repositories|issues|commits|users|topics|labels)"),
    ("anyone", r"/(rate_limit|feeds|gists|gists/public|repositories|users|organizations)"),
    ("anyone", r"/gists/\{gist_id\}(/(comments|commits|forks|\{sha\}|comments/\{comment_id\}))?"),
    ("anyone", r"/(advisories|advisories/\{ghsa_id\}|apps/\{app_slug\})"),
    ("anyone", rf"{ORG}(/(repos|members|public_members))?"),
    ("anyone", rf"{REPO}(/(forks|tags|languages|license|readme.*|contents/.*|topics))?"),
    # An issue's parent may be in a private repository, and here it always is.
    ("members", rf"{REPO}/issues/\{{issue_number\}}/parent"),
    ("anyone", rf"{REPO}/(issues|pulls|commits|git|compare|comments|releases|labels)\b.*"),
    ("anyone", rf"{REPO}/(milestones|contributors|deployments|stats|assignees)\b.*"),
    ("anyone", rf"{REPO}/(check-runs|check-suites|statuses|stacks|rules)\b.*"),
    ("anyone", rf"{REPO}/(security-advisories(/\{{ghsa_id\}})?|rulesets/\{{ruleset_id\}})"),
    ("anyone", rf"{REPO}/(branches(/\{{branch\}})?|stargazers/count)"),
    # GitHub's changelog of 2026-06-30: shown to a repository's own people.
    ("writers", rf"{REPO}/(stargazers|subscribers)"),
    ("writers", rf"{REPO}/(traffic|collaborators|pages/health|import|code-quality)\b.*"),
    ("writers", rf"{REPO}/code-scanning/.*|/agents/repos/.*"),
    ("owners", rf"{REPO}/(branches/\{{branch\}}/protection|hooks|keys|autolinks|invitations)\b.*"),
    ("owners", rf"{REPO}/(rulesets/rule-suites|rulesets/.*/history|interaction-limits)\b.*"),
    ("caller", rf"{REPO}/(subscription|teams)|/search/code"),
    ("owners", rf"{USER}/settings/.*"),
    ("owners", rf"{ORG}/(insights|actions|blocks|dependabot|invitations|failed_invitations)\b.*"),
    ("owners", rf"{ORG}/(migrations|outside_collaborators|rulesets|interaction-limits)\b.*"),
    ("owners", rf"{ORG}/personal-access-token.*"),
    ("members", rf"{ORG}/(artifacts|attestations|security-managers|properties|teams|issues)\b.*"),
    ("members", r"/teams/.*"),
    ("owners", r"/enterprises/.*|/organizations/\{org\}/.*|/assignments/.*|/classrooms.*"),
    ("caller", r"/user(/(?!\{account_id\}).*)?|/notifications.*|/issues|/gists/starred"),
    ("caller", r"/agents/tasks.*|/installation/.*"),
    ("app", r"/app(/.*)?|/marketplace_listing/.*"),
)
OPEN: Final = re.compile(
    r"anyone with read access|(by|to) anyone|anyone can access|without authentication|"
    r"publicly available|endpoint with (a )?private repo|only public resources",
    re.IGNORECASE,
)
WORDS: Final = (
    ("app", re.compile(r"must use a \[?(JWT|JSON web token)", re.IGNORECASE)),
    (
        "owners",
        re.compile(
            r"organization owner|owner of the organization|enterprise owner|administrator|"
            r"admin(istration)?( read)? (access|permission)|`admin:|security manager|"
            r"must be (the|an) owner|owners can|`manage_",
            re.IGNORECASE,
        ),
    ),
    (
        "writers",
        re.compile(
            r"(push|write|maintain) (access|permission)|`security_events`|collaborator access|"
            r"`repo` scope to use this endpoint\.",
            re.IGNORECASE,
        ),
    ),
    ("members", re.compile(r"`?read:org`?|organization members?|member of the", re.IGNORECASE)),
    (
        "caller",
        re.compile(
            r"the authenticated user|current user|need the `[^`]*` scope|must be authenticated",
            re.IGNORECASE,
        ),
    ),
)


def access(template: str, description: str, statuses: Sequence[str]) -> str:
    """Who may request an operation, by its path, its description and its documented statuses."""
    known = next((who for who, pattern in TABLE if re.fullmatch(pattern, template)), None)
    if known or OPEN.search(description):
        return known or ANYONE
    said = next((who for who, pattern in WORDS if pattern.search(description)), None)
    return said or ("caller" if "401" in statuses else ANYONE)


def admitted(who: str, viewer: Viewer, repo: Repository | None) -> bool:
    """Whether a viewer belongs to the group `who`, for this repository if there is one."""
    match who:
        case "anyone":
            return True
        case "caller":
            return viewer.authenticated
        case "members":
            return viewer.insider
        case "writers":
            return viewer.may_push(repo.id) if repo else viewer.owns
        case "owners":
            return viewer.owns
    return False  # an App's JWT is no credential for reading
