"""Deploy an environment: plan, ask, apply, upload, prepare, and ask the API for forecasts.

A deployment that was stopped, wherever that was, is finished by the same command: every step looks at what is there.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.deploy.project import Clients
from include.settings import Settings, settings
from infra.deployment import forecasts, plan, prepare
from infra.deployment.addresses import find_addresses, for_a_log
from infra.deployment.applying import Applier
from infra.deployment.athletes import athletes_of
from infra.deployment.callers import Callers
from infra.deployment.chain import Chain, explained
from infra.deployment.checks import run_checks
from infra.deployment.environment import Stack
from infra.deployment.failure import NotDeployed
from infra.deployment.findings import Place
from infra.deployment.home import Home
from infra.deployment.parts import Part, ordered, parts_of, uses_airflow
from infra.deployment.planning import Plan, Planner, plan_text
from infra.deployment.progress import Progress
from infra.package import DIST, Package

PLANNED = ("roles", "deployer", "package")
"""Checks of what the plan itself finds, and can change: missing roles are made, and the package is what was given."""


API_PATIENCE_S = 60.0


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

    def deploy(self, only: Collection[Part] | None = None) -> None:
        """Carry out the whole flow, or that of some parts.

        Raises:
            NotDeployed: something stopped it; the message says what to do.
        """
        self.home.open(self.package, self.progress.say)
        parts = self._parts(only)
        if not parts:
            self.home.leave(self.progress.say)
            return
        callers = callers_of(self.home)
        if "access" not in parts:
            callers = callers.as_deployer()
        self._check(callers, parts)
        planner = Planner(self.home, self.package, callers, self.more)
        with self.progress.stage("plan"):
            planned = planner.plan(parts)
        self.progress.plain(plan_text(self.home, self.package, callers, planned))
        if not planned.is_empty:
            self._confirm(callers, planned)
            Applier(planner, self.progress).apply(planned)
        if "dags" in parts:
            self.home.take_over(self.package, self.progress.say)
        if uses_airflow(parts):
            is_first = any(stack.action == "create" for stack in planned.only("serving"))
            self._prepare(callers, is_first=is_first, runs_dags="forecasts" in parts)
        if "serving" in parts and "forecasts" not in parts:
            self._see_that_the_api_answers(callers.deployer)
        if only is not None:
            self.progress.plain(f"\n{', '.join(ordered(parts))}: deployed after {self.progress.elapsed_s():.0f} s")

    def _parts(self, only: Collection[Part] | None) -> frozenset[Part]:
        """The parts that are deployed, with a line for what of them the environment does not have."""
        environment = self.home.environment
        if only is None:
            return parts_of(environment)
        if "mwaa" in only and environment.home != "mwaa":
            self.progress.say(f"mwaa: skipped, environment {environment.name} has Airflow in its {environment.home}")
        if "dags" in only and not self.home.reads_bucket:
            self.progress.say("dags: the release alone, the containers have the DAGs of their checkout")
        return parts_of(environment) & frozenset(only)

    def _check(self, callers: Callers, parts: frozenset[Part]) -> None:
        """Say what AWS will refuse, before anything is made.

        Raises:
            NotDeployed: something would stop the deployment.
        """
        with self.progress.stage("checks"):
            clients = callers.deployer if callers.has_roles else callers.caller
            is_local = self.home.endpoint_url is not None
            place = Place(clients, settings(), self.home.environment, is_local, DIST, datetime.now(UTC))
            findings = [finding for finding in run_checks(place) if finding.name not in PLANNED]
            if "mwaa" not in parts:
                findings = [finding for finding in findings if "MWAA" not in finding.name]
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

    def _prepare(self, callers: Callers, *, is_first: bool, runs_dags: bool) -> None:
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
            if runs_dags:
                chain.bring_to_forecast()
        if runs_dags:
            self._show(chain)

    def _see_that_the_api_answers(self, clients: Clients) -> None:
        """Ask the API for its health.

        Raises:
            NotDeployed: it does not answer within the time that a change takes to arrive.
        """
        found = find_addresses(clients, settings(), self.home.urls)
        if found is None:
            raise NotDeployed(f"the stack {settings().stack('serving')} names no API: look at its outputs")
        with self.progress.stage("API", f"{found.api}/health"):
            if not forecasts.is_healthy(found, API_PATIENCE_S):
                raise NotDeployed(f"everything is deployed, but {found.api}/health does not answer: see the API's log")

    def _athletes(self, clients: Clients) -> list[str]:
        """Every athlete of the deployment, with those of its source."""
        source, today = settings().source, datetime.now(UTC).date()
        return prepare.list_athletes(clients, settings(), athletes_of(source, today, clients))

    def _show(self, chain: Chain) -> None:
        answers = chain.ask_all()
        self.progress.plain("\n" + forecasts.summary(answers))
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
        f"\nDeployed, and no athlete yet: make garmin-key ATHLETE=me stores the key of one (make garmin-login "
        f"tokens of an unofficial login), then garmin_ingest fetches their data ({airflow_url}); source: {found.source}"
    )
