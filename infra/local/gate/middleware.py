"""The gate itself: ASGI middleware that passes on calls that follow the rules, and checks the answers."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.local.gate.calls import FORM, Answer, Call, Refusal, Refusals, Rule, Rules, Violation
from infra.local.gate.discovery import refusal

PLANNED = "x-planned-fault"
"""A header that marks an answer of a stand-in as wrong on purpose. The gate removes it."""

_OVERRIDE = "x-http-method-override"


class Gate:
    """The gate in front of a stand-in's application.

    Args:
        application: The application that answers calls that break no rule.
        rules: The rules of all served services.
        refusals: The record of refused calls and wrong answers.
    """

    def __init__(self, application: ASGIApp, rules: Sequence[Rules], refusals: Refusals) -> None:
        self._application = application
        self._rules = rules
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        arrived = await _call(scope, receive)
        if arrived is None:
            return  # the caller has disconnected
        call, violations = _meant(arrived)
        rule = next((found for rules in self._rules if (found := rules.find(call.verb, call.path))), None)
        if rule is None:
            unknown = Violation("path", f"Method not found: {call.verb} {call.path} is in no document of this service.")
            await self._refuse(call, [*violations, unknown], None, send)
            return
        violations = [*violations, *rule.broken_by(call)]
        if violations:
            await self._refuse(call, violations, rule, send)
            return
        await self._answer(call, rule, scope, receive, send)

    async def _refuse(self, call: Call, violations: Sequence[Violation], rule: Rule | None, send: Send) -> None:
        words = "\n".join(violation.sentence for violation in violations)
        self._refusals.add(Refusal(f"{call.verb} {call.path}", words))
        answer = rule.refusal(violations) if rule else refusal(violations, status=404, name="NOT_FOUND")
        await _send(answer, [], send)

    async def _answer(self, call: Call, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        start: MutableMapping[str, Any] = {}
        parts: list[bytes] = []
        read = False

        async def again() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": call.body, "more_body": False}

        async def held_back(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        try:
            await self._application(_as_called(scope, call), again, held_back)
        except Exception as error:
            self._refusals.add(Refusal(f"{call.verb} {call.path}", repr(error), of_answer=True))
            raise
        headers = [(name.lower(), value) for name, value in start["headers"]]
        kind = next((value.decode() for name, value in headers if name == b"content-type"), "")
        answer = Answer(start["status"], kind, b"".join(parts))
        others = [(name, value) for name, value in headers if name not in {b"content-type", b"content-length"}]
        if (PLANNED.encode(), b"1") in headers:
            await _send(answer, [pair for pair in others if pair[0] != PLANNED.encode()], send)
            return
        if words := rule.blames(answer):
            self._refusals.add(Refusal(f"{call.verb} {call.path}", words))
        answer, violations = rule.checked(call, answer)
        if violations:
            words = "\n".join(violation.sentence for violation in violations)
            self._refusals.add(Refusal(f"{call.verb} {call.path}", words, of_answer=True))
            answer = refusal(violations, status=500, name="INTERNAL")
        await _send(answer, others, send)


async def _call(scope: Scope, receive: Receive) -> Call | None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers[name.decode("latin-1").lower()] = value.decode("latin-1")
    path = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
    return Call(scope["method"], path.decode("ascii"), scope["query_string"].decode(), headers, body)


def _meant(call: Call) -> tuple[Call, list[Violation]]:
    """Return the intended call: a query that is too long for an address is posted, with its method in a header."""
    verb = call.headers.get(_OVERRIDE)
    if verb is None:
        return call, []
    violations = []
    if call.verb != "POST":
        violations.append(Violation(_OVERRIDE, f"{_OVERRIDE} comes with POST."))
    if verb != "GET":
        return Call(verb, call.path, call.query, call.headers, call.body), violations
    if call.content_type != FORM:
        violations.append(Violation("content-type", f'Invalid content type "{call.content_type}": it is {FORM}.'))
    if call.query:
        violations.append(Violation("query", "A call that posts its query must not have a query in its address too."))
    dropped = {_OVERRIDE, "content-type", "content-length"}
    headers = {name: value for name, value in call.headers.items() if name not in dropped}
    return Call("GET", call.path, call.body.decode(errors="replace"), headers, b""), violations


def _as_called(scope: Scope, call: Call) -> Scope:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in call.headers.items()]
    return {**scope, "method": call.verb, "query_string": call.query.encode(), "headers": headers}


async def _send(answer: Answer, headers: Sequence[tuple[bytes, bytes]], send: Send) -> None:
    own = [(b"content-length", str(len(answer.body)).encode())] if answer.status != 204 else []  # noqa: PLR2004
    if answer.content_type:
        own.append((b"content-type", answer.content_type.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, *own]})
    await send({"type": "http.response.body", "body": answer.body})
