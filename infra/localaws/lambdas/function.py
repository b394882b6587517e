"""What running a function needs to know, read from moto's record of it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""The one runtime there is: that of the interpreter local AWS itself runs on."""

RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Function:
    """One version of a function, as it is to be run. A change of any field needs new workers."""

    arn: str
    name: str
    version: str
    handler: str
    runtime: str
    timeout_s: float
    memory_mb: int
    environment: tuple[tuple[str, str], ...]
    code_sha256: str
    region: str
    role_arn: str

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.name}"


def read_function(record: Any) -> Function:
    """The settings in moto's `LambdaFunction`."""
    qualified = record.function_arn.count(":") > 6
    return Function(
        arn=record.function_arn,
        name=record.function_name,
        version=str(record.version) if qualified else "$LATEST",
        handler=record.handler or "",
        runtime=record.run_time or "",
        timeout_s=float(record.timeout or 3),
        memory_mb=int(record.memory_size or 128),
        environment=tuple(sorted((str(k), str(v)) for k, v in record.environment_vars.items())),
        code_sha256=record.code_sha_256,
        region=record.region,
        role_arn=str(record.role or ""),
    )


def refusal(record: Any) -> str | None:
    """Why this function cannot be run here, or None."""
    if record.package_type != "Zip":
        return f"Local AWS runs functions from zip packages, not PackageType {record.package_type}."
    if record.run_time != RUNTIME:
        return f"Local AWS runs the runtime {RUNTIME}, not {record.run_time}."
    if record.layers:
        return "Local AWS does not run Lambda layers: put what the function needs into its zip."
    return reserved_variables(record.environment_vars)


def reserved_variables(variables: Mapping[str, str]) -> str | None:
    """Lambda's message where variables are set that belong to Lambda."""
    reserved = sorted(RESERVED_VARIABLES.intersection(variables))
    if not reserved:
        return None
    return (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "contains reserved keys that are currently not supported for modification. Reserved keys used in this request: "
        + ", ".join(reserved)
    )
