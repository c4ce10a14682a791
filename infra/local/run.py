"""The local stack, left running: simulated Google, emulators or embedded store, the functions, message delivery.

A small page of controls holds classes in the simulated Meet, so that there is something to see.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from functions import settings, wiring
from functions.adapters.store.databases.database import Database
from infra.local.calendar import CalendarSimulator
from infra.local.classes import believable_class
from infra.local.delivery import Pubsub, Trigger, deliver
from infra.local.demo import demo_accounts
from infra.local.emulators import firestore_emulator, pubsub_emulator
from infra.local.function_server import ROOT, Served, function_server
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.processes import StartError, bypass_proxies, terminate_as_interrupt
from infra.local.school import School, Space
from infra.local.subscriptions import WorkspaceEventsSimulator
from infra.local.workspace_events import Message, conference_ended

FOLDER = ROOT / ".local" / "run"
ENVIRONMENT = FOLDER / "env"
"""The functions' settings, for a shell to source: the commands that operate them need the same."""

PROJECT = "demo-meet-attendance"
TOPIC = f"projects/{PROJECT}/topics/workspace-events"
JOBS = f"projects/{PROJECT}/topics/attendance-jobs"
CHANGES = f"projects/{PROJECT}/topics/attendance-changed"
DEAD_LETTERS = f"projects/{PROJECT}/topics/attendance-dead-letter"

SYNC_DUE_EVERY = 30.0
"""Seconds; deployed: five minutes."""

