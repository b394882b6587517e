"""A refusal of IAM is final: the task is not tried again, and its message is AWS's own."""

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError

from include.ingest.report import Report
from plugins.operators.athletes import failures, retry_helps
from plugins.operators.denied import FailsAtOnce, fails_at_once, is_denied

SENTENCE = "User: x is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/k"


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": SENTENCE}}, "PutObject")


@fails_at_once
def task_function(code: str) -> str:
    raise error(code)


@fails_at_once
def task_generator(code: str) -> Iterator[str]:
    yield "metadata"
    raise error(code)


class Operator:
    def execute(self, context: Any) -> Any:
        raise error(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        raise error(context)


class OurOperator(FailsAtOnce, Operator):
    """As ours extend those of the provider."""


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "AccessForbidden"])
def test_a_denied_call_fails_its_task_for_good_and_names_the_action(code: str) -> None:
    for run in (
        lambda: task_function(code),
        lambda: list(task_generator(code)),
        lambda: OurOperator().execute(code),
        lambda: OurOperator().resume_execution("execute_complete", {}, code),
    ):
        with pytest.raises(AirflowFailException, match="s3:PutObject"):
            run()


def test_any_other_error_may_be_tried_again() -> None:
    for run in (lambda: task_function("ThrottlingException"), lambda: OurOperator().execute("SlowDown")):
        with pytest.raises(ClientError):
            run()


def test_what_a_generator_yields_comes_through() -> None:
    assert next(task_generator("AccessDenied")) == "metadata"


def test_a_batch_whose_calls_were_denied_is_not_tried_again() -> None:
    report = Report()
    report.for_each(["ann", "bob"], "fetch", lambda _: task_function("AccessDenied"))
    assert not retry_helps(report)
    assert "s3:PutObject" in failures(report)["ann in fetch"]


def test_a_denial_is_seen_through_the_error_that_was_raised_from_it() -> None:
    try:
        try:
            raise error("AccessDenied")
        except ClientError as cause:
            raise RuntimeError("the stack was not deployed") from cause
    except RuntimeError as outer:
        assert is_denied(outer)
