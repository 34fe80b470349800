"""`python -m scripts.operations_table`: makes docs/github-operations.md of the decisions.

The decisions are data (shared/resources/operations/decisions.tsv); this page is for people who
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
# What is served of GitHub's REST API

GitHub documents {total} operations that read (GET). Each has a decision here. The rule behind all
of them: readers serve what GitHub would tell a client without a credential, whatever credential
fetched it. [security.md](security.md) tells how that is kept. This page is generated from
`shared/resources/operations/decisions.tsv` by `python -m scripts.operations_table`; a test fails if the two
differ.

| decision | operations | meaning |
|---|---|---|
| anyone | {anyone} | Public as a whole: items, order, paging and status are the same whoever asks. A credential may be used. Fields that it adds are removed. |
| anonymously | {anonymously} | Public in part: a credential would be shown more, or other values. The refresher asks without a credential, or with one that is known to see no more. |
| refused | {refused} | Not public, about the caller, of no use to a cache, or in doubt. It is not served. |

"Scopeless" is a classic token without scopes: GitHub says that it "grants read-only access to
public information". "No-members" is such a token, or a GitHub App that may not read members:
neither sees who conceals a membership. "No-push" is a credential to which the repository's own answer says
`permissions.push: false`.

The source column quotes GitHub's description of the operation, or GitHub's documentation. Where
GitHub says nothing of who may ask, the column says so in our own words. "Stand-in" means that
GitHub says nothing that shows it, and that the property test over the stand-in GitHub does.
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
    """GitHub's category, as far as the path tells: its first segment."""
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
    words = [str(row.decision)]
    if row.also_with:
        words.append(f"or {row.also_with}")
    if row.ask:
        words.append(f"asks `{row.ask}`")
    if row.refused_query:
        names = ", ".join(f"`{name}`" for name in sorted(row.refused_query))
        words.append(f"refuses {names}")
    return ", ".join(words)


def _text(cell: str) -> str:
    """A cell's text as Markdown shows it unchanged: `<` begins HTML, `|` ends a cell."""
    return cell.replace("<", "&lt;").replace("|", "\\|")


def main() -> int:
    """Write it."""
    PAGE.write_text(rendered(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
