"""``headforcing`` and ``python -m headforcing``."""

import signal
import sys

FAILED = 2


def main() -> int:
    """Run the command line; Ctrl-C while it is still being imported is an orderly end, too."""
    try:
        if sys.argv[1:2] == ["doctor"]:  # it runs where nothing else does
            from .doctor import main as doctor

            return doctor(sys.argv[2:])
        try:
            from .headforcing_core.cli import main as command_line
        except (ImportError, OSError) as error:
            reason = " ".join(str(error).split())
            sys.stderr.write(
                "headforcing: PyTorch and what comes with it must be importable, got "
                f"{type(error).__name__}: {reason}; headforcing doctor says what to mend\n"
            )
            return FAILED
        return command_line()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return 130


if __name__ == "__main__":
    sys.exit(main())
