"""Delivery to a target: Lambda, SQS, SNS, a log group or another event bus."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from infra.localaws.world import ACCOUNT_ID

DELIVERABLE = ("lambda", "sqs", "sns", "logs", "events")


class DeliveryError(Exception):
    """The target did not take the event; `retryable` says whether it may later."""

    def __init__(self, code: str, message: str, *, retryable: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable


def service_of(arn: str) -> str:
    return arn.split(":")[2] if arn.count(":") >= 5 else ""


def deliver(
    arn: str, message: str, *, principal: str = "", source_arn: str = "", settings: Mapping[str, Any] | None = None
) -> None:
    """Send a message (JSON text) to what the ARN names. With a `principal`, a function's resource policy must let it
    in. DeliveryError where it was not taken."""
    service = service_of(arn)
    settings = settings or {}
    if service == "lambda":
        _to_function(arn, message, principal, source_arn)
    elif service == "sqs":
        send_to_queue(arn, message, settings)
    elif service == "sns":
        _to_topic(arn, message)
    elif service == "logs":
        _to_log_group(arn, message)
    elif service == "events":
        _to_bus(arn, message)
    else:
        raise DeliveryError("UNSUPPORTED", f"Local AWS does not deliver events to {arn}", retryable=False)


def _to_function(arn: str, message: str, principal: str, source_arn: str) -> None:
    from infra.localaws.lambdas.policy import allows
    from infra.localaws.lambdas.result import InvokeError
    from infra.localaws.lambdas.service import find, invoke_record

    try:
        record = find(arn)
        if principal and not allows(record, principal, source_arn):
            words = f"{record.function_arn} has no permission that lets {principal} invoke it for {source_arn}"
            raise DeliveryError("NO_PERMISSIONS", words, retryable=False)
        invoke_record(record, _as_json(message), asynchronous=True)
    except InvokeError as e:
        raise DeliveryError(e.code, e.message, retryable=e.retryable) from e


def _as_json(message: str) -> bytes:
    try:
        json.loads(message)
    except ValueError:
        return json.dumps(message).encode()
    return message.encode()


def send_to_queue(
    arn: str, message: str, settings: Mapping[str, Any], attributes: Mapping[str, Any] | None = None
) -> None:
    """Put a message on a queue of this account. DeliveryError where there is none, or it refuses."""
    from moto.core.exceptions import ServiceException
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, name = arn.split(":", 5)
    group = settings.get("SqsParameters", {}).get("MessageGroupId")
    try:
        sqs_backends[account or ACCOUNT_ID][region].send_message(
            queue_name=name,
            message_body=message,
            group_id=group,
            message_attributes=dict(attributes) if attributes else None,
        )
    except (ServiceException, KeyError) as e:
        raise DeliveryError("SQS", f"{arn}: {e}", retryable=False) from e


def _to_topic(arn: str, message: str) -> None:
    from moto.core.exceptions import ServiceException
    from moto.sns.models import sns_backends

    _, _, _, region, account, _ = arn.split(":", 5)
    try:
        sns_backends[account][region].publish(message=message, arn=arn)
    except (ServiceException, KeyError) as e:
        raise DeliveryError("SNS", f"{arn}: {e}", retryable=False) from e


def _to_log_group(arn: str, message: str) -> None:
    from infra.localaws import logs

    group = arn.split(":log-group:", 1)[-1].removesuffix(":*")
    logs.write(group, str(uuid.uuid4()), [message], int(time.time() * 1000))


def _to_bus(arn: str, message: str) -> None:
    from moto.events.models import events_backends

    _, _, _, region, account, _ = arn.split(":", 5)
    event = json.loads(message)
    entry = {
        "Source": event.get("source", "local"),
        "DetailType": event.get("detail-type", "Event"),
        "Detail": json.dumps(event.get("detail", event)),
        "Resources": event.get("resources", []),
        "EventBusName": arn,
    }
    events_backends[account][region].put_events([entry])


def dead_letter(queue_arn: str, message: str, rule_arn: str, target_arn: str, failure: DeliveryError) -> None:
    """Put an event that could not be delivered on the queue that the target names (DeliveryError)."""
    values = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": failure.code,
        "ERROR_MESSAGE": failure.message,
    }
    attributes = {k: {"DataType": "String", "StringValue": v} for k, v in values.items()}
    send_to_queue(queue_arn, message, {}, attributes)
