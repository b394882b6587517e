"""A stage's access log: one line a request, in the stage's own format."""

import hashlib
import re
from collections.abc import Mapping

from infra.localaws.lambdas.writer import LogWriter

_VARIABLE = re.compile(r"\$context\.([A-Za-z]+(?:\.[A-Za-z]+)*)")
MISSING = "-"
NO_ROLE = "CloudWatch Logs role ARN must be set in account settings to enable logging"


class AccessLog:
    """Writes lines off the path of a request."""

    def __init__(self) -> None:
        self._writer = LogWriter()

    def write(self, settings: Mapping[str, str], api_id: str, stage: str, context: Mapping[str, str]) -> None:
        """Write one request; `settings` are the stage's `destinationArn` and `format`."""
        group = settings.get("destinationArn", "").partition(":log-group:")[2].removesuffix(":*")
        if not group:
            return
        line = _VARIABLE.sub(lambda match: context.get(match[1]) or MISSING, settings.get("format", ""))
        stream = hashlib.md5(f"{api_id}/{stage}".encode(), usedforsecurity=False).hexdigest()
        self._writer.write(group, stream, [line])

    def close(self) -> None:
        """Wait until all is written."""
        self._writer.close()
