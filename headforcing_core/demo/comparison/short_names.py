"""Names of rows as tables and plots show them: methods with many settings have long ones."""

from __future__ import annotations

from collections.abc import Iterable

# letters that a table has room for
LONGEST = 60


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return what each name is shown as, no two alike: its beginning, and as much of its end."""
    shown: dict[str, str] = {}
    for name in names:
        short = name if len(name) <= LONGEST else _short(name)
        number, told = 1, short
        while told in shown.values():
            number += 1
            told = f"{short} ({number})"
        shown[name] = told
    return shown


def full_names(names: Iterable[str]) -> str:
    """Return lines that say which names were shortened, and what they are; none, if none was."""
    pairs = [(short, name) for name, short in short_names(names).items() if short != name]
    return "".join(f"{short}\n  is {name}\n" for short, name in pairs)


def _short(name: str) -> str:
    first, _, rest = name.partition(",")
    first = first[: LONGEST // 2]
    last = rest[-(LONGEST - len(first) - 2) :]
    cut = last.find(",")
    return f"{first},…{last[cut:] if cut >= 0 else last}"
