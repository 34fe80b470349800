"""`gh api` as its users have it: `with_gh.py https://HOST TOKEN`; it adds `/api/v3` itself.

gh speaks only HTTPS. SSL_CERT_FILE names the authority of the server's certificate.
"""

import base64
import json
import os
import subprocess
import tempfile
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from scripts.debian import find
from tests.clients.scenarios.steps import Detail, Steps, arguments, listed, picked

url, token = arguments()
step = Steps()
GH = str(find("gh"))
HYSTRIX = "repos/Netflix/Hystrix"
folder = tempfile.TemporaryDirectory()
ENVIRONMENT = {
    **{name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE")},
    "GH_HOST": urlsplit(url).netloc,
    "GH_ENTERPRISE_TOKEN": token or "",
    "GH_CONFIG_DIR": folder.name,
    "HOME": folder.name,
    "GH_NO_UPDATE_NOTIFIER": "1",
    "GH_PROMPT_DISABLED": "1",
}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """`gh api ...`"""
    command = [GH, "api", *words]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def ask(*words: str, accept: str = "") -> str:
    """What `gh api ...` prints, for a media type of GitHub's if one is named."""
    header = ("-H", f"Accept: application/vnd.github.{accept}") if accept else ()
    ended = run(*words, *header)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


def get(*words: str) -> Any:
    """The JSON that `gh api ...` prints."""
    return json.loads(ask(*words))


def paged(path: str, key: str) -> Detail:
    """What is under a key in the items of all pages, with the client's own paging."""
    found = ask(path, "--paginate", "--jq", f".[].{key}").split()
    return {"count": len(found), "first": found[0], "last": found[-1]}


def headers(*words: str) -> dict[str, str]:
    """The head of a response, names in lower case; the status line as `status`."""
    lines = run("--include", *words).stdout.splitlines()
    fields = (line.partition(": ") for line in lines[1 : lines.index("")])
    return {"status": lines[0], **{name.lower(): value for name, _, value in fields}}


def refusal(*words: str) -> Detail:
    """How gh says that a request failed: `gh: Not Found (HTTP 404)`."""
    ended = run(*words)
    assert ended.returncode == 1, ended.stdout
    said, _, status = ended.stderr.strip().removeprefix("gh: ").rpartition(" (HTTP ")
    return {"message": said, "status": int(status[:3])}


@cache
def hystrix() -> Any:
    return get(HYSTRIX)


step.add("organisation", lambda: picked(get("orgs/Netflix"), "login", "id", "url", "repos_url"))
step.add("members", lambda: paged("orgs/Netflix/members?per_page=20", "login"))
step.add("repositories", lambda: paged("orgs/Netflix/repos", "full_name"))
step.add("repositories_by_page", lambda: paged("orgs/Netflix/repos?per_page=100", "id"))
step.add("repository", lambda: picked(hystrix(), "id", "default_branch", "url", "contents_url"))
step.add("repository_by_id", lambda: picked(get(f"repositories/{hystrix()['id']}"), "full_name"))
step.add("issues", lambda: paged(f"{HYSTRIX}/issues?per_page=10", "number"))


@step
def issue() -> Detail:
    number = get(f"{HYSTRIX}/issues")[0]["number"]
    comments = [comment["id"] for comment in get(f"{HYSTRIX}/issues/{number}/comments")]
    return {"comments": comments, **picked(get(f"{HYSTRIX}/issues/{number}"), "title", "url")}


step.add("releases", lambda: listed(get(f"{HYSTRIX}/releases"), "tag_name", "url"))


@step
def latest_release() -> Detail:
    release = get(f"{HYSTRIX}/releases/latest")
    same = get(f"{HYSTRIX}/releases/tags/{release['tag_name']}")
    assets = [asset["name"] for asset in get(f"{HYSTRIX}/releases/{release['id']}/assets")]
    return {"same": same == release, "assets": assets}


step.add("tags", lambda: listed(get(f"{HYSTRIX}/tags"), "name", "zipball_url"))
step.add("branches", lambda: listed(get(f"{HYSTRIX}/branches"), "name"))


@step
def branch_with_a_slash() -> Detail:
    branch = get(f"{HYSTRIX}/branches/feature/login")
    encoded = get(f"{HYSTRIX}/branches/feature%2Flogin")
    return {"same": branch == encoded, **picked(branch["commit"], "sha", "url")}


step.add(
    "ref_with_a_slash", lambda: picked(get(f"{HYSTRIX}/git/ref/heads/feature/login"), "ref", "url")
)
step.add(
    "contributors", lambda: listed(get(f"{HYSTRIX}/contributors"), "login", "contributions", "url")
)
step.add("commits", lambda: listed(get(f"{HYSTRIX}/commits"), "sha", "url"))


@step
def commit() -> Detail:
    path = f"{HYSTRIX}/commits/feature/login"
    diff, sha = ask(path, accept="diff"), ask(path, accept="sha")
    return {"diff": diff, "is": sha, **picked(get(path), "sha", "url")}


@step
def comparison() -> Detail:
    path = f"{HYSTRIX}/compare/{hystrix()['default_branch']}...feature/login"
    commits = [one["sha"] for one in get(path)["commits"]]
    return {"diff": ask(path, accept="diff"), "commits": commits}


step.add("contents", lambda: listed(get(f"{HYSTRIX}/contents/"), "name", "url"))


@step
def file() -> Detail:
    found = get(f"{HYSTRIX}/contents/docs/index.md")
    text = base64.b64decode(found["content"]).decode()
    return {"text": text, **picked(found, "path", "url", "git_url")}


step.add("raw_file", lambda: {"text": ask(f"{HYSTRIX}/contents/docs/index.md", accept="raw+json")})


@step
def readme() -> Detail:
    decoded = base64.b64decode(get(f"{HYSTRIX}/readme")["content"]).decode()
    return {"raw": ask(f"{HYSTRIX}/readme", accept="raw"), "decoded": decoded}


step.add("languages", lambda: dict(get("repos/Netflix/eureka/languages")))
step.add("topics", lambda: dict(get(f"{HYSTRIX}/topics")))


@step
def user() -> Detail:
    login = get("orgs/Netflix/members?per_page=1")[0]["login"]
    one = get(f"users/{login}")
    repos = [repo["full_name"] for repo in get(f"users/{login}/repos")]
    return {"same": get(f"user/{one['id']}") == one, "repos": repos}


@step
def search_repositories() -> Detail:
    found = get("-X", "GET", "search/repositories", "-f", "q=hystrix")
    return {"total": found["total_count"], **picked(found["items"][0], "full_name", "url")}


@step
def search_issues() -> Detail:
    found = get("-X", "GET", "search/issues", "-f", "q=Hystrix")
    return {"total": found["total_count"], **picked(found["items"][0], "number", "url")}


step.add(
    "workflows", lambda: listed(get(f"{HYSTRIX}/actions/workflows")["workflows"], "name", "url")
)
step.add("emojis", lambda: {"names": sorted(get("emojis"))[:3]})


@step
def walk() -> Detail:
    """From object to object, by nothing except the addresses in bodies."""
    org = get(get("/")["organization_url"].replace("{org}", "Netflix"))
    words = ("--paginate", "--jq", '.[] | select(.name == "Hystrix") | .url')
    repo = get(ask(org["repos_url"], *words).strip())
    first = get(repo["issues_url"].replace("{/number}", ""))[0]
    branch = get(repo["branches_url"].replace("{/branch}", "/feature/login"))
    tree = get(get(branch["commit"]["url"])["commit"]["tree"]["url"])
    entries = [entry["path"] for entry in tree["tree"]]
    author = get(first["user"]["url"])["name"]
    return {"author": author, "subscribers": repo["subscribers_count"], "entries": entries}


@step
def rate_limit() -> Detail:
    core = get("rate_limit")["resources"]["core"]
    noted = headers("orgs/Netflix")["x-ratelimit-remaining"]
    return {"some": core["remaining"] >= 1, "noted": int(noted) >= 1}


@step
def not_modified() -> Detail:
    etag = headers("orgs/Netflix")["etag"]
    again = headers("orgs/Netflix", "-H", f"If-None-Match: {etag}")
    return {"status": again["status"].split()[1]}


step.add("missing_repository", lambda: refusal("repos/Netflix/nothing"))
step.add("missing_user", lambda: refusal("users/nobody-of-that-name"))
step.add("missing_file", lambda: refusal(f"{HYSTRIX}/contents/docs/nothing.md"))
step.add("refused_caller", lambda: refusal("user"))
step.add("refused_path", lambda: refusal(f"{HYSTRIX}/collaborators"))
step.add("refused_write", lambda: refusal(f"{HYSTRIX}/issues", "-f", "title=Not here"))
step.add("refused_graphql", lambda: refusal("graphql", "-f", "query={viewer{login}}"))

if __name__ == "__main__":
    with folder:
        step.run()
