"""Dead letters: events that failed for good go to the queue of their function's DeadLetterConfig."""

import json
from collections.abc import Mapping
from typing import Any

from infra.localaws.lambdas.result import InvokeResult

MAY_NOT_SEND = "The provided execution role does not have permissions to call SendMessage on SQS"
"""Lambda's sentence where a function is given a queue that its role may not write to."""
MESSAGE_MAX_CHARACTERS = 1024

Attributes = Mapping[str, Mapping[str, str]]


def queue_of(settings: Mapping[str, Any]) -> str:
    """The ARN of the queue in a request's or record's settings; empty where there is none."""
    return str((settings.get("DeadLetterConfig") or {}).get("TargetArn") or "")


def target_refusal(queue_arn: str) -> str | None:
    """Why local AWS does not take a target of dead letters, or None."""
    if queue_arn and queue_arn.split(":")[2:3] != ["sqs"]:
        return f"Local AWS sends dead letters to SQS queues, not to {queue_arn}."
    return None


def attributes(request_id: str, result: InvokeResult) -> Attributes:
    """What Lambda says about a dead letter beside the event itself, which is the body."""
    document = json.loads(result.payload or b"null")
    message = document.get("errorMessage", "") if isinstance(document, dict) else ""
    return {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": str(result.status_code)},
        "ErrorMessage": {"DataType": "String", "StringValue": str(message)[:MESSAGE_MAX_CHARACTERS] or "Unhandled"},
    }
