"""Conferences without an event are found, and subscriptions stay alive over time."""

from __future__ import annotations

import base64
import dataclasses
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from functions.adapters.google.workspace_events.subscriptions import EVENT_TYPES
from functions.domain.classes.sessions import Caller, CallerRole
from functions.domain.conferences.model import SubscriptionState, SyncState
from functions.domain.errors import JobsUnavailable, NeedsOperator, NotFound, Retryable, StoreUnavailable
from functions.entrypoints.messages import events, jobs
from functions.entrypoints.messages.envelope import Message, unwrap
from functions.ports.messages import Job
from functions.services.operations import fan_out, reconcile
from functions.services.operations.run_job import run_job
from functions.services.operations.survey import survey
from functions.services.teachers import keep_subscriptions
from functions.services.teachers.organizers import enrol, remove
from infra.local.clock import TurnableClock
from infra.local.faults import Fault
from infra.local.school import Account, Attendee, Conference, School, Visit
from tests.classroom import PUPILS, TEACHER, job, marks, scheduled

ADMIN = Caller(None, CallerRole.ADMIN)
START = datetime(2026, 11, 2, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DENIED, UNAUTHENTICATED, UNAVAILABLE = (
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNAVAILABLE,
)
COLLEAGUE = Account("users/2", "colleague@school.example", display_name="A Colleague")


@pytest.fixture
def clock():
    return TurnableClock(START)


@pytest.fixture
def school(clock):
    school = School(clock)
    school.enrol(Account(TEACHER, "teacher@school.example", display_name="The Teacher"), COLLEAGUE, *PUPILS)
    return school


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def app(instance, google, workspace_events, clock, pauses):
    async def pause(seconds):
        pauses.append(seconds)

    return instance(
        clock=clock,
        pause=pause,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
    )


@pytest.fixture
async def teacher(app):
    return (await enrol("teacher@school.example", caller=ADMIN, deps=app.deps)).organizer


def call(name, start, *, organizer=TEACHER, space="spaces/own", minutes=50):
    end = start + timedelta(minutes=minutes)
    person = Attendee("t", "signed_in", "T", organizer, (Visit(start, end),))
    return Conference(name, space, "own-roo-mmm", organizer, start, end, (person,))


async def stored(app, *names):
    async def load(work):
        return [name for name in names if await work.conference(f"conferenceRecords/{name}")]

    found, _ = await app.deps.store.transact(load)
    return found


async def organizer(app, user=TEACHER):
    async def load(work):
        return await work.organizer(user)

    found, _ = await app.deps.store.transact(load)
    return found


async def hear(app, workspace_events):
    """Deliver Google's due lifecycle events of subscriptions."""
    for message in workspace_events.due_events():
        body = {"message": {"attributes": message.attributes, "data": base64.b64encode(message.data).decode()}}
        await events.process(unwrap(body), app)


# --- Subscriptions ---


async def test_a_reminder_renews_the_subscription_to_its_longest_life(app, teacher, clock, workspace_events):
    clock.turn_to(teacher.subscription.expire_time - 12 * HOUR)
    await hear(app, workspace_events)

    assert (await organizer(app)).subscription.expire_time == clock() + 7 * DAY
    assert workspace_events.is_active(TEACHER)


@pytest.mark.usefixtures("teacher")
async def test_the_scheduled_job_renews_from_half_of_its_life_on_without_any_reminder(app, clock, workspace_events):
    clock.turn(3 * DAY)
    await job(app, "renew-subscriptions")
    assert workspace_events.calls.by_method()["UpdateSubscription"] == 0

    clock.turn(DAY / 2)
    await job(app, "renew-subscriptions")
    await job(app, "renew-subscriptions")
    assert workspace_events.calls.by_method()["UpdateSubscription"] == 1
    assert (await organizer(app)).subscription.expire_time == clock() + 7 * DAY


@pytest.mark.usefixtures("teacher")
async def test_a_subscription_that_ended_is_made_again_and_missed_conferences_are_read(
    app, clock, school, workspace_events
):
    clock.turn(8 * DAY)
    school.hold(call("missed", clock() - 2 * HOUR))
    await hear(app, workspace_events)

    assert workspace_events.is_active(TEACHER)
    assert await stored(app, "missed") == ["missed"]


@pytest.mark.usefixtures("teacher")
async def test_a_suspension_is_reported_with_its_fix_and_ends_once_that_is_done(app, clock, school, workspace_events):
    workspace_events.suspend(TEACHER, "ENDPOINT_PERMISSION_DENIED")
    clock.turn(HOUR)
    await hear(app, workspace_events)
    marked = await organizer(app)
    assert marked.subscription.state is SubscriptionState.SUSPENDED
    assert marked.subscription.suspension_reason == "ENDPOINT_PERMISSION_DENIED"
    assert "meet-api-event-push@system.gserviceaccount.com" in marked.error.hint

    clock.turn(6 * HOUR)
    with pytest.raises(NeedsOperator):
        await job(app, "renew-subscriptions", organizer=TEACHER)
    assert (await organizer(app)).error == marked.error  # the start of the failure stays

    school.hold(call("meanwhile", clock() - HOUR))
    workspace_events.fix(TEACHER)
    await job(app, "renew-subscriptions", organizer=TEACHER)
    fixed = await organizer(app)
    assert (fixed.subscription.state, fixed.error) == (SubscriptionState.ACTIVE, None)
    assert await stored(app, "meanwhile") == ["meanwhile"]


@pytest.mark.usefixtures("teacher")
async def test_a_subscription_that_was_suspended_until_shortly_before_its_end_is_also_renewed(
    app, clock, workspace_events
):
    workspace_events.suspend(TEACHER, "OTHER")
    clock.turn(6 * DAY)
    workspace_events.fix(TEACHER)
    await job(app, "renew-subscriptions", organizer=TEACHER)

    assert (await organizer(app)).subscription.expire_time == clock() + 7 * DAY


async def test_an_unavailable_service_is_called_again_and_the_earlier_state_is_kept(app, teacher, workspace_events):
    workspace_events.faults.set(Fault("GetSubscription", status=UNAVAILABLE))
    with pytest.raises(Retryable):
        await job(app, "renew-subscriptions", organizer=TEACHER)

    kept = await organizer(app)
    assert (kept.subscription, kept.error.reason) == (teacher.subscription, "subscriptions-unavailable")


async def test_what_google_says_of_a_subscription_of_nobody_tracked_is_noted(app, clock, workspace_events):
    await enrol("colleague@school.example", caller=ADMIN, deps=app.deps)

    async def forget(work):
        await work.organizer(COLLEAGUE.user)
        work.drop_organizer(COLLEAGUE.user)

    await app.deps.store.transact(forget)
    clock.turn(8 * DAY)
    await hear(app, workspace_events)

    assert not workspace_events.subscriptions


OURS = "projects/local/topics/workspace-events"
OLD = {"topic": "projects/local/topics/of-old", "event_types": EVENT_TYPES}
FEW = {"topic": OURS, "event_types": EVENT_TYPES[:1]}


async def reports_to_us(workspace_events):
    [subscription] = workspace_events.subscriptions
    assert subscription.notification_endpoint.pubsub_topic == OURS
    assert set(EVENT_TYPES) <= set(subscription.event_types)
    return subscription.name


@pytest.mark.parametrize("planted", [[OLD], [FEW], [OLD, FEW, OLD]], ids=["topic", "types", "several"])
@pytest.mark.parametrize("slow", [0, 1], ids=["at-once", "operations-take-time"])
async def test_an_older_subscription_that_reports_elsewhere_is_replaced_at_enrolment(
    app, workspace_events, planted, slow
):
    for about in planted:
        workspace_events.plant(TEACHER, **about)
    workspace_events.calls_until_done = slow
    enrolled = await enrol("teacher@school.example", caller=ADMIN, deps=app.deps)

    assert enrolled.organizer.subscription.state is SubscriptionState.ACTIVE
    assert enrolled.organizer.subscription.name == await reports_to_us(workspace_events)


@pytest.mark.usefixtures("teacher")
@pytest.mark.parametrize("by", ["renew-subscriptions", "lifecycle"])
async def test_a_subscription_changed_to_report_elsewhere_is_replaced_and_missed_data_is_read(
    app, clock, school, workspace_events, by
):
    [before] = workspace_events.subscriptions
    before.notification_endpoint.pubsub_topic = OLD["topic"]
    school.hold(call("missed", clock() - 2 * HOUR))
    if by == "lifecycle":
        clock.turn(7 * DAY - 12 * HOUR)
        await hear(app, workspace_events)
    else:
        await job(app, by)

    assert (await organizer(app)).subscription.name == await reports_to_us(workspace_events) != before.name
    assert await stored(app, "missed") == ["missed"]


@pytest.mark.usefixtures("teacher")
async def test_a_subscription_that_reports_elsewhere_is_a_problem_until_it_is_replaced(app, clock, workspace_events):
    [before] = workspace_events.subscriptions
    before.notification_endpoint.pubsub_topic = OLD["topic"]
    workspace_events.faults.set(Fault("DeleteSubscription", status=UNAVAILABLE))
    with pytest.raises(Retryable):
        await job(app, "renew-subscriptions", organizer=TEACHER)
    seen = await survey(views=app.views, now=clock())
    assert (seen.active_organizers, seen.organizers_without_subscription.count) == (0, 1)
    assert seen.needs_a_person

    workspace_events.faults.clear()
    await job(app, "renew-subscriptions", organizer=TEACHER)
    seen = await survey(views=app.views, now=clock())
    assert (seen.active_organizers, seen.organizers_without_subscription.count) == (1, 0)


@pytest.mark.usefixtures("teacher")
async def test_a_replacement_that_fails_halfway_is_completed_by_the_next_check(app, workspace_events):
    [before] = workspace_events.subscriptions
    before.notification_endpoint.pubsub_topic = OLD["topic"]
    workspace_events.faults.set(Fault("CreateSubscription", status=UNAVAILABLE))
    with pytest.raises(Retryable):
        await job(app, "renew-subscriptions", organizer=TEACHER)
    assert (await organizer(app)).subscription.state is SubscriptionState.ELSEWHERE

    workspace_events.faults.clear()
    await job(app, "renew-subscriptions", organizer=TEACHER)
    assert await reports_to_us(workspace_events)


# --- Reconcile ---


@pytest.mark.usefixtures("teacher")
async def test_conferences_of_the_last_thirty_days_are_read_at_first_and_later_those_since(app, clock, school, meet):
    for days in (31, 29, 3):
        school.hold(call(f"days-{days}", START - days * DAY))
    await job(app, "reconcile")
    assert await stored(app, "days-31", "days-29", "days-3") == ["days-29", "days-3"]
    assert (await organizer(app)).reconciled_until == START

    read = meet.calls.by_method()["GetConferenceRecord"]
    clock.turn(3 * HOUR)
    school.hold(call("new", START + HOUR))
    await job(app, "reconcile")
    assert await stored(app, "new") == ["new"]
    assert meet.calls.by_method()["GetConferenceRecord"] == read + 1


@pytest.mark.usefixtures("teacher")
async def test_the_mark_stays_where_it_was_when_a_list_fails(app, clock, school, meet):
    await job(app, "reconcile")
    clock.turn(DAY)
    school.hold(call("hidden", clock() - 2 * HOUR))
    meet.faults.set(Fault("ListConferenceRecords", status=UNAUTHENTICATED))
    with pytest.raises(NeedsOperator):
        await job(app, "reconcile", organizer=TEACHER)
    assert (await organizer(app)).reconciled_until == START

    meet.faults.clear()
    await job(app, "reconcile", organizer=TEACHER)
    assert await stored(app, "hidden") == ["hidden"]


async def test_rooms_of_a_teacher_that_nobody_tracks_are_looked_into_as_that_teacher(
    app, api, clock, school, *, meet, workspace_events
):
    """The subscription is refused; the class takes place, and there is another call in its room afterwards."""
    workspace_events.faults.set(Fault("CreateSubscription", status=DENIED))
    body = {
        "teacher_email": COLLEAGUE.email,
        "student_emails": [PUPILS[0].email],
        "subject": "Mathematics",
        "start_time": (START + HOUR).isoformat(),
        "duration_minutes": 60,
    }
    made = (await api.post("/api/schedule/class", json=body)).json()
    assert made["tracking"] == "failed"

    async def untrack(work):
        await work.organizer(COLLEAGUE.user)
        work.drop_organizer(COLLEAGUE.user)

    await app.deps.store.transact(untrack)
    clock.turn(9 * HOUR)
    later = call("later", START + 6 * HOUR, organizer=COLLEAGUE.user, space=made["space"])
    school.hold(dataclasses.replace(later, meeting_code=made["meeting_code"]))
    await job(app, "sync-due")
    assert await stored(app, "later") == []

    await job(app, "reconcile")
    assert await stored(app, "later") == ["later"]
    assert {one.acting_as for one in meet.calls if one.method == "ListConferenceRecords"} == {COLLEAGUE.email}


async def a_lesson(api, *, teacher_email):
    """Schedule a class in the second hour of the day."""
    return await scheduled(
        api, teacher_email=teacher_email, student_emails=[PUPILS[0].email], start_time=(START + HOUR).isoformat()
    )


async def fails_for_an_hour(app, clock, meet):
    """From the end of that class on, Meet refuses all credentials."""
    meet.faults.set(Fault("ListConferenceRecords", status=UNAUTHENTICATED))
    for minutes in (120, 122, 126, 134, 150, 182):
        clock.turn_to(START + timedelta(minutes=minutes))
        await job(app, "sync-due")


@pytest.mark.usefixtures("teacher")
async def test_a_class_that_failed_need_not_wait_once_meet_answers_for_its_teacher_again(app, api, clock, school, meet):
    made = await a_lesson(api, teacher_email="teacher@school.example")
    start, end = START + HOUR, START + 2 * HOUR
    people = [
        Attendee("t", "signed_in", "T", TEACHER, (Visit(start, end),)),
        Attendee("p", "signed_in", "P", PUPILS[0].user, (Visit(start, end),)),
    ]
    school.hold(Conference("lesson", made["space"], made["meeting_code"], TEACHER, start, end, tuple(people)))
    await fails_for_an_hour(app, clock, meet)
    meet.faults.clear()
    clock.turn(timedelta(minutes=5))
    await job(app, "sync-due")
    assert await marks(api, made["session_id"]) == {"punctual": "unknown"}

    await job(app, "reconcile")
    assert await marks(api, made["session_id"]) == {"punctual": "present"}


@pytest.mark.usefixtures("teacher")
async def test_a_class_that_failed_and_names_its_teacher_by_an_alias_need_not_wait_either(
    app, api, clock, school, meet
):
    """Nobody came, so no record leads to the class; only its teacher does."""
    school.enrol(Account(TEACHER, "teacher@school.example", aliases=("ms.t@school.example",)))
    made = await a_lesson(api, teacher_email="ms.t@school.example")
    await fails_for_an_hour(app, clock, meet)
    meet.faults.clear()
    clock.turn(timedelta(minutes=5))
    assert await marks(api, made["session_id"]) == {"punctual": "unknown"}

    await job(app, "reconcile", organizer=TEACHER)
    session = (await api.get(f"/api/sessions/{made['session_id']}")).json()
    assert session["state"] == "not_held"


class Broken:
    """Jobs that Pub/Sub does not accept."""

    async def publish(self, _):
        raise JobsUnavailable("The jobs' topic does not take messages.")


@pytest.mark.usefixtures("teacher")
async def test_the_mark_moves_only_once_everything_was_handed_out(app, school):
    school.hold(call("lesson", START - 2 * HOUR))
    broken = dataclasses.replace(app.deps, jobs=Broken())
    with pytest.raises(JobsUnavailable):
        await run_job(Job("reconcile", {"organizer": TEACHER}), deps=broken)
    assert (await organizer(app)).reconciled_until is None

    await job(app, "reconcile", organizer=TEACHER)
    assert await stored(app, "lesson") == ["lesson"]


@pytest.mark.usefixtures("teacher")
async def test_an_end_that_meet_told_late_is_found_a_day_behind_the_mark(app, clock, school):
    late = dataclasses.replace(call("late", START + HOUR), settles=START + 20 * HOUR)
    school.hold(late)
    clock.turn(3 * HOUR)
    await job(app, "reconcile")
    assert (await organizer(app)).reconciled_until == clock()
    assert await stored(app, "late") == []

    clock.turn_to(START + 21 * HOUR)
    await job(app, "reconcile")
    assert await stored(app, "late") == ["late"]


class Passing:
    """Meet, with something that happens between the list and the next calls."""

    def __init__(self, conferences, happens):
        self._conferences = conferences
        self._happens = happens

    def __getattr__(self, name):
        return getattr(self._conferences, name)

    async def list(self, **wanted):
        listing = await self._conferences.list(**wanted)
        self._happens()
        return listing


@pytest.mark.usefixtures("teacher")
async def test_the_mark_is_when_the_list_began(app, clock):
    passing = Passing(app.deps.conferences, lambda: clock.turn(HOUR))
    await run_job(Job("reconcile", {"organizer": TEACHER}), deps=dataclasses.replace(app.deps, conferences=passing))

    assert (await organizer(app)).reconciled_until == START


@pytest.mark.usefixtures("teacher")
@pytest.mark.parametrize("days", [1, 5, 20])
async def test_what_could_not_be_read_is_read_whenever_that_is_fixed_within_thirty_days(app, clock, school, meet, days):
    school.hold(call("refused", START - 5 * DAY))
    meet.faults.set(Fault("ListParticipants", status=DENIED))
    for _ in range(days):
        await job(app, "reconcile")
        clock.turn(DAY)
    meet.faults.clear()
    await job(app, "reconcile")

    async def load(work):
        return await work.conference("conferenceRecords/refused")

    conference, _ = await app.deps.store.transact(load)
    assert conference.sync.state is SyncState.COMPLETE


async def test_enrolling_again_fixes_a_suspended_subscription_and_hides_none(app, teacher, workspace_events):
    workspace_events.suspend(TEACHER, "ENDPOINT_PERMISSION_DENIED")
    with pytest.raises(NeedsOperator):
        await enrol(teacher.email, caller=ADMIN, deps=app.deps)
    assert (await organizer(app)).subscription.state is SubscriptionState.SUSPENDED
    assert (await organizer(app)).error is not None

    workspace_events.fix(TEACHER)
    enrolled = await enrol(teacher.email, caller=ADMIN, deps=app.deps)
    assert not enrolled.created
    assert (enrolled.organizer.subscription.state, enrolled.organizer.error) == (SubscriptionState.ACTIVE, None)


@pytest.mark.usefixtures("teacher")
async def test_a_teacher_whose_credentials_are_dead_can_be_removed(app, workspace_events):
    workspace_events.faults.set(Fault("DeleteSubscription", status=UNAUTHENTICATED))
    await remove("1", caller=ADMIN, entry_id="entry", deps=app.deps)

    assert await organizer(app) is None


async def test_rooms_of_a_removed_teacher_are_still_checked(app, api, clock, school, teacher):
    body = {
        "teacher_email": teacher.email,
        "student_emails": [PUPILS[0].email],
        "subject": "Mathematics",
        "start_time": (START + HOUR).isoformat(),
        "duration_minutes": 60,
    }
    made = (await api.post("/api/schedule/class", json=body)).json()
    room = {"space": made["space"]}
    lesson = call("lesson", START + HOUR, **room)
    school.hold(dataclasses.replace(lesson, meeting_code=made["meeting_code"]))
    clock.turn(3 * HOUR)
    await job(app, "sync-due")
    await remove("1", caller=ADMIN, entry_id="entry", deps=app.deps)

    school.hold(dataclasses.replace(call("later", START + 6 * HOUR, **room), meeting_code=made["meeting_code"]))
    clock.turn(5 * HOUR)
    await job(app, "reconcile")
    assert await stored(app, "later") == ["later"]


async def test_a_subscription_that_is_made_while_its_teacher_is_removed_is_ended(app, teacher, workspace_events, clock):
    clock.turn(8 * DAY)

    class LetGo:
        """Subscriptions, while somebody else stops tracking the teacher."""

        def __getattr__(self, name):
            return getattr(app.deps.subscriptions, name)

        async def ensure(self, *, organizer):
            made = await app.deps.subscriptions.ensure(organizer=organizer)
            await remove("1", caller=ADMIN, entry_id="entry", deps=app.deps)
            return made

    deps = dataclasses.replace(app.deps, subscriptions=LetGo())
    with pytest.raises(NotFound):
        await run_job(Job("renew-subscriptions", {"organizer": teacher.user}), deps=deps)
    assert not workspace_events.subscriptions


async def test_a_call_that_goes_on_is_acknowledged_and_read_when_it_has_ended(app, clock, school):
    about = {"conference_record": "conferenceRecords/goingon", "organizer": TEACHER}
    school.hold(dataclasses.replace(call("goingon", START - HOUR, minutes=300), space="spaces/b"))
    await jobs.process(Message({"job": "sync-conference"}, about), app)

    clock.turn(5 * HOUR)
    await enrol("teacher@school.example", caller=ADMIN, deps=app.deps)
    await job(app, "reconcile")

    async def load(work):
        return await work.conference("conferenceRecords/goingon")

    conference, _ = await app.deps.store.transact(load)
    assert conference.sync.state is SyncState.COMPLETE


@pytest.mark.usefixtures("teacher")
async def test_a_survey_that_fails_keeps_nothing_from_being_handed_out(app, school):
    school.hold(call("lesson", START - 2 * HOUR))

    class Blind:
        """Views without an answer from the store."""

        async def troubles(self, **_):
            raise StoreUnavailable("The store does not answer.")

    await jobs.process(Message({"job": "reconcile"}, {}), dataclasses.replace(app, views=Blind()))
    assert await stored(app, "lesson") == ["lesson"]


# --- Many ---


class Handed:
    """Jobs that are only recorded, with the number of pauses before each batch."""

    def __init__(self, pauses):
        self.batches = []
        self._pauses = pauses

    async def publish(self, jobs):
        self.batches.append((len(self._pauses), list(jobs)))

    @property
    def jobs(self):
        return [one for _, batch in self.batches for one in batch]


async def _fan_out(app, handed, names, *, after="", pace=reconcile.PACE):
    async def source(after, limit):
        return [fan_out.Item(name, Job("reconcile", {"organizer": name})) for name in names if name > after][:limit]

    return await fan_out.fan_out(
        source,
        job="reconcile",
        after=after,
        pace=pace,
        deps=dataclasses.replace(app.deps, jobs=handed),
    )


def _many(count):
    return [f"users/{number:05}" for number in range(count)]


async def test_few_are_handed_out_at_once(app, pauses):
    handed = Handed(pauses)
    done = await _fan_out(app, handed, ["users/1", "users/2", "users/3"])

    assert done == 3
    assert [one.data["organizer"] for one in handed.jobs] == ["users/1", "users/2", "users/3"]
    assert pauses == []


async def test_thousands_are_spread_over_several_calls_and_everybody_is_handed_out_once(app, pauses, clock):
    handed, after = [], ""
    while True:
        pauses.clear()
        part = Handed(pauses)
        await _fan_out(app, part, _many(9000), after=after)
        handed += [one.data["organizer"] for one in part.jobs if "organizer" in one.data]
        assert max(len(batch) for _, batch in part.batches) <= 20
        assert len(pauses) < fan_out.SHIFT
        clock.turn(timedelta(seconds=len(pauses)))
        last = part.jobs[-1].data
        if "organizer" in last:
            break
        after = last["after"]

    assert handed == _many(9000)


async def test_a_call_asks_for_no_more_names_than_it_can_hand_out(app, pauses):
    asked = []

    async def source(after, limit):
        asked.append((after, limit))
        return [fan_out.Item(f"users/{number:05}", Job("reconcile")) for number in range(limit)]

    await fan_out.fan_out(
        source,
        job="reconcile",
        after="users/0",
        pace=reconcile.PACE,
        deps=dataclasses.replace(app.deps, jobs=Handed(pauses)),
    )

    assert asked == [("users/0", 20 * fan_out.SHIFT + 1)]


async def test_subscriptions_are_looked_after_five_a_second_however_many(app, pauses):
    handed = Handed(pauses)
    await _fan_out(app, handed, _many(2000), pace=keep_subscriptions.PACE)

    assert max(len(batch) for _, batch in handed.batches) == 5
    assert handed.jobs[-1].data == {"after": "users/01199"}


async def test_a_shift_ends_in_time_also_when_handing_out_takes_long_and_goes_on_later(app, pauses, clock):
    class Slow(Handed):
        async def publish(self, jobs):
            clock.turn(timedelta(seconds=2))
            await super().publish(jobs)

    began, handed = clock(), Slow(pauses)
    await _fan_out(app, handed, _many(9000))

    assert clock() - began < timedelta(seconds=fan_out.SHIFT + 10)
    assert handed.jobs[-1].data == {"after": handed.jobs[-2].data["organizer"]}


# --- A month ---


async def test_a_month_of_a_hundred_teachers_loses_no_event_and_a_week_without_jobs_no_conference(
    instance, google, workspace_events, clock, school
):
    """The job runs once a day, a quarter as often as deployed. Reminders are never delivered."""
    teachers = [Account(f"users/{n}", f"teacher{n}@school.example", display_name="T") for n in range(1000, 1100)]
    school.enrol(*teachers)

    async def pause(seconds):
        clock.turn(timedelta(seconds=seconds))

    app = instance(
        clock=clock,
        pause=pause,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
    )
    for one in teachers:
        await enrol(one.email, caller=ADMIN, deps=app.deps)

    def everybody_is_told():
        return all(workspace_events.is_active(one.user) for one in teachers)

    for _ in range(30):
        clock.turn(DAY)
        assert everybody_is_told()
        await job(app, "renew-subscriptions")
    held = []
    for number in range(16):  # no job runs for eight days
        clock.turn(DAY / 2)
        teacher = teachers[number * 6]
        held.append(f"week-{number}")
        school.hold(call(held[-1], clock() - HOUR, organizer=teacher.user, space=f"spaces/{number}"))
    assert not everybody_is_told()

    await job(app, "renew-subscriptions")
    assert everybody_is_told()
    assert await stored(app, *held) == held
