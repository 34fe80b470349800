"""The request that a resource needs, by the table of decisions: path, query, credentials."""

from dataclasses import dataclass

from refresher.errors import OriginError
from refresher.github.request_headers import Selected
from shared.api_versions import UNNAMED
from shared.outcomes import FailureKind
from shared.resources.kinds import Visibility
from shared.resources.media_types import PLAIN, MediaType
from shared.resources.operations import AlsoWith, Decision, Operation
from shared.resources.operations.shapes import SCALAR, Shape, public_shapes
from shared.resources.resource import Resource


@dataclass(frozen=True)
class Question:
    """The request that a resource needs.

    Args:
        path: of the request, without a query.
        query: canonical query string; empty for none.
        shape: the part of the response that an anonymous client sees.
        anonymously: a credential would see more than public data.
        also_with: credentials that may be used nevertheless.
        include_private: private repositories, and what lies below them, are admitted.
        outlives_errors: no error of GitHub's may replace the content.
        media: the media type that is requested.
        api_version: of GitHub's API.
    """

    path: str
    query: str
    shape: Shape
    anonymously: bool
    also_with: AlsoWith = AlsoWith.NOBODY
    include_private: bool = False
    outlives_errors: bool = False
    media: MediaType = PLAIN
    api_version: str = UNNAMED

    @property
    def selected(self) -> Selected:
        """The representation that the request selects."""
        return Selected(self.media.accept, self.api_version)

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


def question_of(resource: Resource) -> Question:
    """The request that a resource needs.

    A list that is judged item by item may be requested with any credential, because it is read
    to its end: items that only the credential sees are dropped. On a single page, dropped items
    would leave gaps, and these gaps would reveal that something was dropped.

    What GitHub renders is requested without a credential: it renders a mention of something private
    in another way for those who see it, and no shape tells these parts from others.

    Raises:
        OriginError: the table of decisions refuses the resource.
    """
    operation = resource.operation
    if operation is None or not resource.is_allowed:
        raise OriginError(FailureKind.INTERNAL, "this cache does not fetch this resource")
    media = resource.media_type
    is_by_operation = resource.kind.visibility is Visibility.BY_OPERATION
    return Question(
        path=operation.path_to_ask(resource.path),
        query=resource.query,
        shape=_shape_of(operation),
        anonymously=media.is_rendered
        or (operation.decision is Decision.ANONYMOUSLY and is_by_operation),
        also_with=AlsoWith.NOBODY if media.is_rendered else operation.also_with,
        include_private=resource.include_private,
        outlives_errors=resource.kind.outlives_errors,
        media=media,
        api_version=resource.api_version,
    )


def _shape_of(operation: Operation) -> Shape:
    # If GitHub describes no JSON body, only a scalar passes.
    return public_shapes().operations.get(operation.id, SCALAR)
