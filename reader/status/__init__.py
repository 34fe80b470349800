"""The operator's status page: the state of the cache, its failures and the next refreshes.

    fleet.Fleet ─> diagnosis (statements) ─> page (everything that is shown)
                                              ├─> templates/status.html
                                              └─> /status.json ─> assets/status.js

`page` decides everything that is shown, once: the template and the script only place it.

- `routes`: the paths `/status`, `/status.json` and the actions.
- `page`, `page_input`: the page as one JSON object, and the data that it is made from.
- `diagnosis`, `demand`: statements on the fleet, the worst first; `statement`: their type.
- `resource_rows`, `process_rows`, `queue_rows`, `budget_row`, `reports`: the rows of the page's
  tables.
- `formatting`: numbers, times and lists as text.
- `actions`: refresh, forget, pause, resume.
- `admin`, `sessions`, `guesses`: `ADMIN_TOKEN`, the session cookie, delays for wrong tokens.
"""
