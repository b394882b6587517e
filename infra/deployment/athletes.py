"""The athletes of a deployment's own source of Garmin data."""

from datetime import date

from include.deploy.project import Clients
from include.garmin.document import SourceError
from include.garmin.open import is_live, open_source
from infra.deployment.failure import NotDeployed


def athletes_of(source: str, today: date, clients: Clients) -> list[str]:
    """Ids of the athletes of a source; a live source has those whose tokens are kept, so it may have none yet.

    Raises:
        NotDeployed: the source cannot be read, or a source of files holds nobody.
    """
    try:
        found = open_source(source, today, clients).athletes()
    except (SourceError, OSError) as error:
        raise NotDeployed(f"SOURCE={source} cannot be read: {error}") from error
    if not found and not is_live(source):
        raise NotDeployed(f"SOURCE={source} holds no athlete.")
    return list(found)
