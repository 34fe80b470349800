"""GitHub's side of a request: its viewer, its cost, its response.

`GitHub` holds all state of the server. `decide` chooses a response, `to_http` adds GitHub's
headers, ETag and encoding.
"""

import itertools
import json
import re
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakegithub import (
    api_responses,
    api_versions,
    apps,
    distortions,
    etag,
    file_hosts,
    headers,
    hook_requests,
    limits,
    media_types,
    mutations,
    paging,
)
from tests.fakegithub.absurd_headers import absurd_headers
from tests.fakegithub.api_responses import ApiResponse, Paged
from tests.fakegithub.apps import App, Refused
from tests.fakegithub.bodies import public_user
from tests.fakegithub.config import CORE, Config, ResourceClass
from tests.fakegithub.counters import Counters
from tests.fakegithub.delivery_log import KEPT_S
from tests.fakegithub.faults import Fault, Faults
from tests.fakegithub.file_hosts import OWN_ADDRESS
from tests.fakegithub.hook_requests import HookRequest
from tests.fakegithub.hooks import Hooks
from tests.fakegithub.http_messages import (
    NO_BODY,
    HttpResponse,
    Request,
    allows_gzip,
    compact_json,
    gzipped,
    pretty_json,
)
from tests.fakegithub.installations import Installations
from tests.fakegithub.limits import Limits, Standing
from tests.fakegithub.media_types import MediaType
from tests.fakegithub.rendering import Form, Renderer
from tests.fakegithub.replicas import Replicas
from tests.fakegithub.scripts import Scripts
from tests.fakegithub.viewers import ANONYMOUS_VIEWER, Viewer
from tests.fakegithub.world import World

OTHER_RESOURCES = {
    "graphql": 5000, "integration_manifest": 5000, "source_import": 100,
    "code_scanning_upload": 1000, "actions_runner_registration": 10000, "scim": 15000,
    "dependency_snapshots": 100,
}  # fmt: skip


