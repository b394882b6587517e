"""What the API makes of an endpoint's answer that is no forecast."""

from typing import Any

import pytest

from include.serving import forecast
from include.serving.problem import Problem
from tests.serving.conftest import FakeAws, body


def test_a_request_that_the_model_cannot_read_is_a_problem_with_its_reason(aws: FakeAws) -> None:
    refused: dict[str, Any] = {"status": 400, "title": "The request cannot be read", "detail": "readings is missing"}
    aws.answers["sagemaker-runtime.invoke_endpoint"] = lambda _: {"Body": body({"error": refused})}
    with pytest.raises(Problem, match="readings is missing") as problem:
        forecast.forecast("anna", 7)
    assert (problem.value.status, problem.value.title) == (502, "The model failed")
