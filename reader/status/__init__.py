"""The page for whoever runs the cache: what it is doing, what fails, what happens next.

    fleet.Fleet ─> diagnosis (what is the matter) ─> page (all that is shown)
                                                       ├─> templates/status.html
                                                       └─> /status.json ─> assets/status.js

Everything that is shown is decided in `page`, once: the template and the script only place it.
`admin` says who may act, `actions` does what they ask for, `routes` has the paths.
"""