Publish = Callable[[str, Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs, how to publish an event to it, and the documents that come of it."""

    urls: dict[str, str]
    school: School
    publish: Publish
    documents: Database


def main() -> None:
    """The command `make run`."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument(
        "--store",
        choices=["firestore", "sqlite"],
        default="firestore",
        help="firestore: the emulators of the Google Cloud SDK (default); sqlite: the embedded store, no Java",
    )
    parser.add_argument("--port", type=int, default=8090, help="where the controls listen (default: 8090)")
    parser.add_argument("--settle", type=int, default=30, help="SETTLE_SECONDS of the function (default: 30)")
    arguments = parser.parse_args()
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    FOLDER.chmod(0o700)  # the embedded store is in it
    terminate_as_interrupt()
    bypass_proxies()
    try:
        _require_free(arguments.port)
        with _environment(arguments.store) as store:
            asyncio.run(_serve(store, settle=arguments.settle, port=arguments.port))
    except StartError as error:
        sys.exit(f"The local stack cannot start. {error}")
    except KeyboardInterrupt:
        print("\nStopped.")


def _require_free(port: int) -> None:
    """Refuse before anything starts, and before what another stack has written down is written over."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does, after one that has just ended
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(
                f"Its controls cannot listen on port {port} ({error.strerror}). If another `make run` is going, use "
                "that one or stop it; otherwise name a free port: make run PORT=8091"
            ) from None


@contextlib.contextmanager
def _environment(store: str) -> Iterator[dict[str, str]]:
    """Start what keeps documents and messages; gives the function's settings for it."""
    if store == "sqlite":
        yield {"ATTENDANCE_STORE": f"sqlite:///{FOLDER / 'attendance.db'}"}
        return
    with firestore_emulator(FOLDER) as firestore, pubsub_emulator(FOLDER) as pubsub:
        yield {
            "FIRESTORE_EMULATOR_HOST": firestore,
            "PUBSUB_EMULATOR_HOST": pubsub,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "CHANGES_TOPIC": "attendance-changed",
        }


async def _serve(store: dict[str, str], *, settle: int, port: int) -> None:
    async with _stack(store, settle=settle) as stack:
        controls = f"http://127.0.0.1:{port}"
        for name, url in {"controls": controls, **stack.urls}.items():
            print(f"  {name:<24} {url}")
        print(
            f"\nSchedule a class:  curl -s '{controls}/request?people=30' | "
            f"curl -X POST {stack.urls['api']}/api/schedule/class -H 'content-type: application/json' -d @-\n"
            f"Hold it:           curl -X POST '{controls}/classes?people=30&meeting_code=CODE'\n"
            f"See its marks:     curl {stack.urls['api']}/api/sessions/SESSION_ID/attendance\n"
            f"As a page:         {stack.urls['api']}/api/sessions/SESSION_ID/attendance?format=html\n"
            f"Hold another one:  curl -X POST '{controls}/classes?people=30'\n"
            f"See documents:     curl {controls}/documents/sessions\n"
            f"Operate it:        source {ENVIRONMENT.relative_to(ROOT)}; "
            "make enroll TEACHER=teacher@school.example; make status\n"
            "Stop with Ctrl-C.",
            flush=True,
        )
        server = uvicorn.Server(
            uvicorn.Config(_controls(stack), host="127.0.0.1", port=port, log_level="warning", lifespan="off")
        )
        await server.serve()


@contextlib.asynccontextmanager
async def _stack(store: dict[str, str], *, settle: int) -> AsyncIterator[Stack]:
    school = School(lambda: datetime.now(UTC))
    school.enrol(*demo_accounts(30))
    async with (
        MeetSimulator(school, delay=timedelta(milliseconds=30)) as meet,
        WorkspaceEventsSimulator(school) as subscriptions,
    ):
        with contextlib.ExitStack() as programs:
            apis = programs.enter_context(GoogleApis(school).in_thread())
            calendar = programs.enter_context(CalendarSimulator(school).in_thread())
            env = {
                "AUTH_MODE": "anonymous",
                "API_CALLERS": "*=admin",
                "MEET_API_ENDPOINT": meet.endpoint,
                "PEOPLE_API_ENDPOINT": apis.endpoint,
                "DIRECTORY_API_ENDPOINT": apis.endpoint,
                "CALENDAR_API_ENDPOINT": calendar.endpoint,
                "REPORTS_API_ENDPOINT": apis.endpoint,
                "REPORTS_ADMIN": "admin@school.example",
                "WORKSPACE_EVENTS_API_ENDPOINT": subscriptions.endpoint,
                "ROOM_DEVICE_NAMES": "Room *",
                "SETTLE_SECONDS": str(settle),
                **store,
            }

            def start(target: str, signature: Literal["cloudevent", "http"]) -> Served:
                log = FOLDER / f"{target}.log"
                return programs.enter_context(function_server(target, env=env, log=log, signature=signature))

            _keep(env)
            # Starting them waits, and the simulators live in this loop.
            events = await asyncio.to_thread(start, "on_workspace_event", "cloudevent")
            jobs = await asyncio.to_thread(start, "on_job", "cloudevent")
            api = await asyncio.to_thread(start, "api", "http")
            urls = {
                "api": api.url,
                "on_workspace_event": events.url,
                "on_job": jobs.url,
                "meet": meet.endpoint,
                "people and directory": apis.endpoint,
                "calendar": calendar.endpoint,
                "logs": f"{FOLDER}/*.log",
                **store,
            }
            triggers = [_trigger(events, TOPIC, "workspace-events"), _trigger(jobs, JOBS, "attendance-jobs")]
            async with _delivery(triggers, store.get("PUBSUB_EMULATOR_HOST")) as publish, asyncio.TaskGroup() as tasks:
                clock = tasks.create_task(_schedule(publish))
                yield Stack(urls=urls, school=school, publish=publish, documents=_documents(env))
                clock.cancel()


def _keep(env: dict[str, str]) -> None:
    ENVIRONMENT.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()))


def _trigger(served: Served, topic: str, subscription: str) -> Trigger:
    return Trigger(
        url=served.url,
        topic=topic,
        subscription=f"projects/{PROJECT}/subscriptions/{subscription}",
        backoff=(timedelta(seconds=10), timedelta(minutes=10)),
    )


async def _schedule(publish: Publish) -> None:
    """What Cloud Scheduler does, only more often."""
    while True:
        await asyncio.sleep(SYNC_DUE_EVERY)
        await publish(JOBS, Message({"job": "sync-due"}, b"{}"))


@contextlib.asynccontextmanager
async def _delivery(triggers: Sequence[Trigger], pubsub_address: str | None) -> AsyncIterator[Publish]:
    """What brings messages to the functions: Pub/Sub's emulator, or without one this process."""
    tasks = asyncio.TaskGroup()
    async with contextlib.AsyncExitStack() as stack:
        background: list[asyncio.Task[object]] = []
        if pubsub_address is None:
            await stack.enter_async_context(tasks)
            by_topic = {trigger.topic: trigger for trigger in triggers}

            async def publish(topic: str, message: Message) -> None:
                background.append(tasks.create_task(deliver(by_topic[topic], message)))
        else:
            pubsub = Pubsub(pubsub_address)
            stack.push_async_callback(pubsub.close)
            for trigger in triggers:
                await pubsub.set_up(
                    trigger,
                    dead_letter_topic=DEAD_LETTERS,
                    dead_letter_subscription=f"projects/{PROJECT}/subscriptions/attendance-dead-letter",
                )
            await pubsub.create_topic(CHANGES)
            # If one ends, the group ends everything and says why.
            await stack.enter_async_context(tasks)
            background += [tasks.create_task(pubsub.run(trigger)) for trigger in triggers]

            async def publish(topic: str, message: Message) -> None:
                await pubsub.publish(topic, message)

        try:
            yield publish
        finally:
            for task in background:
                task.cancel()


