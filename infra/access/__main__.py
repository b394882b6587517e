"""`python -m infra.access`: write the table of roles into docs/aws.md; with a file of calls, say what was not used."""

import argparse
import json
import sys
from pathlib import Path

from infra.access.calls import judge
from infra.access.grants import grants
from infra.access.table import PAGE, with_table


def main() -> int:
    """Write the table, or judge a run; 1 where a call was denied or an unused grant has no reason."""
    parser = argparse.ArgumentParser(prog="python -m infra.access", description=__doc__)
    parser.add_argument("--calls", type=Path, metavar="FILE", help="iam-calls.json of a local AWS's state folder")
    parser.add_argument("--project", default="garmin-forecast", help="prefix of the roles' names (%(default)s)")
    options = parser.parse_args()
    if options.calls is None:
        PAGE.write_text(with_table(PAGE.read_text()))
        print(f"wrote the table of roles into {PAGE.name}")
        return 0
    access = judge(json.loads(options.calls.read_text()), options.project, grants())
    for sentence in access.denied:
        print(f"denied: {sentence}")
    for grant in access.unused:
        mark = "without a reason: " if grant in access.unexplained else ""
        print(f"unused, {mark}{grant.role} {grant.place} {grant.action}")
    return 1 if access.denied or access.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
