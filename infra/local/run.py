"""The local stack, left running: simulated Meet, emulators or embedded store, the function, event delivery.

A small page of controls holds classes in the simulated Meet, so that there is something to see.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from functions import settings, wiring
from functions.adapters.database import Database
from infra.local.classes import believable_class
from infra.local.delivery import Pubsub, Trigger, deliver
from infra.local.emulators import firestore_emulator, pubsub_emulator
from infra.local.function_server import ROOT, function_server
from infra.local.meet import MeetSimulator
from infra.local.processes import StartError, bypass_proxies, terminate_as_interrupt
from infra.local.school import School
from infra.local.workspace_events import Message, conference_ended

FOLDER = ROOT / ".local" / "run"
PROJECT = "demo-meet-attendance"
TOPIC = f"projects/{PROJECT}/topics/workspace-events"
DEAD_LETTERS = f"projects/{PROJECT}/topics/attendance-dead-letter"

Publish = Callable[[Message], Awaitable[None]]


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
    FOLDER.mkdir(parents=True, exist_ok=True)
    terminate_as_interrupt()
    bypass_proxies()
    try:
        with _environment(arguments.store) as store:
            asyncio.run(_serve(store, settle=arguments.settle, port=arguments.port))
    except StartError as error:
        sys.exit(f"The local stack cannot start. {error}")
    except KeyboardInterrupt:
        print("\nStopped.")


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
        }


async def _serve(store: dict[str, str], *, settle: int, port: int) -> None:
    async with _stack(store, settle=settle) as stack:
        controls = f"http://127.0.0.1:{port}"
        for name, url in {"controls": controls, **stack.urls}.items():
            print(f"  {name:<24} {url}")
        print(
            f"\nHold a class:     curl -X POST '{controls}/classes?people=30'\n"
            f"See its outcome:  curl {controls}/documents/sessions\n"
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
    log = FOLDER / "function.log"
    async with MeetSimulator(school, delay=timedelta(milliseconds=30)) as meet:
        env = {"AUTH_MODE": "anonymous", "MEET_API_ENDPOINT": meet.endpoint, "SETTLE_SECONDS": str(settle), **store}
        with contextlib.ExitStack() as programs:
            # Starting it waits, and the simulator lives in this loop.
            function = await asyncio.to_thread(
                programs.enter_context, function_server("on_workspace_event", env=env, log=log)
            )
            trigger = Trigger(
                url=function.url,
                topic=TOPIC,
                subscription=f"projects/{PROJECT}/subscriptions/workspace-events",
                backoff=(timedelta(seconds=10), timedelta(minutes=10)),
            )
            urls = {"function": function.url, "meet": meet.endpoint, "function log": str(log), **store}
            async with _delivery(trigger, store.get("PUBSUB_EMULATOR_HOST")) as publish:
                yield Stack(urls=urls, school=school, publish=publish, documents=_documents(env))


@contextlib.asynccontextmanager
async def _delivery(trigger: Trigger, pubsub_address: str | None) -> AsyncIterator[Publish]:
    """What brings events to the function: Pub/Sub's emulator, or without one this process."""
    tasks = asyncio.TaskGroup()
    async with contextlib.AsyncExitStack() as stack:
        if pubsub_address is None:
            await stack.enter_async_context(tasks)

            async def publish(message: Message) -> None:
                background.append(tasks.create_task(deliver(trigger, message)))

            background: list[asyncio.Task[object]] = []
        else:
            pubsub = Pubsub(pubsub_address)
            stack.push_async_callback(pubsub.close)
            await pubsub.set_up(
                trigger,
                dead_letter_topic=DEAD_LETTERS,
                dead_letter_subscription=f"projects/{PROJECT}/subscriptions/attendance-dead-letter",
            )
            # If it ends, the group ends everything and says why.
            await stack.enter_async_context(tasks)
            background = [tasks.create_task(pubsub.run(trigger))]

            async def publish(message: Message) -> None:
                await pubsub.publish(TOPIC, message)

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
            "GET  /conferences                what the simulated Meet holds\n"
            "GET  /documents/{path}           a stored document, or all of a collection\n"
        )

    async def hold(request: Request) -> JSONResponse:
        people, seed = _number(request, "people", 30), _number(request, "seed", random.randrange(10**6))
        if not 1 <= people <= 1000:  # noqa: PLR2004 - Meet's own largest conference
            raise HTTPException(422, "people should be between 1 and 1000")
        length = timedelta(minutes=50)
        now = datetime.now(UTC)
        held = believable_class(seed, people=people, start=now - length, length=length, settled=False)
        stack.school.hold(held)
        await stack.publish(conference_ended(held.name, organizer=held.organizer, at=now))
        return JSONResponse(
            {
                "conference_record": held.name,
                "people": people,
                "seed": seed,
                "documents": [f"conferences/{held.id}", f"sessions/{held.id}", f"sessions/{held.id}/attendance"],
            },
            status_code=201,
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
            Route("/conferences", conferences),
            Route("/documents/{path:path}", documents),
        ]
    )


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
