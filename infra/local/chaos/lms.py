"""The LMS's work on a day: it enrols teachers and schedules classes, and people set marks by hand."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import httpx

from infra.local.chaos.world import Lesson, World


async def schedule(world: World, api: httpx.AsyncClient) -> dict[str, str]:
    """Enrol every teacher and enter the classes that are known early; return their session ids by the LMS's own ids."""
    for teacher in world.teachers:
        await _insisting(functools.partial(api.post, "/api/organizers", json={"email": teacher.email}))
    return await _enter(world, world.schedule(late=False), api)


async def schedule_late(world: World, api: httpx.AsyncClient) -> dict[str, str]:
    """Enter the other classes, with the new addresses of renamed accounts."""
    return await _enter(world, world.schedule(late=True), api)


async def _enter(world: World, lessons: Iterable[Lesson], api: httpx.AsyncClient) -> dict[str, str]:
    """Enter each teacher's classes one after the other: a teacher with invalid credentials does not delay others."""
    found: dict[str, str] = {}

    async def enter(some: Iterable[Lesson]) -> None:
        for lesson in some:
            answer = await _insisting(functools.partial(api.post, "/api/schedule/class", json=world.request(lesson)))
            found[lesson.external_id] = str(answer["session_id"])

    by_teacher: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        by_teacher.setdefault(lesson.teacher.user, []).append(lesson)
    async with asyncio.TaskGroup() as tasks:
        for some in by_teacher.values():
            tasks.create_task(enter(some))
    return found


async def decide(world: World, sessions: Mapping[str, str], api: httpx.AsyncClient, pause: float = 0.0) -> None:
    """Set marks by hand."""
    for decision in world.decisions:
        body = {"overrides": [{"student_id": decision.student_id, "status": decision.status}], "by": "Mrs Head"}
        url = f"/api/sessions/{sessions[decision.external_id]}/overrides"
        await _insisting(functools.partial(api.put, url, json=body))
        await asyncio.sleep(pause)


async def _insisting(call: Callable[[], Awaitable[httpx.Response]]) -> dict[str, Any]:
    """Call like an LMS.

    Repeat the call after a moment if the failure may be temporary, including invalid credentials (502).
    """
    while True:
        answer = await call()
        if answer.is_success:
            found: dict[str, Any] = answer.json() if answer.content else {}
            return found
        if answer.status_code not in {429, 502, 503}:
            raise RuntimeError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
        await asyncio.sleep(0.5)