@dataclass
class GitHub:
    """The state of a server.

    public_base: begins the addresses in bodies; OWN_ADDRESS is the one that the client used.
    prefix: comes before every path.
    """

    world: World
    config: Config = field(default_factory=Config)
    public_base: str = "https://api.github.com"
    prefix: str = ""
    limits: Limits = field(default_factory=Limits)
    faults: Faults = field(default_factory=Faults)
    scripts: Scripts = field(default_factory=Scripts)
    installations: Installations = field(default_factory=Installations)
    counters: Counters = field(default_factory=Counters)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.renderer = Renderer(self.world)
        self.replicas = Replicas(self.world)
        self.hooks = Hooks(clock=lambda: self.clock(time.time()))

    def mutate(self, mutation: dict[str, Any], *, now: float) -> dict[str, Any]:
        """Change the world, and tell of it; ValueError says what is wrong with the mutation."""
        self.replicas.before_change(self.config.lag, now=self.clock(now))
        touched = mutations.apply(self.world, mutation)
        self.hooks.changed(self.config.hook, mutation, touched)
        return touched

    def token(self, request: Request) -> str | None:
        """The request's token: x in `Bearer x` or `token x`, else the whole field."""
        value = request.headers.get("authorization")
        if not value:
            return None
        scheme, _, token = value.partition(" ")
        return token.strip() if scheme.lower() in ("bearer", "token") else value

    def credential(self, request: Request, *, now: float) -> str:
        """The credential whose budget pays for a request; an invalid token counts as none."""
        if self.is_by_app(request):
            app = self.signer(request, now=now)
            return limits.ANONYMOUS if isinstance(app, Refused) else limits.app_credential(app)
        token = self.token(request)
        if not token or not self.is_valid(token, now=now):
            return limits.ANONYMOUS
        issued = self.installations.of(token)
        return limits.credential_of(token) if issued is None else issued.credential

    def is_valid(self, token: str, *, now: float) -> bool:
        """Whether a token is valid and not revoked.

        A valid token is one of those configured (any, by default), or an installation's that has
        not expired.
        """
        if token in self.config.revoked:
            return False
        if issued := self.installations.of(token):
            known = {app.installation_id for app in self.config.apps}
            return issued.installation_id in known and self.clock(now) < issued.expires_at
        return self.config.tokens is None or token in self.config.tokens

    def viewer(self, request: Request) -> Viewer:
        """The viewer of a request whose credential is valid or missing."""
        token = self.token(request)
        if not token or self.is_by_app(request):
            return ANONYMOUS_VIEWER
        issued = self.installations.of(token)
        if issued is None:
            return self.config.viewer(token)
        known = (app for app in self.config.apps if app.installation_id == issued.installation_id)
        app = next(known, None)
        return Viewer(app.role, "installation", "") if app else ANONYMOUS_VIEWER

    def is_by_app(self, request: Request) -> bool:
        """Whether a request is an App's own, with a JWT: for a token, or about its webhook."""
        hook = hook_requests.asked(request) if self.has_hook("app") else None
        return apps.requested_installation(request) is not None or (
            hook is not None and hook.org is None
        )

    def has_hook(self, of: str) -> bool:
        """Whether there is a webhook of an organisation or of an App."""
        return bool(self.config.hook.url) and self.config.hook.of == of

    def signer(self, request: Request, *, now: float) -> App | Refused:
        """The GitHub App that sends a request of its own."""
        return apps.signer(request, self.config.apps, now=self.clock(now))

    def clock(self, now: float) -> float:
        """The time by this server's skewed clock."""
        return now + self.config.clock_skew

    def decide(
        self, request: Request, *, concurrent: int, fault: Fault | None, now: float
    ) -> ApiResponse:
        """The response to a request: a fault's or a refusal, else the world's."""
        if not request.headers.get("user-agent"):
            return api_responses.no_user_agent()
        credential = self.credential(request, now=now)
        if fault and (
            given := distortions.replacement(fault, credential=credential, peer=request.peer)
        ):
            return given
        token = self.token(request)
        if token and not self.is_by_app(request) and not self.is_valid(token, now=now):
            return api_responses.bad_credentials()
        config = self.config
        if config.private_mode and not token:
            return api_responses.error(401, "Must authenticate to access this API.")
        if concurrent > config.max_concurrent or self.limits.over_points(
            credential, config=config, now=now
        ):
            return api_responses.secondary_limit(403, config.retry_after)
        response = self.unsupported(request) or self.find(request, now=now, fault=fault)
        return distortions.distorted(fault, response) if fault else response

    def find(self, request: Request, *, now: float, fault: Fault | None) -> ApiResponse:
        """The response to a request that is within its limits."""
        here = self.own_address(request)
        if to := self.config.redirect(request.target):
            status, url = to
            return api_responses.moved(status, here + url if url.startswith("/") else url)
        if (installation := apps.requested_installation(request)) is not None:
            return self.installation_token(request, installation, now=now)
        if about := self.about_hook(request, now=now):
            return about
        if request.method not in ("GET", "HEAD"):
            options = ApiResponse(204, metered=False, headers={**headers.PREFLIGHT})
            return options if request.method == "OPTIONS" else api_responses.not_found()
        return self.read(request, now=now, fault=fault)

    def installation_token(self, request: Request, installation: int, *, now: float) -> ApiResponse:
        """A new token of an App's installation; it has all permissions, whatever the body says."""
        caller = self.signer(request, now=now)
        if isinstance(caller, Refused):
            return api_responses.error(401, caller.reason)
        own = [app for app in self.config.apps if app.is_called(caller.app_id)]
        app = next((app for app in own if app.installation_id == installation), None)
        if app is None:
            return api_responses.not_found()
        try:
            json.loads(request.body or b"{}")
        except ValueError:
            return api_responses.error(400, "Problems parsing JSON")
        self.counters.add(installation_tokens=1)
        issued = self.installations.issue(app, now=self.clock(now))
        return api_responses.installation_token(issued.as_json())

    def about_hook(self, request: Request, *, now: float) -> ApiResponse | None:
        """The response to a request about the webhook; None for any other request."""
        hook, about = self.config.hook, hook_requests.asked(request)
        if about is None or not self.has_hook("app" if about.org is None else "org"):
            return None
        if refusal := self.hook_refusal(request, about, now=now):
            return refusal
        known = self.hooks.log.newest_first(about.org, since=self.clock(now) - KEPT_S)
        if about.delivery is not None:
            attempt = hook_requests.found(known, about.delivery)
            if attempt is not None:
                self.hooks.redeliver(hook, attempt)
            return hook_requests.answer(attempt)
        if about.what == "deliveries":
            return hook_requests.page(request, known, url=self.own_address(request) + request.path)
        return hook_requests.shown(about, hook.id, hook.url)

    def hook_refusal(
        self, request: Request, about: HookRequest, *, now: float
    ) -> ApiResponse | None:
        """The response to whoever may not see the webhook; None for who may."""
        if about.org is None:
            caller = self.signer(request, now=now)
            return api_responses.error(401, caller.reason) if isinstance(caller, Refused) else None
        is_seen = self.may_see_hooks(about.org, request)
        is_there = about.hook in (None, self.config.hook.id)
        return None if is_seen and is_there else api_responses.not_found()

    def may_see_hooks(self, org: str, request: Request) -> bool:
        """Whether a token sees the webhooks of an organisation."""
        viewer = self.viewer(request)
        scoped = viewer.kind != "classic" or hook_requests.SCOPE in viewer.scope_list
        return viewer.owns and scoped and self.world.account(org, "Organization") is not None

    def read(self, request: Request, *, now: float, fault: Fault | None) -> ApiResponse:
        """The response to a GET or HEAD."""
        form, config = self.form(request), self.config
        match request.path.split("/"):
            case ["", "rate_limit"]:
                return self.rate_limit(request, now=now)
            case ["", "user"]:
                return self.current_user(form)
            case ["", "versions"]:
                return ApiResponse(200, compact_json(list(config.api_versions)), validated=True)
        if file := file_hosts.respond(self.world, request.path, dict(request.query)):
            return file
        root = form.here.removesuffix(self.prefix)  # such hosts are not below the API
        places = file_hosts.places(root, config.codeload, config.assets)
        shown = self.replicas.renderer(config.lag, self.renderer, now=self.clock(now))
        found = shown.respond(request, form, places, fault)
        if config.members_redirect and re.fullmatch("/orgs/[^/]+/members", request.path):
            target = request.target.replace("/members", "/public_members", 1)
            return api_responses.moved(302, form.here + target) if found.status == 200 else found
        return found

    def own_address(self, request: Request) -> str:
        """Scheme, host and prefix by which the client reached this server."""
        return f"http://{request.headers.get('host', 'localhost')}{self.prefix}"

    def form(self, request: Request) -> Form:
        """The form of the response that a request selects."""
        media = media_types.selected(request.headers.get("accept")) or MediaType()
        version = self.version(request)
        here = self.own_address(request)
        base = here if self.public_base == OWN_ADDRESS else self.public_base
        return Form(self.viewer(request), media, version, base, here)

    def version(self, request: Request) -> str:
        """The API version that a request selects; the older one if it names none."""
        return request.headers.get("x-github-api-version") or api_versions.OLDER

    def unsupported(self, request: Request) -> ApiResponse | None:
        """The refusal of a version or of all media types that a request names."""
        version, known = self.version(request), self.config.api_versions
        if version not in known:
            return ApiResponse(400, compact_json(api_versions.unsupported(version, known)))
        accept = request.headers.get("accept")
        if media_types.selected(accept) is None:
            return api_responses.error(415, *media_types.unsupported(accept or ""))
        return None

    def current_user(self, form: Form) -> ApiResponse:
        """`/user`: the token's user; by default the first member of the first organisation."""
        viewer = form.viewer
        if not viewer.authenticated:
            return api_responses.error(401, "Requires authentication")
        with self.world.lock:
            accounts = list(self.world.accounts.values())
            first = next((a for a in accounts if a.kind == "User"), accounts[0])
            user = self.world.account(viewer.login or "", "User") or first
            itself = replace(form, viewer=replace(viewer, login=user.login))
            body = itself.json(public_user(form.base, user))
            return ApiResponse(200, body, validated=True, last_modified=user.updated_at)

    def rate_limit(self, request: Request, *, now: float) -> ApiResponse:
        """`/rate_limit`, free of charge (schema `rate-limit-overview`)."""
        if not self.config.rate_limiting:
            return api_responses.error(404, "Rate limiting is not enabled.")
        counted = {
            one.name: self.standing(request, one, cost=0, now=now).as_json()
            for one in (CORE, *self.config.classes)
        }
        core = counted[CORE.name]
        others = {
            name: {"limit": limit, "used": 0, "remaining": limit, "reset": core["reset"]}
            for name, limit in OTHER_RESOURCES.items()
        }
        body = {"resources": {CORE.name: core, **others, **counted}, "rate": core}
        return ApiResponse(200, self.form(request).json(body), metered=False)

    def standing(
        self, request: Request, resource: ResourceClass, *, cost: int, now: float
    ) -> Standing:
        """Charge a request; return what is left, by the server's skewed clock."""
        left = self.limits.charge(
            self.credential(request, now=now), cost, config=self.config, now=now, resource=resource
        )
        return replace(left, reset=left.reset + round(self.config.clock_skew))

    def to_http(
        self, request: Request, response: ApiResponse, *, fault: Fault | None, now: float
    ) -> tuple[HttpResponse, int]:
        """The response with its headers and encoding, and the points it cost."""
        credential = self.credential(request, now=now)
        authorised = credential != limits.ANONYMOUS
        viewer = self.viewer(request) if authorised else ANONYMOUS_VIEWER
        tag = etag.weak_etag(request.headers, response.body) if response.validated else None
        named = request.headers.get("if-none-match")
        stuck = named if fault and fault.kind == "wrong_304" and tag else None
        tag = stuck or tag
        fresh = tag is not None and response.conditional and etag.matches(named, tag)
        # A 304 to an authorised request is free (docs.github.com, "Conditional requests").
        cost = 1 if response.metered and not (fresh and authorised) else 0
        left: Standing | None = None
        if self.config.rate_limiting and response.limited:
            resource = self.config.resource_class(request.path)
            left = self.standing(request, resource, cost=cost, now=now)
            if left.exhausted and response.metered:
                response = api_responses.rate_limited(credential, request.peer)
                tag, fresh, cost = None, False, 0
            if response.left is not None:
                reset = int(self.clock(now) + response.left)
                left = replace(left, used=left.limit, reset=reset)
        number = next(self.numbers)
        fields = headers.common_headers(self.clock(now), number)
        if self.config.enterprise_version:
            fields["X-GitHub-Enterprise-Version"] = self.config.enterprise_version
        if response.limited:
            form = self.form(request)
            fields |= headers.media_headers(form.media, form.version)
            fields |= headers.scope_headers(viewer)
        if tag:
            fields |= headers.caching_headers(
                tag, authorised=authorised, last_modified=response.last_modified
            )
        if response.paged and (not fresh or self.config.link_on_304):
            fields |= self.link(request, response.paged, fault)
        if left:
            fields |= headers.rate_headers(left)
        status = 304 if fresh else response.status
        body = b"" if status in NO_BODY else self.encoded(request, response, fields)
        ordered = {**(fault.headers if fault else {}), **absurd_headers(fault, number)}
        for name, value in {**response.headers, **ordered}.items():
            fields.pop(name, None)
            if value is not None:
                fields[name] = value
        return HttpResponse(status, fields, body), cost

    def encoded(self, request: Request, response: ApiResponse, fields: dict[str, str]) -> bytes:
        """The body in this client's encoding; sets Content-Type and Content-Encoding."""
        fields["Content-Type"] = response.content_type
        body = response.body
        # Garbage can't be pretty-printed; it is among the responses that are never conditional.
        well_formed = response.content_type == api_responses.JSON_TYPE and response.conditional
        if well_formed and request.headers.get("user-agent", "").startswith("curl/"):
            body = pretty_json(body)
        if body and allows_gzip(request.headers.get("accept-encoding", "")):
            fields["Content-Encoding"] = "gzip"
            body = gzipped(body)
        return body

    def link(self, request: Request, paged: Paged, fault: Fault | None) -> dict[str, str]:
        """The `Link` header of a page, if it has one."""
        query, page = request.query, paged.page
        url = self.own_address(request) + paging.encoded(paged.path)
        link = paging.link_header(url, query, page=page, total=paged.total)
        if fault:
            first = paging.page_url(url, query, 1)
            path = paging.page_url(paging.encoded(paged.path), query, page.number + 1)
            link = distortions.spoilt_link(fault, link, first=first, path=path)
        return {"Link": link} if link else {}
