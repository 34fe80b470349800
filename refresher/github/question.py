"""What GitHub is asked for a resource, by the table of decisions: which path, and with what."""

from dataclasses import dataclass

from refresher.errors import OriginError
from shared.outcomes import FailureKind
from shared.resources.kinds import Visibility
from shared.resources.operations import AlsoWith, Decision, Operation
from shared.resources.operations.shapes import SCALAR, Shape, public_shapes
from shared.resources.resource import Resource


@dataclass(frozen=True)
class Question:
    """What GitHub is asked for a resource.

    Args:
        path: that is asked for, without a query.
        query: canonical query string; empty for none.
        shape: what an anonymous client sees of the answer.
        anonymously: a credential would see more than the public.
        also_with: the credential that may be used all the same.
        include_private: private repositories, and what lies below them, are let in.
    """

    path: str
    query: str
    shape: Shape
    anonymously: bool
    also_with: AlsoWith = AlsoWith.NOBODY
    include_private: bool = False

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


def question_of(resource: Resource) -> Question:
    """What GitHub is asked for a resource.

    A list that is joined is read to its end, so items that a credential adds to it can be left out;
    a single page would have gaps, which tell that something was left out.

    Raises:
        OriginError: it is nothing that may be asked for.
    """
    operation = resource.operation
    if operation is None or not resource.is_allowed:
        raise OriginError(FailureKind.INTERNAL, "this is not among what may be fetched")
    return Question(
        path=operation.path_to_ask(resource.path),
        query=resource.query,
        shape=_shape_of(operation),
        anonymously=(
            operation.decision is Decision.ANONYMOUSLY
            and resource.kind.visibility is Visibility.BY_OPERATION
        ),
        also_with=operation.also_with,
        include_private=resource.include_private,
    )


def _shape_of(operation: Operation) -> Shape:
    # Where GitHub describes no JSON, none is let through.
    return public_shapes().operations.get(operation.id, SCALAR)
