"""SSM Parameter Store: the records are moto's, the limits on a parameter's size are AWS's."""

import functools
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from infra.localaws.world import Environ, StartResponse, World

STANDARD, ADVANCED, INTELLIGENT = "Standard", "Advanced", "Intelligent-Tiering"
MAX_CHARACTERS = {STANDARD: 4096, ADVANCED: 8192}
_GUIDE = "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
_TOO_LONG = {
    STANDARD: "Standard tier parameters support a maximum parameter value of {limit} characters. To create a larger "
    f"parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see {_GUIDE}",
    ADVANCED: "Advanced-tier parameters support a maximum parameter value of {limit} characters.",
}


def install(world: World) -> None:
    """Hold moto's parameters to the limits of their tier, from the first request on that is for SSM.

    Not earlier: moto's SSM imports its EC2, which alone would take half of the time in which local AWS starts.
    """
    world.route(_limit_at_first_request, _never_called)


def _limit_at_first_request(environ: Environ) -> bool:
    """Take no request for ours; a first one for SSM finds the limits in place."""
    if "/ssm/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
        backend: Any = import_module("moto.ssm.models").SimpleSystemManagerBackend
        if not getattr(backend.put_parameter, "limits_sizes", False):
            backend.put_parameter = limited(backend.put_parameter)
    return False


def _never_called(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    raise NotImplementedError(environ["PATH_INFO"], start_response)


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
