"""A call that IAM denies fails its task at once: no further try would be allowed either."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

DENIED_CODES = frozenset(
    ("AccessDenied", "AccessDeniedException", "AccessForbidden", "AllAccessDisabled", "AuthorizationError",
     "NotAuthorized", "UnauthorizedOperation", "UnrecognizedClientException", "InvalidClientTokenId")
)  # fmt: skip
"""How AWS's services call a refusal of IAM, or credentials that belong to nobody."""


def is_denied(error: BaseException) -> bool:
    """Whether an error of boto3, or one that was raised from it, is a refusal of IAM."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code in DENIED_CODES or (error.__cause__ is not None and is_denied(error.__cause__))


@contextmanager
def denied_is_final() -> Iterator[None]:
    """Turn a refusal of IAM into a failure that Airflow does not try again; AWS's sentence names action and resource.

    Raises:
        AirflowFailException: a call was denied.
    """
    try:
        yield
    except Exception as error:
        if not is_denied(error):
            raise
        from plugins.operators.airflow_sdk import AirflowFailException

        raise AirflowFailException(f"{error} (see docs/aws.md for what each role may do)") from error


def fails_at_once[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a task's function so that a refusal of IAM fails the task for good."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: P.args, **kwargs: P.kwargs) -> Any:
            with denied_is_final():
                yield from function(*args, **kwargs)

        return generator

    @functools.wraps(function)
    def plain(*args: P.args, **kwargs: P.kwargs) -> R:
        with denied_is_final():
            return function(*args, **kwargs)

    return plain


class FailsAtOnce:
    """For operators: named before the operator that it extends, so that its methods surround that one's."""

    def execute(self, context: "Context") -> Any:
        """Execute, and fail for good where IAM denies a call."""
        with denied_is_final():
            return super().execute(context)  # type: ignore[misc]

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context") -> Any:
        """Go on after a deferral, or fail because the trigger did, likewise."""
        with denied_is_final():
            return super().resume_execution(next_method, next_kwargs, context)  # type: ignore[misc]
