"""moto's Lambda records made to run: every way by which moto invokes a function ends in our runner."""

import base64
import functools
import json
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import Any

from infra.localaws.lambdas import dead_letters
from infra.localaws.lambdas.function import RUNTIME, reserved_variables
from infra.localaws.lambdas.package import PackageError, check
from infra.localaws.lambdas.result import InvokeResult

ASYNCHRONOUS_SOURCES = frozenset({"aws:sns", "aws:s3"})
"""Services that invoke functions as events: moto calls them in the request of whoever published."""


def patch() -> None:
    """Change moto's classes, once a process."""
    models: Any = import_module("moto.awslambda.models")
    LambdaBackend, LambdaFunction = models.LambdaBackend, models.LambdaFunction  # noqa: N806 - moto's classes
    if getattr(LambdaFunction, "runs_for_real", False):
        return
    LambdaFunction.runs_for_real = True
    LambdaFunction.invoke = invoke
    LambdaFunction._invoke_lambda = run
    LambdaFunction._set_function_code = checked_code(LambdaFunction._set_function_code)
    LambdaFunction.update_configuration = checked_configuration(LambdaFunction.update_configuration)
    LambdaFunction.dead_letter_config = None
    LambdaFunction.__init__ = with_dead_letters(LambdaFunction.__init__)
    LambdaFunction.get_configuration = saying_dead_letters(LambdaFunction.get_configuration)
    models.LambdaStorage.__getstate__ = without_arns
    models.LambdaStorage.__setstate__ = with_arns
    LambdaBackend.create_function = checked_creation(LambdaBackend.create_function)
    LambdaBackend.delete_function = retiring(LambdaBackend.delete_function)


def invoke(self: Any, body: Any, request_headers: Any, response_headers: Any) -> str | bytes:
    """In place of `LambdaFunction.invoke`, which SNS, S3, SQS mappings and log subscriptions call."""
    from infra.localaws.lambdas.service import invoke_record

    payload = body if isinstance(body, bytes) else (body or "").encode()
    kind = (request_headers or {}).get("x-amz-invocation-type")
    asynchronous = kind == "Event" if kind else _is_event(payload)
    result = invoke_record(self, payload, asynchronous=asynchronous)
    if result.function_error:
        response_headers["x-amz-function-error"] = result.function_error
    response_headers["x-amz-log-result"] = base64.b64encode(result.log_tail.encode()).decode()
    return result.payload


def run(self: Any, event: Any = None) -> tuple[str, bool, str]:
    """In place of `LambdaFunction._invoke_lambda`: answer, whether it failed, log."""
    from infra.localaws.lambdas.service import invoke_record

    result: InvokeResult = invoke_record(self, json.dumps({} if event is None else event).encode())
    return result.payload.decode(), result.function_error is not None, result.log_tail


def _is_event(payload: bytes) -> bool:
    try:
        event = json.loads(payload or b"{}")
    except ValueError:
        return False
    if not isinstance(event, dict):
        return False
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else {}
    source = first.get("EventSource") or first.get("eventSource") if isinstance(first, dict) else None
    return "awslogs" in event or source in ASYNCHRONOUS_SOURCES


def checked_code(original: Callable[..., None]) -> Callable[..., None]:
    """Refuse a package that could not be run, as AWS does, when it is uploaded."""

    @functools.wraps(original)
    def set_code(self: Any, spec: dict[str, Any]) -> None:
        from moto.awslambda.exceptions import InvalidParameterValueException

        before = {k: getattr(self, k, None) for k in ("code_bytes", "code_size", "code_sha_256", "code_digest", "code")}
        before["code"] = dict(self.code)
        try:
            original(self, spec)
            if self.package_type == "Zip" and not spec.get("DryRun"):
                check(self.code_bytes)
        except (PackageError, ValueError) as e:
            for name, value in before.items():
                setattr(self, name, value)
            raise InvalidParameterValueException(str(e.args[-1])) from e

    return set_code


