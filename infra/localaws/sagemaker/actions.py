"""Puts our handler behind a SageMaker action, in moto's dispatcher."""

import json
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from infra.localaws.sagemaker.constraints import check

Request = dict[str, Any]
Handler = Callable[[SageMakerModelBackend, Request], dict[str, Any] | None]


def override(action: str, handler: Handler) -> None:
    """Answer `action` by `handler(backend, request)`, after the request was held against AWS's model.

    Timestamps arrive as numbers (seconds) as they were sent; errors are those of `errors.py`.
    """

    def respond(response: SageMakerResponse) -> ActionResult:
        request: Request = json.loads(response.body or "{}")
        check(action, request)
        return ActionResult(handler(response.sagemaker_backend, request) or {})

    setattr(SageMakerResponse, camelcase_to_underscores(action), respond)


def replace(owner: type, method: str, function: Any) -> None:
    """Put our function in place of (or beside) a method of moto's."""
    setattr(owner, method, function)


def guard(action: str) -> None:
    """Hold the requests of an action that moto answers against AWS's model as well."""
    name = camelcase_to_underscores(action)
    original = getattr(SageMakerResponse, name)

    def respond(response: SageMakerResponse) -> ActionResult:
        check(action, json.loads(response.body or "{}"))
        result: ActionResult = original(response)
        return result

    setattr(SageMakerResponse, name, respond)
