"""What the LMS does on a day: it enrols teachers, schedules classes, and people set marks by hand."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from infra.local.chaos.world import World


async def schedule(world: World, api: httpx.AsyncClient) -> dict[str, str]:
    """Enrol every teacher and schedule every class; gives the classes' session ids by the LMS's own."""
    for teacher in world.teachers:
        await _insisting(functools.partial(api.post, "/api/organizers", json={"email": teacher.email}))
    found = {}
    for lesson in world.lessons:
        answer = await _insisting(functools.partial(api.post, "/api/schedule/class", json=lesson.request()))
        found[lesson.external_id] = str(answer["session_id"])
    return found


async def decide(world: World, sessions: Mapping[str, str], api: httpx.AsyncClient, pause: float = 0.0) -> None:
    """Set marks by hand."""
    for decision in world.decisions:
        body = {"overrides": [{"student_id": decision.student_id, "status": decision.status}], "by": "Mrs Head"}
        url = f"/api/sessions/{sessions[decision.external_id]}/overrides"
        await _insisting(functools.partial(api.put, url, json=body))
        await asyncio.sleep(pause)


async def _insisting(call: Callable[[], Awaitable[httpx.Response]]) -> dict[str, Any]:
    """Call as an LMS does: again after a moment for what may pass."""
    while True:
        answer = await call()
        if answer.is_success:
            found: dict[str, Any] = answer.json() if answer.content else {}
            return found
        if answer.status_code not in {429, 503}:
            raise RuntimeError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
        await asyncio.sleep(0.5)
