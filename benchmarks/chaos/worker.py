"""`ssmtl worker` with another handler: `python -m benchmarks.chaos.worker <handler>`.

Imports stay inside: the child process of every job imports this module again.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run jobs until SIGTERM."""
    from app.logs import configure_logging
    from app.settings import get_settings
    from app.worker.loop import run_until_signalled
    from benchmarks.chaos.handlers import HANDLERS

    settings = get_settings()
    configure_logging(settings.log_level)
    run_until_signalled(settings, handlers={"training": HANDLERS[sys.argv[1]]})


if __name__ == "__main__":
    main()
