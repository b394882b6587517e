"""Script mode as the SageMaker XGBoost container runs it: hyperparameters to arguments and `SM_…` variables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CODE_DIR = "/opt/ml/code"
PROGRAM = "sagemaker_program"
SUBMIT_DIRECTORY = "sagemaker_submit_directory"
RESERVED_PREFIX = "sagemaker_"


@dataclass(frozen=True)
class Host:
    """This container among those of the job."""

    current: str
    all: tuple[str, ...]
    instance_type: str

    @property
    def resource_config(self) -> dict[str, Any]:
        """The content of `resourceconfig.json`."""
        group = "homogeneousCluster"
        hosts = list(self.all)
        return {
            "current_host": self.current,
            "current_instance_type": self.instance_type,
            "current_group_name": group,
            "hosts": hosts,
            "instance_groups": [
                {"instance_group_name": group, "instance_type": self.instance_type, "hosts": hosts},
            ],
            "network_interface_name": "eth0",
        }


def decoded(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Values parsed as JSON where they are JSON, else as they are: what the toolkit does."""
    return {name: _json_or_text(text) for name, text in hyperparameters.items()}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def user_arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """`--name value` for each, by name; one letter takes one dash; the `sagemaker_…` ones are the toolkit's own."""
    arguments = []
    for name, value in sorted(hyperparameters.items()):
        if not name.startswith(RESERVED_PREFIX):
            arguments += [f"-{name}" if len(name) == 1 else f"--{name}", _as_text(value)]
    return arguments


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{name}={item}" for name, item in sorted(value.items()))
    return str(value)


def module_of(program: str) -> str:
    """The module that the container runs by `python -m`: the program without `.py`."""
    return program.removesuffix(".py")


def environment(
    host: Host,
    hyperparameters: Mapping[str, Any],
    channels: Mapping[str, Mapping[str, Any]],
    cpus: int,
    job_name: str,
) -> dict[str, str]:
    """Every `SM_…` variable. `hyperparameters` are decoded, `channels` the content of inputdataconfig.json."""
    own = {name: value for name, value in hyperparameters.items() if not name.startswith(RESERVED_PREFIX)}
    program = str(hyperparameters.get(PROGRAM, ""))
    values: dict[str, Any] = {
        "hosts": list(host.all),
        "current_host": host.current,
        "current_instance_type": host.instance_type,
        "network_interface_name": "eth0",
        "num_cpus": cpus,
        "num_gpus": 0,
        "hps": own,
        "channels": sorted(channels),
        "input_data_config": dict(channels),
        "resource_config": host.resource_config,
        "input_dir": "/opt/ml/input",
        "input_config_dir": "/opt/ml/input/config",
        "model_dir": "/opt/ml/model",
        "output_dir": "/opt/ml/output",
        "output_data_dir": "/opt/ml/output/data",
        "output_intermediate_dir": "/opt/ml/output/intermediate",
        "module_dir": str(hyperparameters.get(SUBMIT_DIRECTORY, CODE_DIR)),
        "module_name": module_of(program),
        "user_entry_point": program,
        "user_args": user_arguments(own),
        "log_level": hyperparameters.get("sagemaker_container_log_level", 20),
        "framework_module": "sagemaker_xgboost_container.training:main",
        "framework_params": {},
    }
    training_env = {
        **{name: value for name, value in values.items() if name not in ("hps", "user_args", "channels")},
        "hyperparameters": own,
        "job_name": job_name,
        "is_master": host.current == host.all[0],
        "channel_input_dirs": {name: f"/opt/ml/input/data/{name}" for name in channels},
    }
    return {
        **{f"SM_{name.upper()}": _variable(value) for name, value in values.items()},
        **{f"SM_CHANNEL_{name.upper()}": f"/opt/ml/input/data/{name}" for name in channels},
        **{f"SM_HP_{name.upper()}": _variable(value) for name, value in own.items()},
        "SM_TRAINING_ENV": json.dumps(training_env, sort_keys=True),
    }


def _variable(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def command(python: str, module: str, arguments: Sequence[str]) -> tuple[str, ...]:
    return (python, "-m", module, *arguments)
