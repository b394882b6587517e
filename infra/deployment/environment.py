"""An environment: one deployment of the project, described by a small file in `infra/environments/`.

home = "mwaa"
account_id = "111122223333"
region = "eu-west-1"

[settings]                       # settings of include.settings beside those above, in lower case
source = "garminconnect"

[stacks.serving]                 # parameters of a stack
EndpointMode = "serverless"
"""

import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from include.settings import DEFAULT_PROJECT, LOCAL_ACCOUNT, PROJECT_PATTERN, Settings

FOLDER = Path(__file__).parents[1] / "environments"
LOCAL_REGION = "us-east-1"
NAME_PATTERN = re.compile(r"^[a-z][a-z0-9-]{0,24}$")
OWN_FIELDS = frozenset({"project", "account_id", "region"})
"""Settings that an environment file names at its top, and nowhere else."""

Home = Literal["laptop", "compose", "mwaa"]
"""Where Airflow runs: started on this machine, in containers that are up already, or on Amazon MWAA."""
Stack = Literal["access", "data", "features", "ml", "serving", "mwaa", "delivery"]
Value = str | int | float | bool


class UnknownEnvironment(ValueError):
    """An environment file is missing or wrong; the message is one line that says what to do."""


class Environment(BaseModel):
    """What is deployed, and where."""

    model_config = ConfigDict(frozen=True, extra="forbid", regex_engine="python-re")

    name: str
    home: Home
    project: str = Field(DEFAULT_PROJECT, pattern=PROJECT_PATTERN)
    account_id: str = Field(LOCAL_ACCOUNT, pattern=r"^\d{12}$")
    region: str = LOCAL_REGION
    settings: dict[str, Value] = Field(default_factory=dict)
    stacks: dict[Stack, dict[str, Value]] = Field(default_factory=dict)
    """Parameters of the stacks; what is left out a stack keeps as it was once given, else takes its own default."""

    @field_validator("settings")
    @classmethod
    def _are_settings(cls, given: dict[str, Value]) -> dict[str, Value]:
        if twice := sorted(given.keys() & OWN_FIELDS):
            raise ValueError(f"{twice[0]} belongs at the top of the file, not under [settings]")
        if unknown := sorted(given.keys() - Settings.model_fields.keys()):
            raise ValueError(f"there is no setting {unknown[0]}; include/settings.py has them all")
        return given

    @model_validator(mode="after")
    def _names_its_account(self) -> "Environment":
        if self.home == "mwaa" and not {"account_id", "region"} <= self.model_fields_set:
            raise ValueError('home = "mwaa" needs account_id (twelve digits) and region: neither is ever guessed')
        return self

    def variables(self) -> dict[str, str]:
        """The `GFF_…` variables of every process of the environment, in the order of their names."""
        own: dict[str, Value] = {"project": self.project, "account_id": self.account_id, "region": self.region}
        return {f"GFF_{name.upper()}": _text(value) for name, value in sorted((own | self.settings).items())}

    def own_settings(self) -> Settings:
        """The settings that the file makes, whatever the variables of this process say."""
        own: dict[str, Value] = {"project": self.project, "account_id": self.account_id, "region": self.region}
        return Settings.model_validate(own | self.settings)

    def parameters(self, stack: Stack) -> dict[str, str]:
        """The parameters that the file gives to a stack."""
        return {name: _text(value) for name, value in self.stacks.get(stack, {}).items()}


def read_environment(name: str, folder: Path = FOLDER) -> Environment:
    """Read `infra/environments/NAME.toml`.

    Raises:
        UnknownEnvironment: no such file, no TOML, or a value that is unknown or wrong.
    """
    path = folder / f"{name}.toml"
    if not NAME_PATTERN.match(name) or not path.is_file():
        known = ", ".join(environment_names(folder)) or "none"
        raise UnknownEnvironment(
            f"there is no environment {name!r} (there are: {known}): write infra/environments/{name}.toml, "
            "infra/environments/example.toml shows how"
        )
    try:
        return Environment(name=name, **tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise UnknownEnvironment(f"{path.name} is not as environment files are: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise UnknownEnvironment(f"{path.name}: {where + ': ' if where else ''}{problem['msg']}") from error


def environment_names(folder: Path = FOLDER) -> list[str]:
    """The names of all environments that have a file."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
