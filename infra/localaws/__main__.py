"""`python -m infra.localaws`: AWS on a laptop; `--help` says all."""

import os
import sys

from infra.localaws.cli import main

if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All is saved and closed. What threads still have under way is lost (a Lambda's event may have a minute left), and
    # the interpreter would wait for the threads of a pool.
    os._exit(code)
