"""API keys and usage plans: who may call, how fast and how often."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from infra.localaws.apigateway.errors import INVALID_API_KEY, QUOTA_EXCEEDED, THROTTLED, GatewayError


@dataclass
class Bucket:
    """Tokens that come back at a rate, up to a burst."""

    tokens: float
    at_s: float

    def take(self, rate: float, burst: float, now_s: float) -> bool:
        """Take one token at a time in seconds; False where there is none."""
        self.tokens = min(burst, self.tokens + (now_s - self.at_s) * rate)
        self.at_s = now_s
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Usage:
    """Throttles and quotas of all plans. Buckets are forgotten over a restart; what a quota has used is kept."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
        counted: Callable[[], None] = lambda: None,
    ) -> None:
        self._monotonic = monotonic
        self._today = today
        self._counted = counted
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._lock = threading.Lock()

    def admit(self, backend: Any, api_id: str, stage: str, key_value: str | None, method: str) -> Any:
        """The record of the API key (moto's `ApiKey`) that may make this request; GatewayError where none may.

        `method` is like `/athletes/{id}/GET`, for throttles of single methods."""
        key = next((k for k in backend.keys.values() if k.value == key_value), None) if key_value else None
        if key is None or not key.enabled:
            raise GatewayError(INVALID_API_KEY)
        found = _plan(backend, key.id, api_id, stage)
        if found is None:
            raise GatewayError(INVALID_API_KEY)
        plan, stage_of_plan = found
        own = (stage_of_plan.get("throttle") or {}).get(method)
        with self._lock:
            self._throttle((plan.id, key.id, method if own else ""), own or plan.throttle or {})
            self._count(plan, key.id)
        return key

    def throttle_stage(self, api_id: str, stage: str, method: str, settings: Mapping[str, Any]) -> None:
        """The stage's own throttle, for all callers together and each method by itself (GatewayError)."""
        limits = {
            "rateLimit": settings.get("throttlingRateLimit"),
            "burstLimit": settings.get("throttlingBurstLimit"),
        }
        with self._lock:
            self._throttle((api_id, stage, method), limits)

    def _throttle(self, name: tuple[str, str, str], limits: Mapping[str, Any]) -> None:
        rate, burst = limits.get("rateLimit"), limits.get("burstLimit")
        if rate is None and burst is None:
            return
        rate_per_s = float(rate) if rate is not None else 10_000.0
        size = float(burst) if burst is not None else max(rate_per_s, 1.0)
        now_s = self._monotonic()
        bucket = self._buckets.setdefault(name, Bucket(size, now_s))
        if not bucket.take(rate_per_s, size, now_s):
            raise GatewayError(THROTTLED)

    def _count(self, plan: Any, key_id: str) -> None:
        limit = (plan.quota or {}).get("limit")
        if limit is None:
            return
        period = period_start(str(plan.quota.get("period", "MONTH")), self._today()).isoformat()
        used: dict[str, tuple[str, int]] = plan.__dict__.setdefault("quota_used", {})
        counted_in, count = used.get(key_id) or (period, int(plan.quota.get("offset") or 0))
        if counted_in != period:
            count = 0
        if count >= int(limit):
            raise GatewayError(QUOTA_EXCEEDED)
        used[key_id] = (period, count + 1)
        self._counted()


def _plan(backend: Any, key_id: str, api_id: str, stage: str) -> tuple[Any, Mapping[str, Any]] | None:
    for plan_id, keys in backend.usage_plan_keys.items():
        plan = backend.usage_plans.get(plan_id)
        if key_id not in keys or plan is None:
            continue
        for one in plan.api_stages:
            if one.get("apiId") == api_id and one.get("stage") == stage:
                return plan, one
    return None


def period_start(period: str, today: date) -> date:
    """The first day of the quota's period that `today` is in."""
    if period == "WEEK":
        return today - timedelta(days=(today.weekday() + 1) % 7)
    return today.replace(day=1) if period == "MONTH" else today
