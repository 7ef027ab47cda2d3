"""A question of the page: JSON of a known form, of a bounded size, answered in JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

# of a body, in bytes: schedules of hours are smaller
MOST = 256 * 1024
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Refused(ValueError):
    """A question that is not answered, with the status that says why."""

    def __init__(self, sentence: str, status: int = 400):
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Question:
    """A route and what is asked there.

    Args:
        route: below /head_forcing/.
        fields: type of each value that must be there; a number may be whole.
        answer: gives what is sent back; what it raises as ValueError is sent as a sentence.
        optional: type of each value that may be missing or null; then it is None.
        as_one: the answer takes all values as one mapping.
    """

    route: str
    fields: Mapping[str, type]
    answer: Callable[..., Awaitable[Any] | Any]
    optional: Mapping[str, type] | None = None
    as_one: bool = False

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request, or refuse it in a sentence."""
        try:
            values = self._read(await _body(request))
            found = self.answer(values) if self.as_one else self.answer(**values)
            if isinstance(found, Awaitable):
                found = await found
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(found)

    def _read(self, body: object) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise Refused(f"a question must be a JSON object, got {type(body).__name__}")
        known = {**self.fields, **(self.optional or {})}
        unknown = sorted(set(body) - set(known))
        if unknown:
            raise Refused(f"a question must have {', '.join(known)}, got {unknown[0][:40]!r} too")
        return {name: self._value(name, kind, body.get(name)) for name, kind in known.items()}

    def _value(self, name: str, kind: type, value: object) -> Any:
        if value is None and name not in self.fields:
            return None
        if kind is float and type(value) is int:
            value = float(value)
        if kind is str and type(value) is int:  # such as a node's name
            value = str(value)
        if type(value) is not kind:
            raise Refused(f"{name} must be {_KINDS[kind]}, got {json.dumps(value)[:40]}")
        return value


_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_KINDS |= {dict: "an object", list: "a list"}


async def _body(request: web.Request) -> object:
    """Read a body, of which nothing beyond the bound is read.

    A page of another place can send forms, not JSON: the kind is asked for.
    """
    if request.content_type != "application/json":
        raise Refused(f"a question must be application/json, got {request.content_type}", 415)
    read = bytearray()
    async for part in request.content.iter_any():
        read += part
        if len(read) > MOST:
            raise Refused(f"a question must be at most {MOST} bytes, got more", 413)
    try:
        return json.loads(read.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"a question must be JSON, got what cannot be read: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
