"""Requests to GitHub: the client, conditional requests, rate limits.

- `client`: the HTTP client; every request goes through it.
- `transport`: the connections of a process, shared by its threads.
- `bounded_connection`: connections whose whole exchange ends at a deadline.
- `request_headers`: header fields that every request carries.
- `question`: the request that a resource needs, by the table of decisions.
- `conditional`: validators, and GitHub's rule for ETags.
- `response`, `body`: a response that was read completely, within limits.
- `response_decision`: what a response means: content, an error about the resource, a limit, a
  failure; `response_outcomes` has the types.
- `addresses`: which URLs are the API's own, or those of archives.
- `refusal_words`: recognises answers that refuse one credential.
- `exchange`: a request with its response, for counting.
- `rate_limiter`: the interface: reserve before a request, settle with its response.
- `budget`, `budget_scripts`: the fleet's rate limiter in Redis, and its Lua scripts.
- `settlements`: settles reservations, without a refresh waiting for it.
- `turns`: threads that wait for permission to send, first come, first served.
- `rate_limit_headers`: GitHub's rate-limit header fields; only this module parses them.
- `rate_limit_class`: which rate limit a path counts against.
- `private_mode`: whether an enterprise server shows anything without a credential.
- `auth`: the credentials.
"""