def checked_creation(original: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse, at creation, what could never run here."""

    @functools.wraps(original)
    def create(self: Any, spec: dict[str, Any]) -> Any:
        _refuse(spec)
        _check_dead_letters(spec, str(spec["Role"]))
        return original(self, spec)

    return create


def checked_configuration(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @functools.wraps(original)
    def update(self: Any, changes: dict[str, Any]) -> dict[str, Any]:
        _refuse({"Runtime": self.run_time, "PackageType": self.package_type, **changes})
        _check_dead_letters(changes, str(changes.get("Role") or self.role))
        if "DeadLetterConfig" in changes:
            self.dead_letter_config = _dead_letters(changes)
        return original(self, changes)

    return update


def with_dead_letters(original: Callable[..., None]) -> Callable[..., None]:
    """Keep the DeadLetterConfig of a function, which moto drops."""

    @functools.wraps(original)
    def initialise(self: Any, account_id: str, spec: dict[str, Any], *more: Any, **named: Any) -> None:
        original(self, account_id, spec, *more, **named)
        self.dead_letter_config = _dead_letters(spec)

    return initialise


def saying_dead_letters(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @functools.wraps(original)
    def configuration(self: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        found = original(self, *arguments, **named)
        return {**found, "DeadLetterConfig": self.dead_letter_config} if self.dead_letter_config else found

    return configuration


def _dead_letters(settings: dict[str, Any]) -> dict[str, str] | None:
    """DeadLetterConfig as it is kept; a target that is empty takes it away."""
    queue_arn = dead_letters.queue_of(settings)
    return {"TargetArn": queue_arn} if queue_arn else None


def _check_dead_letters(settings: dict[str, Any], role_arn: str) -> None:
    """Refuse a dead letter queue that the function's role may not write to, as AWS does."""
    from moto.awslambda.exceptions import InvalidParameterValueException

    from infra.localaws.lambdas.service import service

    queue_arn = dead_letters.queue_of(settings)
    if queue_arn and not service().grants.may_send(role_arn, queue_arn):
        raise InvalidParameterValueException(dead_letters.MAY_NOT_SEND)


def _refuse(spec: dict[str, Any]) -> None:
    from moto.awslambda.exceptions import InvalidParameterValueException

    reason = reserved_variables((spec.get("Environment") or {}).get("Variables") or {})
    reason = reason or dead_letters.target_refusal(dead_letters.queue_of(spec))
    if spec.get("PackageType", "Zip") != "Zip":
        reason = f"Local AWS runs functions from zip packages, not PackageType {spec['PackageType']}."
    elif spec.get("Runtime") != RUNTIME:
        reason = f"Local AWS runs the runtime {RUNTIME}, not {spec.get('Runtime')}."
    elif spec.get("Layers"):
        reason = "Local AWS does not run Lambda layers: put what the function needs into its zip."
    if reason:
        raise InvalidParameterValueException(reason)


def without_arns(self: Any) -> dict[str, Any]:
    """moto's index by ARN is of weak references, which cannot be kept: it is left out."""
    return {name: value for name, value in self.__dict__.items() if name != "_arns"}


def with_arns(self: Any, state: dict[str, Any]) -> None:
    """The index by ARN, made anew once functions are back."""
    self.__dict__.update(state)
    self._arns = weakref.WeakValueDictionary()
    for versions in self._functions.values():
        for function in [versions["latest"], *versions["versions"]]:
            if function is not None and hasattr(function, "function_arn"):
                self._arns[function.function_arn] = function


def retiring(original: Callable[..., None]) -> Callable[..., None]:
    """End the workers with the function."""

    @functools.wraps(original)
    def delete(self: Any, function_name: str, qualifier: str | None = None) -> None:
        from infra.localaws.lambdas.service import service

        arn = self.get_function(function_name, qualifier).function_arn
        original(self, function_name, qualifier)
        service().runner.retire(arn)

    return delete
