"""Deploy an environment: plan, ask, apply, upload, prepare, and ask the API for forecasts.

A deployment that was stopped, wherever that was, is finished by the same command: every step looks at what is there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.deploy.project import Clients
from include.settings import Settings, settings
from infra.deployment import forecasts, plan, prepare, stacks
from infra.deployment.addresses import for_a_log
from infra.deployment.applying import Applier
from infra.deployment.athletes import athletes_of
from infra.deployment.callers import Callers
from infra.deployment.chain import Chain, explained
from infra.deployment.checks import run_checks
from infra.deployment.environment import Stack
from infra.deployment.failure import NotDeployed
from infra.deployment.findings import Place
from infra.deployment.home import Home
from infra.deployment.planning import Plan, Planner, plan_text
from infra.deployment.progress import Progress
from infra.package import DIST, Package

PLANNED = ("roles", "deployer", "package")
"""Checks of what the plan itself finds, and can change: missing roles are made, and the package is what was given."""


@dataclass
class Deployer:
    """Deploys one package to one environment.

    Args:
        ask: asks a person a question and returns what they typed; None where nobody can be asked.
        more: parameters of stacks from the command line.
    """

    home: Home
    package: Package
    progress: Progress
    ask: Callable[[str], str] | None
    is_confirmed: bool = False
    more: Mapping[Stack, Mapping[str, str]] = field(default_factory=dict)

    def deploy(self, *, only_access: bool = False) -> None:
        """Carry out the whole flow.

        Raises:
            NotDeployed: something stopped it; the message says what to do.
        """
        self.home.open(self.package, self.progress.say)
        callers = callers_of(self.home)
        self._check(callers)
        planner = Planner(self.home, self.package, callers, self.more)
        with self.progress.stage("plan"):
            planned = planner.plan(("access",) if only_access else stacks.stack_names(self.home.environment))
        self.progress.plain(plan_text(self.home, self.package, callers, planned))
        if not planned.is_empty:
            self._confirm(callers, planned)
            Applier(planner, self.progress).apply(planned)
        if not only_access:
            self.home.take_over(self.package, self.progress.say)
            self._bring_to_forecast(callers, is_first=planned.of("serving").action == "create")

    def _check(self, callers: Callers) -> None:
        """Say what AWS will refuse, before anything is made.

        Raises:
            NotDeployed: something would stop the deployment.
        """
        with self.progress.stage("checks"):
            clients = callers.deployer if callers.has_roles else callers.caller
            is_local = self.home.endpoint_url is not None
            place = Place(clients, settings(), self.home.environment, is_local, DIST, datetime.now(UTC))
            findings = [finding for finding in run_checks(place) if finding.name not in PLANNED]
        for finding in findings:
            if finding.verdict == "warning":
                self.progress.say(finding.line)
        if blockers := [finding.line for finding in findings if finding.verdict == "blocker"]:
            raise NotDeployed("nothing was changed, since it would not succeed:\n" + "\n".join(blockers))

    def _confirm(self, callers: Callers, planned: Plan) -> None:
        """Go on, or drop the plan.

        Raises:
            NotDeployed: the person does not want it, or nobody can be asked.
        """
        if self.is_confirmed:
            return
        try:
            answer = self.ask("Deploy this? [y/N] ") if self.ask else None
        except (EOFError, KeyboardInterrupt):
            answer = ""
        if answer is not None and answer.strip().lower() in ("y", "yes"):
            return
        for stack in planned.stacks:
            clients = callers.caller if stack.request.name == "access" and not callers.is_deployer else None
            plan.discard(clients or (callers.deployer if callers.has_roles else callers.caller), [stack])
        self.home.leave(self.progress.say)
        if answer is None:
            raise NotDeployed("there is no terminal to ask at, so nothing was deployed: add --yes (OPTIONS=--yes)")
        raise NotDeployed("nothing was deployed: not confirmed")

    def _bring_to_forecast(self, callers: Callers, *, is_first: bool) -> None:
        clients = callers.deployer
        airflow = self.home.airflow(clients)
        with self.progress.stage("Airflow", self.home.where_logs_are) as detail:
            self.home.wait(clients, detail)
            athletes = self._athletes(clients)
            prepare.make_pools(airflow)
        chain = Chain(
            airflow,
            clients,
            settings(),
            self.progress,
            athletes,
            self.home.urls,
            self.home.shown_urls,
            self.home.patience,
        )
        with explained(chain, self.home.where_logs_are):
            chain.wait_for_dags()
            prepare.unpause(airflow, self.progress.say, is_first=is_first)
            if not athletes:
                self.progress.plain(no_athletes(settings(), self.home.shown_urls.airflow))
                return
            chain.bring_to_forecast()
        self._show(chain)

    def _athletes(self, clients: Clients) -> list[str]:
        """Every athlete of the deployment, with those of its source."""
        source, today = settings().source, datetime.now(UTC).date()
        return prepare.list_athletes(clients, settings(), athletes_of(source, today, clients))

    def _show(self, chain: Chain) -> None:
        answers = chain.ask_all()
        self.progress.plain("\n" + forecasts.table(answers))
        missed = [
            f"{answer.athlete_id}: {fault}"
            for answer in answers
            for fault in forecasts.faults(answer, chain.has_readings(answer.athlete_id))
        ]
        self.progress.plain("\n" + self.progress.breakdown())
        self.progress.plain(f"\nReady after {self.progress.elapsed_s():.0f} s:")
        addresses = chain.addresses()
        is_secret = self.home.endpoint_url is None and not self.progress.out.isatty()
        self.progress.plain((for_a_log(addresses) if is_secret else addresses).text(chain.athletes[0]))
        if missed:
            raise NotDeployed("everything is deployed, but not every forecast is as documented:\n" + "\n".join(missed))


def callers_of(home: Home) -> Callers:
    """Who runs the command, in an open home.

    Raises:
        NotDeployed: there are no credentials, or they are of another account.
    """
    session = home.session()
    callers = Callers(session, home.caller_arn(session), settings(), home.endpoint_url, home.environment.name)
    callers.require_account()
    return callers


def no_athletes(found: Settings, airflow_url: str) -> str:
    """What a deployment without athletes waits for."""
    return (
        f"\nDeployed, and no athlete yet: make garmin-login ATHLETE=me stores the tokens of one, then garmin_ingest "
        f"fetches their data ({airflow_url}); source: {found.source}"
    )
