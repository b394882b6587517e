"""What a check before a deployment finds, and what it looks at."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from botocore.exceptions import ClientError

from include.deploy.following import find_stack
from include.deploy.project import Clients
from include.settings import Settings
from infra.deployment.environment import Environment, Stack

Verdict = Literal["ok", "warning", "blocker", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. A `blocker` stops a deployment; its sentence says what to do about it."""

    name: str
    verdict: Verdict
    sentence: str

    @classmethod
    def not_answered(cls, name: str, error: ClientError) -> Self:
        """A warning that AWS did not say: the caller may not ask, or the service failed."""
        message = error.response["Error"].get("Message") or error.response["Error"]["Code"]
        return cls(name, "warning", f"not known, AWS did not answer {error.operation_name}: {message}")

    @property
    def line(self) -> str:
        """The finding as a line for a terminal."""
        return f"{self.verdict:<8} {self.name}: {self.sentence}"


@dataclass(frozen=True)
class Place:
    """Where something is to be deployed, and from what.

    `environment` is the file's, or None where only the settings of this process are known; `package` is the folder of
    `make package`.
    """

    clients: Clients
    settings: Settings
    environment: Environment | None
    is_local: bool
    package: Path
    now: datetime
    _stacks: dict[str, bool] = field(default_factory=dict, compare=False)

    @property
    def deploys_mwaa(self) -> bool:
        """Whether Airflow is to run on Amazon MWAA."""
        return self.environment is not None and self.environment.home == "mwaa"

    def stack_exists(self, name: str) -> bool:
        """Whether the stack `{project}-{name}` is there."""
        if name not in self._stacks:
            self._stacks[name] = find_stack(self.clients("cloudformation"), self.settings.stack(name)) is not None
        return self._stacks[name]

    def parameter(self, stack: Stack, name: str, setting: object | None, default: str) -> str:
        """A stack's parameter as the next deployment gives it: by the file, by a setting, else the default."""
        given = self.environment.parameters(stack).get(name) if self.environment else None
        return given or (str(setting) if setting is not None else default)