def _documents(env: dict[str, str]) -> Database:
    """The documents that the function writes, by its own settings."""
    os.environ.update(env)  # Google's library looks there for the emulator
    return wiring.database(settings.load())


def _controls(stack: Stack) -> Starlette:
    async def index(_: Request) -> PlainTextResponse:
        return PlainTextResponse(
            "POST /classes?people=30&seed=1   a class that has just ended; its event is published\n"
            "     …&meeting_code=abc-mnop-xyz  held with the Meet link of a scheduled class, by its pupils\n"
            "GET  /request?people=30          a body for POST /api/schedule/class: a class that ends now\n"
            "GET  /conferences                what the simulated Meet holds\n"
            "GET  /documents/{path}           a stored document, or all of a collection\n"
        )

    async def hold(request: Request) -> JSONResponse:
        people, seed = _number(request, "people", 30), _number(request, "seed", random.randrange(10**6))
        if not 1 <= people <= 1000:  # noqa: PLR2004 - Meet's own largest conference
            raise HTTPException(422, "people should be between 1 and 1000")
        length = timedelta(minutes=50)
        now = datetime.now(UTC)
        room = _room(request, stack.school)
        teacher, *pupils = demo_accounts(people)
        held = believable_class(
            seed,
            people=people,
            start=now - length,
            length=length,
            settled=False,
            organizer=teacher.user,
            space=room.name if room else None,
            meeting_code=room.meeting_code if room else None,
            pupils=pupils if room else (),
        )
        stack.school.hold(held)
        await stack.publish(TOPIC, conference_ended(held.name, organizer=held.organizer, at=now))
        return JSONResponse(
            {
                "conference_record": held.name,
                "people": people,
                "seed": seed,
                "documents": [f"conferences/{held.id}", f"sessions/{held.id}", f"sessions/{held.id}/attendance"],
            },
            status_code=201,
        )

    async def accounts(request: Request) -> JSONResponse:
        people = _number(request, "people", 30)
        if not 1 <= people <= 1000:  # noqa: PLR2004 - as above
            raise HTTPException(422, "people should be between 1 and 1000")
        teacher, *pupils = demo_accounts(people)
        stack.school.enrol(teacher, *pupils)
        now = datetime.now(UTC)
        return JSONResponse(
            {
                "teacher_email": teacher.email,
                "students": [{"email": pupil.email, "display_name": pupil.display_name} for pupil in pupils],
                "subject": "Mathematics",
                "class_id": "7b",
                "start_time": (now - timedelta(minutes=50)).isoformat(),
                "duration_minutes": 50,
            }
        )

    async def conferences(_: Request) -> JSONResponse:
        return JSONResponse({"conference_records": [conference.name for conference in stack.school.conferences()]})

    async def documents(request: Request) -> Response:
        path = request.path_params["path"].strip("/")
        if path.count("/") % 2 == 0:
            found = await stack.documents.children(path)
            return _json([document.fields for document in found])
        document = await stack.documents.get(path)
        if document is None:
            raise HTTPException(404, f"There is no document {path}")
        return _json(document.fields)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/classes", hold, methods=["POST"]),
            Route("/request", accounts),
            Route("/conferences", conferences),
            Route("/documents/{path:path}", documents),
        ]
    )


def _room(request: Request, school: School) -> Space | None:
    """The room whose code the request names."""
    code = request.query_params.get("meeting_code")
    room = school.space(f"spaces/{code}") if code else None
    if code and room is None:
        raise HTTPException(422, "meeting_code is that of no room in the simulated Meet")
    return room


def _json(content: object) -> Response:
    return Response(
        json.dumps(content, default=datetime.isoformat, ensure_ascii=False, indent=2) + "\n",
        media_type="application/json",
    )


def _number(request: Request, name: str, default: int) -> int:
    try:
        return int(request.query_params.get(name, default))
    except ValueError:
        raise HTTPException(422, f"{name} should be a whole number") from None


if __name__ == "__main__":
    main()
