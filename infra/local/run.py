"""The running local stack: simulated Google, emulators or embedded store, the functions, message delivery.

A small page of controls holds classes in the simulated Meet, so that there is data to look at.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import uvicorn

from functions import settings, wiring
from functions.adapters.store.databases.database import Database
from infra.local.calendar import CalendarSimulator
from infra.local.controls import TOPIC, Publish, Stack, controls
from infra.local.delivery import Pubsub, Trigger, deliver
from infra.local.demo import demo_accounts
from infra.local.emulators import firestore_emulator, pubsub_emulator
from infra.local.function_server import ROOT, Served, function_server
from infra.local.google_apis import GoogleApis
from infra.local.meet import MeetSimulator
from infra.local.processes import StartError, bypass_proxies, terminate_as_interrupt
from infra.local.roster_class import EverybodysSchool
from infra.local.subscriptions import WorkspaceEventsSimulator
from infra.local.workspace_events import Message

PORT = 8090
FIRST_PORT, LAST_PORT = 1024, 65_000

PROJECT = "demo-meet-attendance"
JOBS = f"projects/{PROJECT}/topics/attendance-jobs"
CHANGES = f"projects/{PROJECT}/topics/attendance-changed"
DEAD_LETTERS = f"projects/{PROJECT}/topics/attendance-dead-letter"

SYNC_DUE_EVERY = 30.0
"""In seconds; in a deployment it is five minutes."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a stack: consecutive ports, and a folder of its own."""

    port: int

    @property
    def folder(self) -> Path:
        """Return the folder of its settings, logs and embedded store."""
        return ROOT / ".local" / ("run" if self.port == PORT else f"run-{self.port}")

    @property
    def environment(self) -> Path:
        """Return the file with the functions' settings and addresses, which a shell can source.

        Commands for operators need the same settings.
        """
        return self.folder / "env"

    def port_of(
        self, program: Literal["controls", "api", "on_workspace_event", "on_job", "firestore", "pubsub"]
    ) -> int:
        """Return the port of a program. It never changes, so that commands from yesterday still work today."""
        order = ("controls", "api", "on_workspace_event", "on_job", "firestore", "pubsub")
        return self.port + order.index(program)

    @property
    def ports(self) -> range:
        """Return all ports."""
        return range(self.port, self.port_of("pubsub") + 1)


def main() -> None:
    """The command `make run`."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument(
        "--store",
        choices=["firestore", "sqlite"],
        default="firestore",
        help="firestore: the emulators of the Google Cloud SDK (default); sqlite: the embedded store, no Java",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        help=f"the port of the controls; the API and the other programs use the five ports after it ({PORT})",
    )
    parser.add_argument("--settle", type=int, default=30, help="SETTLE_SECONDS of the function (default: 30)")
    arguments = parser.parse_args()
    place = Place(arguments.port)
    terminate_as_interrupt()
    bypass_proxies()
    try:
        _require_free(place, arguments.store)
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.folder.chmod(0o700)  # it contains the embedded store
        with _environment(arguments.store, place) as store:
            asyncio.run(_serve(store, settle=arguments.settle, place=place))
    except StartError as error:
        sys.exit(f"The local stack cannot start. {error}")
    except KeyboardInterrupt:
        print("\nStopped.")


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else 0
    if not FIRST_PORT <= port <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"should be a number from {FIRST_PORT} to {LAST_PORT}, such as 8190")
    return port


def _require_free(place: Place, store: str) -> None:
    """Check the ports before anything starts, and before the files of another stack are overwritten."""
    other = place.port + 100 if place.port + 100 <= LAST_PORT else PORT
    retry = f"make run {'STORE=sqlite ' if store == 'sqlite' else ''}PORT={other}"
    for port in place.ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # like a server
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise StartError(
                    f"The stack needs the ports {place.ports[0]} to {place.ports[-1]} and cannot listen on port {port} "
                    f"({error.strerror}). If another `make run` is running, use that one or stop it; otherwise name "
                    f"another first port: {retry}"
                ) from None


@contextlib.contextmanager
def _environment(store: str, place: Place) -> Iterator[dict[str, str]]:
    """Start the programs that store documents and messages; give the function's settings for them."""
    if store == "sqlite":
        yield {"ATTENDANCE_STORE": f"sqlite:///{place.folder / 'attendance.db'}"}
        return
    with (
        firestore_emulator(place.folder, port=place.port_of("firestore")) as firestore,
        pubsub_emulator(place.folder, port=place.port_of("pubsub")) as pubsub,
    ):
        yield {
            "FIRESTORE_EMULATOR_HOST": firestore,
            "PUBSUB_EMULATOR_HOST": pubsub,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "CHANGES_TOPIC": "attendance-changed",
        }


