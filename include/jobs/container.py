"""Where SageMaker puts things for a job's container."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def ml_dir() -> Path:
    """The folder of inputs, outputs and configuration: /opt/ml, or `ML_DIR` where a machine cannot mount that."""
    return Path(os.environ.get("ML_DIR", "/opt/ml"))


def processing_dir() -> Path:
    """The folder below which a processing job's `input/` and `output/` lie."""
    return ml_dir() / "processing"


@dataclass(frozen=True)
class Instance:
    """Which of the job's instances this one is, from 0 on, and how many there are."""

    index: int
    count: int


def this_instance() -> Instance:
    """This instance of a processing job, by `config/resourceconfig.json`; the only one where there is no file."""
    file = ml_dir() / "config/resourceconfig.json"
    if not file.exists():
        return Instance(0, 1)
    cluster = json.loads(file.read_text())
    # Which name comes first in the list may differ between instances; all sort them alike.
    hosts = sorted(cluster["hosts"])
    return Instance(hosts.index(cluster["current_host"]), len(hosts))


def hyperparameters() -> dict[str, Any]:
    """The hyperparameters of a training job: texts by name, as the request gave them; {} where there are none."""
    file = ml_dir() / "input/config/hyperparameters.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def channel_dir(channel: str) -> Path:
    """The folder that holds the files of a training job's channel."""
    return ml_dir() / "input/data" / channel
