"""Finds the template that a path matches: GitHub's routes, as far as its description tells."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Generic, TypeVar

Value = TypeVar("Value")

# Parameters that may span several segments: GitHub's description marks them `x-multi-segment`.
_SPANNING = frozenset(
    {
        *("{basehead}", "{branch}", "{commit_sha}", "{dir}", "{path}", "{ref}"),
        *("{subject_digest}", "{tag}", "{tree_sha}"),
    }
)
# Other parameters whose value may contain a slash, sent as `%2F`. In all others, such as owners and
# repositories, a slash names nothing.
_WITH_SLASHES = _SPANNING | {"{base}...{head}", "{environment_name}", "{name}"}
# The only one that may be empty: `/contents` is the root folder.
_OPTIONAL = "{path}"
# Ids and numbers are integers in GitHub's description, with these exceptions. Other text must not
# match, or an undocumented path would pass for a documented one: `/user/emails` is not
# `/user/{account_id}`.
_NUMBERS = ("_id}", "_number}")
_NOT_NUMBERS = frozenset(
    {
        *("{budget_id}", "{export_id}", "{ghsa_id}", "{gist_id}", "{network_configuration_id}"),
        *("{network_settings_id}", "{pages_deployment_id}", "{sarif_id}", "{task_id}"),
        *("{user_id}", "{workflow_id}"),
    }
)


@dataclass
class _Node(Generic[Value]):
    literals: dict[str, "_Node[Value]"] = field(default_factory=dict)
    parameters: dict[str, "_Node[Value]"] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)

    def literals_below(self) -> Iterator[str]:
        """All literal segments below this node."""
        yield from self.literals
        for child in (*self.literals.values(), *self.parameters.values()):
            yield from child.literals_below()


class Templates(Generic[Value]):
    """Path templates, each with a value.

    Args:
        templates: pairs of a template, such as `/repos/{owner}/{repo}`, and its value.
    """

    def __init__(self, templates: Iterable[tuple[str, Value]]) -> None:
        self._root = _Node[Value]()
        for template, value in templates:
            node = self._root
            for segment in filter(None, template.split("/")):
                is_parameter = segment.startswith("{")
                children = node.parameters if is_parameter else node.literals
                node = children.setdefault(segment if is_parameter else segment.lower(), _Node())
            node.values.append(value)

    def find(self, segments: Sequence[str]) -> Value | None:
        """The value of the template that a path matches; a literal goes before a parameter.

        Args:
            segments: of the path, decoded; literals match in any case, as at GitHub.
        """
        return _find(self._root, segments)


def _find(node: _Node[Value], segments: Sequence[str]) -> Value | None:
    if not segments:
        if node.values:
            return node.values[0]
        optional = node.parameters.get(_OPTIONAL)
        return optional.values[0] if optional and optional.values else None
    literal = node.literals.get(segments[0].lower())
    if literal is not None:
        # A literal that GitHub documents is not a value of the parameter beside it: if nothing
        # below the literal matches, nothing does.
        return _find(literal, segments[1:])
    for name, child in node.parameters.items():
        for taken in _lengths(name, segments, node):
            found = _find(child, segments[taken:])
            if found is not None:
                return found
    return None


def _lengths(name: str, segments: Sequence[str], node: _Node[Value]) -> Iterator[int]:
    """The numbers of segments that a parameter may span, the smallest first."""
    if "/" in segments[0] and name not in _WITH_SLASHES:
        return
    if name.endswith(_NUMBERS) and name not in _NOT_NUMBERS:
        if segments[0].isascii() and segments[0].isdigit():
            yield 1
        return
    yield 1
    if name in _SPANNING:
        # A segment that is documented below a parameter is not part of its value, or an
        # undocumented path below a refused one would pass for a long name: no branch is
        # `main/protection/more`.
        literals = {
            literal for child in node.parameters.values() for literal in child.literals_below()
        }
        longer = range(2, len(segments) + 1)
        yield from takewhile(lambda taken: segments[taken - 1].lower() not in literals, longer)