async def _serve(store: dict[str, str], *, settle: int, place: Place) -> None:
    async with _stack(store, settle=settle, place=place) as stack:
        for name, url in stack.urls.items():
            print(f"  {name:<24} {url}")
        print(
            f"\nIn another terminal:  source {place.environment.relative_to(ROOT)}\n"
            'Schedule a class:  curl -s "$CONTROLS/request?people=30" | '
            "curl -X POST $API/api/schedule/class -H 'content-type: application/json' -d @-\n"
            'Hold it:           curl -X POST "$CONTROLS/classes?session_id=SESSION_ID"   (with its roster)\n'
            "See its marks:     curl $API/api/sessions/SESSION_ID/attendance\n"
            f"As a page:         {stack.urls['api']}/api/sessions/SESSION_ID/attendance?format=html\n"
            'Hold another one:  curl -X POST "$CONTROLS/classes?people=30"   (an unscheduled class of strangers)\n'
            "See documents:     curl $CONTROLS/documents/sessions\n"
            "Operate it:        make enroll TEACHER=teacher@school.example; make status\n"
            "Connect your LMS:  docs/lms.md\n"
            "Stop with Ctrl-C.",
            flush=True,
        )
        server = uvicorn.Server(
            uvicorn.Config(
                controls(stack), host="127.0.0.1", port=place.port_of("controls"), log_level="warning", lifespan="off"
            )
        )
        await server.serve()


@contextlib.asynccontextmanager
async def _stack(store: dict[str, str], *, settle: int, place: Place) -> AsyncIterator[Stack]:
    school = EverybodysSchool(lambda: datetime.now(UTC))
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

            def start(
                target: Literal["api", "on_workspace_event", "on_job"], signature: Literal["cloudevent", "http"]
            ) -> Served:
                log, port = place.folder / f"{target}.log", place.port_of(target)
                return programs.enter_context(function_server(target, env=env, log=log, port=port, signature=signature))

            addresses = {name: f"http://127.0.0.1:{place.port_of(name)}" for name in ("controls", "api")}
            _keep({"API": addresses["api"], "CONTROLS": addresses["controls"], **env}, place.environment)
            # Starting the functions blocks, and the simulators need this event loop.
            events = await asyncio.to_thread(start, "on_workspace_event", "cloudevent")
            jobs = await asyncio.to_thread(start, "on_job", "cloudevent")
            api = await asyncio.to_thread(start, "api", "http")
            urls = {
                "controls": addresses["controls"],
                "api": api.url,
                "on_workspace_event": events.url,
                "on_job": jobs.url,
                "meet": meet.endpoint,
                "people and directory": apis.endpoint,
                "calendar": calendar.endpoint,
                "logs": f"{place.folder}/*.log",
                **store,
            }
            triggers = [_trigger(events, TOPIC, "workspace-events"), _trigger(jobs, JOBS, "attendance-jobs")]
            async with _delivery(triggers, store.get("PUBSUB_EMULATOR_HOST")) as publish, asyncio.TaskGroup() as tasks:
                clock = tasks.create_task(_schedule(publish))
                yield Stack(urls=urls, school=school, publish=publish, documents=_documents(env))
                clock.cancel()


def _keep(env: Mapping[str, str], file: Path) -> None:
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()))


def _trigger(served: Served, topic: str, subscription: str) -> Trigger:
    return Trigger(
        url=served.url,
        topic=topic,
        subscription=f"projects/{PROJECT}/subscriptions/{subscription}",
        backoff=(timedelta(seconds=10), timedelta(minutes=10)),
    )


async def _schedule(publish: Publish) -> None:
    """Send the jobs that Cloud Scheduler sends, only more often."""
    while True:
        await asyncio.sleep(SYNC_DUE_EVERY)
        await publish(JOBS, Message({"job": "sync-due"}, b"{}"))


@contextlib.asynccontextmanager
async def _delivery(triggers: Sequence[Trigger], pubsub_address: str | None) -> AsyncIterator[Publish]:
    """Return what delivers messages to the functions: Pub/Sub's emulator, or this process if there is no emulator."""
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
            # If one of them ends, the group ends everything and says why.
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
    """Return the store with the function's documents, opened with the function's own settings."""
    os.environ.update(env)  # Google's library reads the emulator's address there
    return wiring.database(settings.load())


if __name__ == "__main__":
    main()
