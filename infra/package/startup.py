"""The startup script of an MWAA environment, the only way to give Airflow's processes there their `GFF_…`.

MWAA sources it in every container before Airflow starts, as a user without rights, and keeps what it exported. It holds
nothing but exports: it needs no network, takes no time and cannot fail. The version is not in it: a changed script
restarts the whole environment, some twenty minutes, and a new version of the DAGs needs no restart.
"""

import re
import shlex

from infra.deployment.environment import Environment

VARIABLE = re.compile(r"^[A-Z][A-Z0-9_]*$")


class NotExportable(ValueError):
    """A value of an environment file does not fit into one line of a script; the message names it."""


def startup_script(environment: Environment) -> str:
    """The script that exports the variables of an environment.

    Raises:
        NotExportable: a value has control characters such as a line break.
    """
    exports = [_export(environment.name, *item) for item in environment.variables().items()]
    return "".join([f"# Made from infra/environments/{environment.name}.toml.\n", *exports])


def _export(environment: str, name: str, value: str) -> str:
    if not VARIABLE.match(name) or not value.isprintable():
        setting = name.removeprefix("GFF_").lower()
        raise NotExportable(f"{environment}.toml: {setting} is {value!r}: a setting is one line of printable text")
    return f"export {name}={shlex.quote(value)}\n"
