"""The parts of a deployment: whoever deploys some of them alone names them, as each of the two pipelines does."""

from collections.abc import Collection
from typing import Literal

from infra.deployment.environment import Environment

Part = Literal["access", "data", "features", "ml", "serving", "mwaa", "dags", "forecasts"]
PARTS: dict[Part, str] = {
    "access": "the roles, which an administrator deploys",
    "data": "the bucket",
    "features": "the feature groups",
    "ml": "the roles of jobs and models, and the registry",
    "serving": "the release, and the API that runs it, which is asked whether it answers",
    "mwaa": "Airflow on Amazon MWAA with requirements and startup script; its pools are made, its DAGs unpaused",
    "dags": "the release, and the DAGs that run it",
    "forecasts": "nothing of its own: the DAGs are run until the API answers with forecasts, which are shown",
}
"""Every part with what it is; stacks come in this order."""
NEEDS: dict[Part, tuple[Part, ...]] = {
    "features": ("data",),
    "ml": ("data",),
    "serving": ("data", "features", "ml"),
    "mwaa": ("data",),
    "dags": ("data",),
    "forecasts": ("data", "features", "ml", "serving"),
}
"""The stacks that must be there before a part; `access` comes before all of them."""


class UnknownPart(ValueError):
    """No such part; the message is one line that names those there are."""


def read_parts(text: str) -> frozenset[Part]:
    """Parts by their names with commas between them.

    Raises:
        UnknownPart: there is none of that name.
    """
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in PARTS]:
        raise UnknownPart(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return frozenset(part for part in PARTS if part in names)


def parts_of(environment: Environment) -> frozenset[Part]:
    """All parts that an environment has."""
    return frozenset(part for part in PARTS if part != "mwaa" or environment.home == "mwaa")


def ordered(parts: Collection[Part]) -> list[Part]:
    """Parts in their order."""
    return [part for part in PARTS if part in parts]


def needed(parts: Collection[Part]) -> list[tuple[Part, Part]]:
    """What must be there already: each part with a stack that it needs and that is not deployed with it."""
    return [(part, need) for part in ordered(parts) for need in NEEDS.get(part, ()) if need not in parts]


def has_release(parts: Collection[Part]) -> bool:
    """Whether the release is uploaded, and becomes the current one."""
    return "serving" in parts or "dags" in parts


def has_startup_files(parts: Collection[Part], environment: Environment) -> bool:
    """Whether what Airflow reads when it starts is uploaded: where there is a stack `mwaa`, it names the versions."""
    return ("mwaa" if environment.home == "mwaa" else "dags") in parts


def uses_airflow(parts: Collection[Part]) -> bool:
    """Whether Airflow is waited for and prepared."""
    return "mwaa" in parts or "forecasts" in parts
