"""Take an environment away: what goes, what stays, and whether a person wants it."""

from collections.abc import Callable
from dataclasses import dataclass

from include.deploy import project
from include.settings import Settings, settings
from infra.deployment.callers import Callers
from infra.deployment.failure import NotDeployed
from infra.deployment.flow import callers_of
from infra.deployment.home import Home
from infra.deployment.progress import Progress


@dataclass(frozen=True)
class Removal:
    """What of a deployment is to be taken away.

    Args:
        ask: asks a person a question and returns what they typed; None where nobody can be asked.
    """

    home: Home
    progress: Progress
    ask: Callable[[str], str] | None
    is_confirmed: bool = False
    with_data: bool = False
    with_access: bool = False

    def remove(self) -> None:
        """Say what goes, ask, and take it away; one that was stopped is finished by running it again.

        Raises:
            NotDeployed: not confirmed, or the caller lacks a right.
            StackFailed: a stack could not be deleted.
        """
        self.home.open(None, self.progress.say)
        callers = callers_of(self.home)
        self.progress.plain(self._text(settings()))
        self._confirm(settings())
        clients = callers.deployer if self._acts_as_deployer(callers) else callers.caller
        self.home.before_deletion(clients, self.progress.say)
        with self.progress.stage("deletion") as detail:
            project.delete(
                clients,
                settings(),
                with_data=self.with_data,
                on_progress=detail,
                sleep=self.home.sleep(),
            )
            if self.with_access:
                project.delete_access(callers.caller, settings(), on_progress=detail, sleep=self.home.sleep())
        self.home.after_deletion(self.progress.say)
        self.progress.plain("\n".join(self._kept(settings())))

    def _acts_as_deployer(self, callers: Callers) -> bool:
        return callers.has_roles

    def _text(self, found: Settings) -> str:
        goes = [
            "the API and its keys, endpoint, alarms",
            "all model packages",
            "the feature groups",
            "the logs of our jobs",
        ]
        if self.home.environment.home == "mwaa":
            goes.insert(0, "Airflow on MWAA with its database and network")
        if self.with_data:
            goes.append(f"the bucket {found.bucket} with ALL HISTORY, and the athletes' Garmin tokens")
        if self.with_access:
            goes.append(f"the roles of the stack {found.stack('access')}")
        place = f"account {found.account_id}, {found.region}"
        head = f"\nTo be taken away of environment {self.home.environment.name}, {place}:"
        return "\n".join([head, *(f"  - {line}" for line in goes), *self._kept(found)]) + "\n"

    def _kept(self, found: Settings) -> list[str]:
        kept = (
            []
            if self.with_data
            else [f"the bucket {found.bucket} with all history, and the Garmin tokens (--with-data)"]
        )
        kept += [] if self.with_access else [f"the roles of the stack {found.stack('access')} (--with-access)"]
        return ["Kept:", *(f"  - {line}" for line in kept)] if kept else []

    def _confirm(self, found: Settings) -> None:
        if self.is_confirmed:
            return
        wanted = found.project if self.with_data else "yes"
        warning = "Nothing can bring the history back. " if self.with_data else ""
        question = f"{warning}Type {wanted} to go on: "
        try:
            answer = self.ask(question) if self.ask else None
        except (EOFError, KeyboardInterrupt):
            answer = ""
        if answer is not None and answer.strip() == wanted:
            return
        self.home.leave(self.progress.say)
        if answer is None:
            raise NotDeployed("there is no terminal to ask at, so nothing was deleted: add --yes (OPTIONS=--yes)")
        raise NotDeployed("nothing was deleted: not confirmed")
