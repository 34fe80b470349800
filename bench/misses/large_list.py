"""The stand-in GitHub's organisation: a large list that changes, with its pages made in advance.

A page is made again only when one of its items changes, so that the list costs the stand-in as
little CPU as a cache would spend on it: the small objects of the same process are what is timed.
"""

from urllib.parse import parse_qsl, urlsplit

from bench.misses.small_bodies import PUBLIC_BASE
from bench.workloads import ORG
from tests.fakegithub.bodies import organization_full, root, simple_user
from tests.fakegithub.http_messages import compact_json
from tests.fakegithub.paging import link_header, requested_page
from tests.fakegithub.repo_bodies import minimal_repository
from tests.fakegithub.world_factory import WorldOptions, create_world

PER_PAGE = 100
_STEP = 37  # from one changed item to the next; prime, so that all pages take part


class Organisation:
    """One organisation with its repositories and its single member.

    Args:
        repositories: number of them.
    """

    def __init__(self, repositories: int) -> None:
        world = create_world(WorldOptions((ORG,), repos=repositories, members=1))
        account = world.account(ORG, "Organization")
        assert account is not None
        self._account = account
        self._pages: dict[int, bytes] = {}
        self._changes = 0
        members = compact_json([simple_user(PUBLIC_BASE, one) for one in account.members])
        self._single = {
            "/": compact_json(root(PUBLIC_BASE)),
            f"/orgs/{ORG}": compact_json(organization_full(PUBLIC_BASE, account)),
            f"/orgs/{ORG}/members": members,
            f"/orgs/{ORG}/public_members": members,
        }
        self._lists = {f"/orgs/{ORG}/repos", f"/organizations/{account.id}/repos"}
        for number in range(1, len(account.repos) // PER_PAGE + 2):
            self._page(number)

    def is_list(self, target: str) -> bool:
        """Whether a target is a page of the large list."""
        return target.partition("?")[0] in self._lists

    def change(self) -> None:
        """Give a star to another repository."""
        self._changes += 1
        at = self._changes * _STEP % len(self._account.repos)
        self._account.repos[at].stars += 1
        self._pages.pop(at // PER_PAGE + 1, None)
        self._page(at // PER_PAGE + 1)

    def response(self, target: str, base: str) -> tuple[bytes, str | None] | None:
        """Body and `Link` of a target's response; None if there is no such resource.

        Args:
            target: of the request, with its query.
            base: URL of this server, for `Link`.
        """
        if self.is_list(target):
            parts = urlsplit(target)
            query = parse_qsl(parts.query)
            page = requested_page([*query, ("per_page", str(PER_PAGE))])
            url = f"{base}/organizations/{self._account.id}/repos"
            link = link_header(url, query, page=page, total=len(self._account.repos))
            return self._page(page.number), link
        body = self._single.get(target.partition("?")[0])
        return None if body is None else (body, None)

    def _page(self, number: int) -> bytes:
        if number not in self._pages:
            repositories = self._account.repos[(number - 1) * PER_PAGE : number * PER_PAGE]
            items = [minimal_repository(PUBLIC_BASE, one) for one in repositories]
            self._pages[number] = compact_json(items)
        return self._pages[number]
