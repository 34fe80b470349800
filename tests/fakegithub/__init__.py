"""A stand-in GitHub for tests and demonstrations: `python -m tests.fakegithub`.

An HTTP server that behaves as api.github.com does for public GETs: names in each spelling, numbers
for names, media types, API versions, ETags, `Link` paging, search, rate limits, tokens for GitHub
Apps, and what each credential sees beyond the public. Tests can order faults and scripted
mutations, and read counters. It imports nothing of the project's own packages, so a bug in them is
never mirrored here.

In a test: `with FakeGitHub(repos=5, anonymous_limit=1000) as github` (in a thread), or
`FakeGitHubProcess`; both are `client.Controls`, whose methods send the control requests:

- `fault(kind, path=REGEX, times=N, after=N, credentials=..., headers=...)`: a row of
  `faults.FAILURES` (limits, HTML, hangs, damage) or `faults.ANSWERS`: `accepted` (202),
  `too_large`, `blocked` (451), `saml`, `ip_allow_list`, `not_accessible` (403s of a credential, not
  of anonymous requests), `redirect`, `wrong_304`, `other_base`, `no_link`, `empty_list`,
  `short_list`, `headers`, `absurd_headers`, `absurd_pauses`; `status` is any other refusal.
  `credentials` is "authorised", "anonymous" or tokens; `times` is for ever by default. A list is
  lost for one reading with `times` of its number of pages.
- `mutate(kind, ...)` and `script(path, page, kind, ...)`: changes of the world (`mutations`), at
  once or after a page was served. `push` adds a commit. With `link_on_304`, `add_member` after a
  full last page makes a 304 whose `Link` has changed.
- `configure(...)`: every field of `config.Config`, such as `viewers`, `tokens`, `api_versions`,
  `codeload="self"` (archives come from this server as well), `redirects`, limits.
- `counters()`, `recent()`, `page_requests(path)`: what was requested, with headers' names.

Without these classes the same is JSON over HTTP below `/_control/` (`control.ACTIONS`).

Where things are: `routes` (paths of the world), `git_routes` and `git_objects` (files, commits,
branches; every repository has the same files), `issues`, `search`, `since_lists`,
`example_responses` (any other documented path, from GitHub's own examples, whose addresses lead to
the repository `octocat/Hello-World`); `viewers` and `forms` (who sees what), `media_types`,
`api_versions`, `rendering`. A GitHub Enterprise Server: `--enterprise 3.19.0`, or in tests
`prefix="/api/v3", public_base="self", enterprise_version="3.19.0"`.
"""
