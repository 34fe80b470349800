"""The command line: `flask --app reader cache ...`.

It reads Redis as the status page does, and like a reader it does none of the work itself: it
enqueues refreshes and removals for the refreshers, and waits until they are done.

- `commands`: the commands and their options.
- `wait`: enqueues a refresh or a removal, and waits for it; `warm`: for all tracked resources.
- `doctor`: gathers facts for `checks`, pure functions that say what is wrong.
- `documents`: JSON documents of `--json`; `tables`: the same for people.
- `printing`, `column_fitting`: tables that fit the terminal.
- `help`: settings for `--help`, which needs no Redis.
"""
