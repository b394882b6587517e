"""EventBridge: rules match events and fire on schedules; targets get them."""

from infra.localaws.events.service import install

__all__ = ["install"]
