"""Makes sure that only public data is stored, whatever credential requested it.

- `access`: which credentials may request a resource, and whether a response is public.
- `response_reader`: reads a single response, so that only its public part is stored.
- `askers`: sets of credentials, and which of them see no more than the public.
- `parent_repository`: the repository whose visibility a resource shares.
- `privileges`: detects credentials that see more than public data.
"""
