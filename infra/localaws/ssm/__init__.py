"""SSM Parameter Store: the records are moto's, the limits on a parameter's size are AWS's."""

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from infra.localaws.world import World

STANDARD, ADVANCED, INTELLIGENT = "Standard", "Advanced", "Intelligent-Tiering"
MAX_CHARACTERS = {STANDARD: 4096, ADVANCED: 8192}
_GUIDE = "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
_TOO_LONG = {
    STANDARD: "Standard tier parameters support a maximum parameter value of {limit} characters. To create a larger "
    f"parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see {_GUIDE}",
    ADVANCED: "Advanced-tier parameters support a maximum parameter value of {limit} characters.",
}


def install(world: World) -> None:  # noqa: ARG001 - every service is installed alike
    """Hold moto's parameters to the limits of their tier."""
    backend: Any = import_module("moto.ssm.models").SimpleSystemManagerBackend
    if not getattr(backend.put_parameter, "limits_sizes", False):
        backend.put_parameter = limited(backend.put_parameter)


def limited(original: Callable[..., Any]) -> Callable[..., Any]:
    """PutParameter that refuses a value which is too long for its tier, and settles an intelligent tier."""

    @functools.wraps(original)
    def put_parameter(self: Any, name: str, *args: Any, tier: str | None, **kwargs: Any) -> Any:
        value = args[1] if len(args) > 1 else kwargs["value"]
        tier = settled_tier(self, name, value or "", tier)
        limit = MAX_CHARACTERS[tier]
        if len(value or "") > limit:
            from moto.ssm.exceptions import ValidationException

            raise ValidationException(_TOO_LONG[tier].format(limit=limit))
        return original(self, name, *args, tier=tier, **kwargs)

    put_parameter.limits_sizes = True  # type: ignore[attr-defined]
    return put_parameter


def settled_tier(backend: Any, name: str, value: str, tier: str | None) -> str:
    """Standard or Advanced: an intelligent tier goes by need, and an advanced parameter stays one."""
    versions = backend._parameters.get(name) or []
    if tier in (None, INTELLIGENT) and versions and versions[-1].tier == ADVANCED:
        return ADVANCED
    wanted = tier or backend.default_parameter_tier
    if wanted == INTELLIGENT:
        return ADVANCED if len(value) > MAX_CHARACTERS[STANDARD] else STANDARD
    return str(wanted)
