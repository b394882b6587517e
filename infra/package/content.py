"""What a package holds, in memory."""

from dataclasses import dataclass

from include.deploy.release import Release

DAGS = "mwaa/dags/"
REQUIREMENTS = "mwaa/requirements.txt"
STARTUP = "mwaa/startup/"
PLUGINS = "mwaa/plugins.zip"
RELEASE = "release/"
STACKS = "stacks/"


@dataclass(frozen=True)
class Package:
    """One version of the project, ready to be deployed."""

    version: str
    """The hash of the sources, as in `include.deploy.release`."""
    commit: str
    """The commit that it was built from, with `-dirty` where files were changed; empty outside a git checkout."""
    airflow_version: str
    python_version: str
    files: dict[str, bytes]
    """All files but the manifest, by their path in the package."""

    @property
    def release(self) -> Release:
        """What `include.deploy.release.publish` uploads: the code of jobs, Lambdas and stacks."""
        return Release(self.version, self.below(RELEASE), self.commit)

    @property
    def requirements(self) -> bytes:
        """The `requirements.txt` of the MWAA environment."""
        return self.files[REQUIREMENTS]

    @property
    def plugins(self) -> bytes | None:
        """The `plugins.zip` of the MWAA environment; None where it needs none."""
        return self.files.get(PLUGINS)

    def below(self, folder: str) -> dict[str, bytes]:
        """The files below a folder of the package (`mwaa/dags/`), by their path in that folder."""
        return {name.removeprefix(folder): body for name, body in self.files.items() if name.startswith(folder)}

    def template(self, stack: str) -> str:
        """The template of a stack, as it is deployed.

        Raises:
            KeyError: the package has no such stack.
        """
        return self.files[f"{STACKS}{stack}.yaml"].decode()

    def startup_script(self, environment: str) -> bytes:
        """The startup script of an MWAA environment, named as its file in `infra/environments/`.

        Raises:
            KeyError: the environment file was not there when the package was built.
        """
        return self.files[f"{STARTUP}{environment}.sh"]
