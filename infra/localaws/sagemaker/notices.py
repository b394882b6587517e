"""The events that SageMaker sends to EventBridge."""

from datetime import UTC, datetime
from typing import Any

from infra.localaws.world import World, log


def publish(world: World, detail_type: str, arn: str, detail: dict[str, Any], *, epoch_ms: bool = True) -> None:
    """Send `SageMaker … State Change` for one resource. Times in `detail` become milliseconds, or ISO text."""
    event = {
        "source": "aws.sagemaker",
        "detail-type": f"SageMaker {detail_type} State Change",
        "resources": [arn],
        "detail": _plain(detail, epoch_ms),
    }
    try:
        world.publish(event)
    except Exception:  # a target in trouble must not fail the job that tells it
        log.exception("event %s of %s", event["detail-type"], arn)


def _plain(value: Any, epoch_ms: bool) -> Any:
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000) if epoch_ms else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, dict):
        return {key: _plain(item, epoch_ms) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item, epoch_ms) for item in value]
    return value
