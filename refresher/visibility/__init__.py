"""Makes sure that only public data is stored, whatever credential requested it.

- `response_reader`: reads a single response, so that only its public part is stored.
- `askers`: which credentials may request a resource.
- `parent_repository`: the repository whose visibility a resource shares.
- `privileges`: detects credentials that see more than public data.
"""
