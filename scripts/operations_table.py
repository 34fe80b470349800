"""`python -m scripts.operations_table`: generates docs/github-operations.md from the decisions.

The decisions are data (shared/resources/operations/decisions.tsv); the page is for people who
review them.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from scripts.running import ROOT
from shared.resources.operations import Operation, operations

PAGE = ROOT / "docs" / "github-operations.md"

_INTRODUCTION = """\
# Which operations of GitHub's REST API are served

GitHub documents {total} GET operations. Each has a decision here. All follow one rule: readers
serve what GitHub would send to a client without a credential, whatever credential fetched it.
[security.md](security.md) explains how this is enforced. Readers show the same decisions at
`/operations`. This page is generated from `shared/resources/operations/decisions.tsv` by
`python -m scripts.operations_table`; a test fails if the two differ.

| decision | operations | meaning |
|---|---|---|
| anyone | {anyone} | Public as a whole: items, order, paging and status are the same for every client. A credential may be used; fields that it adds are removed. |
| anonymously | {anonymously} | Public in part: a credential would see more, or other values. The refresher uses no credential, or one that is known to see no more. |
| own | {own} | Readers answer it themselves: what this cache has left for requests on demand. |
| refused | {refused} | Not public, about the caller, of no use to a cache, or in doubt. A client gets 403 with the reason in words; 401 for `/user`, which is about the caller. |

"Scopeless" is a classic token without scopes: GitHub says that it "grants read-only access to
public information". "No-members" is such a token, or a GitHub App that may not read members:
neither sees concealed memberships. "No-push" is a credential for which the repository's own
response says `permissions.push: false`.

The source column quotes GitHub's description of the operation, or GitHub's documentation. If
GitHub does not say who may use it, the column says so in our own words. "Stand-in" means that
no text of GitHub's shows it, but the property test over the stand-in GitHub does.
"""  # noqa: E501 (a row of a Markdown table is one line)


def rendered() -> str:
    """The page."""
    rows = operations()
    counts = Counter(str(row.decision) for row in rows)
    parts = [_INTRODUCTION.format(total=len(rows), **counts)]
    by_group = sorted(rows, key=_group)  # stable: the file's order within a group
    for group, members in groupby(by_group, key=_group):
        parts.append(_section(group, list(members)))
    return "\n".join(parts)


def _group(row: Operation) -> str:
    """GitHub's category, as far as the path shows it: its first segment."""
    return "/" + row.path.split("/")[1]


def _section(group: str, rows: Sequence[Operation]) -> str:
    counts = Counter(str(row.decision) for row in rows)
    summary = ", ".join(f"{count} {decision}" for decision, count in sorted(counts.items()))
    lines = [f"## `{group}`", "", f"{summary}.", ""]
    lines += ["| operation | decision | why | source |", "|---|---|---|---|"]
    lines += [
        f"| `{row.path}` | {_decision(row)} | {_text(row.why)} | {_text(row.public_because)} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _decision(row: Operation) -> str:
    parts = [str(row.decision)]
    if row.also_with:
        parts.append(f"or {row.also_with}")
    if row.ask:
        parts.append(f"requests `{row.ask}`")
    if row.refused_query:
        names = ", ".join(f"`{name}`" for name in sorted(row.refused_query))
        parts.append(f"refuses {names}")
    return ", ".join(parts)


def _text(cell: str) -> str:
    """A cell's text, escaped for Markdown: `<` begins HTML, `|` ends a cell."""
    return cell.replace("<", "&lt;").replace("|", "\\|")


def main() -> int:
    """Write the page."""
    PAGE.write_text(rendered(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
