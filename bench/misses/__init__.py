"""`make bench-miss`: what a request for content that is not held costs, beside nginx and Varnish.

- `origin`, `small_bodies`, `large_list`: a stand-in GitHub that costs little CPU for a response;
- `load`: the clients;
- `caches`, `servers`: what is compared;
- `measure`: the rounds; `list_refreshes` keeps a large list being refreshed meanwhile;
- `figures`, `report`, `plot`: ratios, tables, plot.
"""
