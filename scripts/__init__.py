"""Scripts: run the whole system on one machine, generate files, and install test tools.

- `run`, `demo`: `make run` and `make demo`; `running`: finds such a run.
- `cache`: `make cache`, the command line on the Redis of such a run.
- `embedded_redis`: a Redis server for a machine without one.
- `openapi`, `operations_table`: generate reader/openapi.json and docs/github-operations.md.
- `public_shapes`, `public_shape_rules`, `public_shape_gaps`: generate the public shapes.
- `test_tools`, `debian`: install the programs that tests need.
"""
