"""A profile as one page that needs nothing beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from .head_map_pictures import colour_of
from .head_profile import HeadProfile
from .map_report import MapReport, agreements

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto;
  padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { text-align: left; padding: .2em .9em .2em 0; border-bottom: 1px solid #ddd;
  vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { display: inline-block; margin: 0 1.5em 1.5em 0; vertical-align: top; }
figcaption { color: #666; }
img { max-width: 100%; }
.type { display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
"""
CAPTIONS = {
    "types": "each head's type; frames around heads in doubt",
    "bytes": "what the caches of each layer take",
    "shares": "shares of attention",
    "distance": "attention against distance, samples with the longest past",
    "scores": "scores before the softmax, whose sign and period Pyramid Forcing types by",
    "layers": "types layer by layer",
}


def as_page(
    profile: HeadProfile,
    reports: Sequence[MapReport],
    pictures: Mapping[str, Mapping[str, bytes]],
) -> str:
    """Return the HTML: how it was measured, and a section per rule.

    Args:
        pictures: of each scheme, PNGs by name.
    """
    facts = {
        "model": f"fingerprint {profile.fingerprint}, {profile.geometry.layers} layers of "
        f"{profile.geometry.heads} heads",
        "measured": f"{len(profile.samples)} model calls of {len(profile.videos)} videos",
        **{name: _plain(value) for name, value in profile.parameters.items() if name != "model"},
    }
    title = escape(f"Heads of {profile.parameters.get('model', 'a model')}")
    body = "".join(_section(report, pictures[report.head_map.scheme]) for report in reports)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{_facts(facts)}\n{body}"
        "</body></html>\n"
    )


def _section(report: MapReport, pictures: Mapping[str, bytes]) -> str:
    head_map, halves = report.head_map, report.stability.halves
    total = sum(head_map.counts.values())
    rows = [
        (
            f'<span class="type" style="background:{colour_of(kind)}"></span>{escape(kind)}',
            str(count),
            f"{count / total:.0%}",
            "" if halves is None else f"{halves.get(kind, 1.0):.2f}",
        )
        for kind, count in sorted(head_map.counts.items())
    ]
    counts = _table(("type", "heads", "share", "agreement of two halves"), rows)
    compared = "".join(
        f"<h3>against {escape(name)}</h3>"
        + ("" if c.agreeing is None else f"<p>{c.agreeing:.0%} of heads have the same type.</p>")
        + _table(
            ("here", "there", "heads"),
            [(escape(a), escape(b), str(n)) for (a, b), n in sorted(c.counts.items())],
        )
        for name, c in report.comparisons.items()
    )
    figures = "".join(
        f'<figure><img alt="{escape(head_map.scheme)} {escape(name)}" '
        f'src="data:image/png;base64,{b64encode(png).decode()}">'
        f"<figcaption>{escape(CAPTIONS.get(name, name))}</figcaption></figure>\n"
        for name, png in pictures.items()
    )
    rule = _plain(head_map.evidence.parameters["rule"])
    return (
        f"<h2>{escape(head_map.scheme)}</h2>\n{counts}\n{_facts(agreements(report))}\n"
        f"<p>rule: {escape(rule)}</p>\n{figures}{compared}\n"
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = [(escape(name), escape(value)) for name, value in facts.items()]
    return "<table>" + "".join(f"<tr><th>{n}</th><td>{v}</td></tr>" for n, v in rows) + "</table>"


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join(
        "<tr>" + "".join(f"<td{_is_number(cell)}>{cell}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _is_number(cell: str) -> str:
    return ' class="number"' if cell[:1].isdigit() else ""


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return " x ".join(map(_plain, value))
    known = {None: "not set", False: "no", True: "yes"}
    return known[value] if value is None or isinstance(value, bool) else str(value)
