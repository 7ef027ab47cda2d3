"""What went wrong, in a sentence, and what a command ends with then."""

from __future__ import annotations

# exit codes: of a stop from outside, and of what was refused or failed
INTERRUPTED, FAILED = 130, 2
# what a user can do something about; anything else is a fault of ours
TOLD = (ValueError, RuntimeError, OSError, MemoryError)


def sentence(error: BaseException) -> str:
    """Return what an error says, on one line."""
    if isinstance(error, MemoryError):
        return "the memory of this machine must suffice for what was asked, got none left"
    if isinstance(error, OSError) and error.strerror is not None:
        where = "a file" if error.filename is None else error.filename
        return f"{where} cannot be used: {error.strerror}"
    lines = (str(error) or repr(error)).splitlines()
    # torch appends its own stack to some messages; names of files may have lines
    return lines[0] if isinstance(error, RuntimeError) else " ".join(lines)
