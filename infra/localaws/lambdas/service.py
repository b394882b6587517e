"""Lambda in this local AWS: `install`, and `invoke` for the services beside it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.localaws.iam.guard import Denied
from infra.localaws.iam.needs import Need
from infra.localaws.iam.principals import session_of
from infra.localaws.lambdas.asynchronous import MAX_EVENT_BYTES, Asynchronous
from infra.localaws.lambdas.function import Function
from infra.localaws.lambdas.result import InvokeResult, not_found
from infra.localaws.lambdas.runner import RoleNotAssumable, Runner, check_payload
from infra.localaws.world import ACCOUNT_ID, World

_ARN = re.compile(r"arn:aws[\w-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:(?P<name>.+)")


@dataclass(frozen=True)
class RoleGrants:
    """What functions are given by their roles, as IAM decides."""

    world: World

    def environment(self, function: Function) -> Mapping[str, str]:
        """AWS variables with the credentials of the function's role.

        Raises:
            RoleNotAssumable: Lambda cannot assume it.
        """
        guard = self.world.guard
        try:
            credentials = guard.service_credentials(
                function.role_arn, "lambda.amazonaws.com", function.name, function.arn
            )
        except Denied as denied:
            message = f"The role defined for the function cannot be assumed by Lambda. {denied.message}"
            raise RoleNotAssumable(message) from None
        return {**self.world.child_environment(), **credentials.as_environment()}

    def may_log(self, function: Function, stream: str) -> bool:
        """Whether the function's role may write its log stream; without the right, lines are lost as on AWS."""
        prefix = f"arn:aws:logs:{function.region}:{ACCOUNT_ID}:log-group:{function.log_group}"
        role = session_of(function.role_arn, function.name)
        try:
            for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
                self.world.guard.require(Need(action, f"{prefix}:log-stream:{stream}"), role)
        except Denied:
            return False
        return True

    def may_send(self, role_arn: str, queue_arn: str) -> bool:
        """Whether Lambda may put dead letters on a queue under a function's role."""
        try:
            self.world.guard.require(Need("sqs:SendMessage", queue_arn), session_of(role_arn, "awslambda"))
        except Denied:
            return False
        return True


@dataclass(frozen=True)
class Service:
    """The running parts, apart from moto's records: nothing here is kept over a restart."""

    region: str
    runner: Runner
    asynchronous: Asynchronous
    grants: RoleGrants


class _Installed:
    service: Service | None = None


def service() -> Service:
    if _Installed.service is None:
        raise RuntimeError("Lambda is not installed")
    return _Installed.service


def install(world: World) -> None:
    """Run functions in `world`: moto's records, our processes."""
    from infra.localaws.lambdas import moto_records
    from infra.localaws.lambdas.api import is_invocation, make_app

    grants = RoleGrants(world)
    runner = Runner(world.work_dir / "lambda", grants)
    asynchronous = Asynchronous(runner.invoke, lambda record, arn: grants.may_send(str(record.role), arn))
    running = Service(world.config.region, runner, asynchronous, grants)
    _Installed.service = running
    moto_records.patch()
    world.route(is_invocation, make_app())
    world.on_shutdown(running.asynchronous.close)
    world.on_shutdown(runner.close)


def find(function_name_or_arn: str, qualifier: str | None = None) -> Any:
    """moto's record of a function by name, partial ARN (`name:alias`) or ARN. InvokeError where there is none."""
    from moto.awslambda.exceptions import LambdaClientError
    from moto.awslambda.models import lambda_backends

    match = _ARN.fullmatch(function_name_or_arn)
    account, region = (match["account"], match["region"]) if match else (ACCOUNT_ID, service().region)
    name = match["name"] if match else function_name_or_arn
    try:
        return lambda_backends[account][region].get_function(name, qualifier)
    except (LambdaClientError, KeyError) as e:
        suffix = f":{qualifier}" if qualifier else ""
        raise not_found(f"arn:aws:lambda:{region}:{account}:function:{name}{suffix}") from e


def invoke(function_name_or_arn: str, payload: bytes, *, asynchronous: bool = False) -> InvokeResult:
    """Invoke a function with a JSON payload and wait for its answer, or only hand the event over (`asynchronous`:
    status 202, tried again on failure). InvokeError where Lambda refuses: unknown, throttled, too large."""
    return invoke_record(find(function_name_or_arn), payload, asynchronous=asynchronous)


def invoke_record(
    record: Any, payload: bytes, *, asynchronous: bool = False, client_context: Any = None
) -> InvokeResult:
    """`invoke` for a record that was found already."""
    if not asynchronous:
        return service().runner.invoke(record, payload, client_context)
    check_payload(payload, MAX_EVENT_BYTES)
    service().asynchronous.submit(record, payload)
    return InvokeResult(202, b"")
