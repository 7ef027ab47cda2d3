"""``headforcing`` and ``python -m headforcing``."""

import signal
import sys


def main() -> int:
    """Run the command line; Ctrl-C while it is still being imported is an orderly end, too."""
    try:
        from .headforcing_core.cli import main as command_line

        return command_line()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return 130


if __name__ == "__main__":
    sys.exit(main())
