"""Resources: the paths of GitHub that the cache can serve.

- `kinds`: the table of kinds, everything that differs between them.
- `resource`: a path with its query, and its kind.
- `resource_name`: how a path and a query are written, in one canonical way.
- `catalogue`: which resources the settings track, and which one a request names.
- `views`: the ranked views by name.
- `operations`: the decision for each of GitHub's operations, and the public shapes.
"""
