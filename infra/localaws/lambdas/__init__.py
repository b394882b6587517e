"""Lambda: functions run for real, as warm processes that hold their zip's handler."""

from infra.localaws.lambdas.result import InvokeError, InvokeResult
from infra.localaws.lambdas.service import install, invoke

__all__ = ["InvokeError", "InvokeResult", "install", "invoke"]
