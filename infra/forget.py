"""What `python -m infra.deploy forget --athlete ID` shows, asks and does."""

from collections.abc import Callable
from datetime import UTC, datetime

from include.deploy.forget import Clients, Plan, plan_erasure
from include.settings import Settings

REMAINS = (
    "Not erased by this: models built so far (what they learnt; no rows and no names), which the next model_build",
    "replaces; Airflow's database and logs, which may name the athlete until they expire; export files that you keep.",
)


class NotConfirmed(Exception):
    """The person did not want it; nothing was erased."""


def forget(
    clients: Clients,
    settings: Settings,
    athlete_id: str,
    *,
    is_confirmed: bool,
    say: Callable[[str], object],
    ask: Callable[[str], str] = input,
) -> None:
    """Show what there is of an athlete, and erase it for good once the person has typed the id again.

    Raises:
        NotConfirmed: another answer.
    """
    plan = plan_erasure(clients, settings, athlete_id, datetime.now(UTC))
    if not plan.erasures:
        say(f"nothing left of {athlete_id}")
        return
    say(f"of {athlete_id} there is, in {settings.bucket} and beside it:")
    for erasure in plan.erasures:
        say(f"  {erasure.what}")
    if not is_confirmed:
        _confirm(athlete_id, ask)
    for erasure in plan.erasures:
        erasure.carry_out()
        say(f"erased {erasure.what}")
    _say_what_remains(plan, say)


def _confirm(athlete_id: str, ask: Callable[[str], str]) -> None:
    try:
        answer = ask("Nothing can bring it back. Type the athlete's id to erase all of it: ")
    except EOFError:
        answer = ""
    if answer.strip() != athlete_id:
        raise NotConfirmed(f"nothing was erased of {athlete_id}: not confirmed")


def _say_what_remains(plan: Plan, say: Callable[[str], object]) -> None:
    for line in REMAINS:
        say(line)
    if plan.again_after is not None:
        say(
            f"Feature Store may still write rows that were put just now: run this again after "
            f"{plan.again_after:%H:%M} UTC, with garmin_ingest and garmin_backfill at rest."
        )
