"""The content of a class meeting's page, in every possible state."""

import dataclasses

import pytest

from functions.domain.classes.roster import Decision, Mark, RosterEntry
from functions.domain.conferences.model import SyncError, SyncState
from functions.domain.marking.attendance import unscheduled_session
from tests.builders import (
    ADA,
    BOB,
    EMAILS,
    TEACHING,
    assignment,
    at,
    call,
    expected,
    guest,
    lesson,
    nobody,
    of,
    override,
    participant,
    sheet_of,
    student,
    unread_call,
)
from tests.report_page import report_page as page

CLASS = expected(ADA, BOB)
TURNED = "\u2069\u202e"
"""Characters that end the isolation of a text in a line, and reverse the following text."""


def titles(report):
    return [notice.title for notice in report.notices]


def facts(report):
    return {fact.term: (*fact.texts, fact.note) for fact in report.facts}


def rows(report):
    return {group.anchor: {row.name: row for row in group.rows} for group in report.groups}


def test_a_class_that_was_held_says_when_who_and_how_it_came_to_each_mark():
    teacher = (TEACHING, (-3, 58))
    report = page(sheet_of(lesson(roster=CLASS), call(teacher, (ADA, (2, 58)), (BOB, (20, 58)), start=-3, end=58)))

    assert (report.day, report.hours, report.zone) == ("Monday, 23 November 2026", "09:00 to 10:00", "UTC")
    assert report.notices == ()
    assert facts(report) == {
        "Teacher": ("Ms T.", "teacher@school.example"),
        "Planned": ("09:00 to 10:00", "1 h"),
        "Held by the teacher": ("09:00:00 to 09:58:00", "58 min"),
        "Call": ("08:57:00 to 09:58:00", "1 h 1 min"),
        "Expected": ("2 students", ""),
        "Meeting code": ("abc-mnop-xyz", ""),
        "Read from Meet": ("23 November 2026, 10:01:00", ""),
    }
    assert [(count.mark.word, count.number) for count in report.counts] == [("present", 1), ("late", 1)]
    bob = rows(report)["students"]["Bob"]
    assert (bob.mark.word, bob.presence, bob.times) == ("late", "0:38:00", ("09:20:00 to 09:58:00",))
    assert bob.reason == "Joined 20 min after the class began at 09:00; the limit is 5 min."


def test_the_planned_time_and_the_teachers_time_are_on_the_common_axis():
    sheet = sheet_of(lesson(roster=CLASS), call((TEACHING, (6, 54)), (ADA, (-15, 54)), start=-15, end=54))
    timeline = page(sheet).timeline

    assert (timeline.start, timeline.end) == (at(-15).isoformat(), at(60).isoformat())
    assert (timeline.planned.x, timeline.planned.width) == ("20%", "80%")
    assert (timeline.taught.x, timeline.taught.width) == ("28%", "64%")


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        (sheet_of(lesson(roster=CLASS, listed=None), now=-10), ["Nobody has been seen in this class yet"]),
        (sheet_of(lesson(roster=CLASS, cancelled=True)), ["This class was cancelled"]),
        (sheet_of(lesson(roster=CLASS, listed=75), now=76), ["This class was not held"]),
        (sheet_of(lesson(), call((TEACHING, (0, 60)))), ["No student is expected in this class"]),
        (
            sheet_of(lesson(roster=CLASS, policy={"marks": False}), call((TEACHING, (0, 60)))),
            ["Marks are switched off for this class"],
        ),
        (
            sheet_of(
                lesson(roster=CLASS, listed=None),
                call((TEACHING, (0, None)), (ADA, (1, None)), end=None, state=SyncState.PROVISIONAL, pulled=20),
                now=20,
            ),
            ["This class is not over", "This record is not final", "2 students have no mark yet"],
        ),
        (
            sheet_of(lesson(roster=CLASS), unread_call()),
            ["This record is not complete", "2 students have no mark yet"],
        ),
    ],
)
def test_each_state_is_said_plainly(sheet, said):
    assert titles(page(sheet)) == said


@pytest.mark.parametrize("now", [-10, 90])
def test_a_class_that_nobody_asked_about_is_not_called_to_come_once_its_time_is_over(now):
    (notice,) = page(sheet_of(lesson(roster=CLASS, listed=None), now=now)).notices

    assert "has not happened yet, or" in notice.text
    assert "by itself" in notice.text


def test_a_class_too_old_for_google_meet_promises_nothing_that_will_not_happen():
    days = 1440
    entered = lesson(start=-40 * days, end=-40 * days + 60, roster=CLASS, listed=None)
    asked = dataclasses.replace(entered, progress=dataclasses.replace(entered.progress, tried_at=at(0)))
    (notice,) = page(sheet_of(asked, now=1)).notices

    assert "by itself" not in notice.text
    assert "30 days" in notice.text


def test_a_class_to_which_nobody_came_is_told_from_one_that_was_too_short():
    (nobody,) = page(sheet_of(lesson(roster=CLASS, listed=75), now=76)).notices
    (alone,) = page(sheet_of(lesson(roster=CLASS, listed=75), call((ADA, (0, 3)), end=3), now=76)).notices

    assert nobody.text.startswith("Google Meet did not find a call for this class.")
    assert "another link" in nobody.text
    assert alone.text.startswith("Neither a teacher nor two people at once were there for long enough.")


def test_the_reason_of_a_single_student_is_not_said_to_be_next_to_each_of_them():
    held = call((TEACHING, (0, 60)), (ADA, (0, 60)), name="reports-c1")
    notices = page(sheet_of(lesson(roster=CLASS), held)).notices

    assert [notice.text for notice in notices if notice.title == "1 student has no mark yet"] == [
        "The reason is next to the name."
    ]


def test_a_class_that_was_held_at_another_time_says_so():
    sheet = sheet_of(lesson(roster=CLASS, listed=75), call((TEACHING, (-20, -5)), start=-20, end=-5), now=76)

    assert "at another time" in page(sheet).notices[0].text


def test_anybody_who_was_there_during_a_class_that_was_not_held_was_not_there_at_another_time():
    sheet = sheet_of(lesson(roster=CLASS, listed=75), call((ADA, (0, 45)), start=0, end=45), now=76)
    (notice,) = page(sheet).notices

    assert notice.title == "This class was not held"
    assert "another time" not in notice.text
    assert "listed below" in notice.text


def test_a_teacher_who_is_on_the_roster_is_not_a_student_who_is_expected():
    both = page(sheet_of(lesson(roster=expected(ADA, TEACHING)), call((TEACHING, (0, 60)), (ADA, (0, 60)))))
    alone = page(sheet_of(lesson(roster=expected(TEACHING)), call((TEACHING, (0, 60)))))

    assert facts(both)["Expected"] == ("1 student", "")
    assert "Expected" not in facts(alone)
    assert titles(alone) == ["No student is expected in this class"]


@pytest.mark.parametrize(
    ("teacher", "policy", "said"),
    [
        ((-20, -2), {}, ("not seen during the class", "marks use the planned time")),
        ((-20, 5), {}, ("there for too little of the class", "marks use the planned time")),
        (None, {}, ("not seen in the call", "marks use the planned time")),
        (None, {"marks": False}, ("not seen in the call", "")),
    ],
)
def test_a_teacher_who_did_not_hold_the_class_was_elsewhere_or_too_early(teacher, policy, said):
    there = [(TEACHING, teacher)] if teacher else []
    report = page(
        sheet_of(lesson(roster=CLASS, policy=policy), call(*there, (ADA, (-2, 58)), (BOB, (0, 58)), start=-20))
    )

    assert facts(report)["Held by the teacher"] == said


def test_students_of_several_sections_in_one_class_meeting_each_name_theirs():
    sections = (RosterEntry(email=EMAILS[ADA.user], class_id="7a"), RosterEntry(email=EMAILS[BOB.user]))
    session = lesson(roster=sections)
    shared = dataclasses.replace(session, plan=dataclasses.replace(session.plan, class_id="7b"))
    students = rows(page(sheet_of(shared, call((TEACHING, (0, 60)), (ADA, (0, 60)), (BOB, (0, 60))))))["students"]

    assert students["Ada"].details == ("7a", "ada@school.example")
    assert students["Bob"].details == ("bob@school.example",)


def test_several_calls_are_not_one_that_lasted_from_the_first_to_the_last():
    one = call((TEACHING, (0, 10)), (ADA, (0, 10)), end=10, name="one")
    two = call((TEACHING, (40, 60)), (ADA, (40, 60)), start=40, name="two")
    report = page(sheet_of(lesson(roster=CLASS), one, two))

    assert "Call" not in facts(report)
    assert facts(report)["Calls"] == (
        "09:00:00 to 10:00:00",
        "2 calls, from the start of the first to the end of the last",
    )


def test_a_call_that_was_never_read_is_not_called_read():
    said = facts(page(sheet_of(lesson(roster=CLASS), unread_call())))

    assert "Read from Meet" not in said
    assert said["Meet last asked"] == ("23 November 2026, 10:10:00", "")


def test_what_is_known_from_reports_alone_is_not_said_to_be_read_again_by_itself():
    sheet = sheet_of(lesson(roster=CLASS), call((TEACHING, (0, 60)), (ADA, (0, 60)), name="reports-c1"))
    notice, unknown = page(sheet).notices

    assert (notice.title, unknown.title) == ("This record is not final", "1 student has no mark yet")
    assert "only from Google's reports" in notice.text
    assert "by itself" not in notice.text


def test_a_running_class_shows_no_ends():
    sheet = sheet_of(
        lesson(roster=CLASS, listed=None),
        call((TEACHING, (0, None)), (ADA, (1, None)), end=None, state=SyncState.PROVISIONAL, pulled=20),
        now=20,
    )
    report = page(sheet)

    assert facts(report)["Call"] == ("since 09:00:00", "")
    assert facts(report)["Held by the teacher"] == ("09:00:00 to 09:20:00", "20 min so far")
    assert rows(report)["students"]["Ada"].times == ("09:01:00 to 09:20:00 (still there when last asked)",)


def test_what_could_not_be_read_comes_with_what_to_do_about_it():
    unread = unread_call()
    error = SyncError("meet-api-disabled", "The Meet API is off.", "Enable it in the project.", at(61))
    failed = dataclasses.replace(unread, sync=dataclasses.replace(unread.sync, error=error))
    (notice, _) = page(sheet_of(lesson(roster=CLASS), failed)).notices

    assert notice.kind == "warning"
    assert notice.text.endswith("The Meet API is off. For those who run this system: Enable it in the project.")


def test_a_meeting_that_nobody_planned_shows_who_was_in_the_call_and_no_mark():
    held = call((TEACHING, (0, 60)), (ADA, (5, 30)), (guest("somebody"), (3, 10)))
    report = page(sheet_of(unscheduled_session(held, time_zone="America/New_York", before=None), held))

    assert titles(report) == ["This meeting was not scheduled"]
    assert (report.subject, report.hours, report.zone) == (
        "Unscheduled meeting",
        "04:00 to 05:00",
        "America/New_York, UTC-05:00",
    )
    assert {group.title for group in report.groups} == {"Teachers", "People in the call"}
    assert rows(report)["guests"]["Ada"].presence == "0:25:00"
    assert report.timeline.planned is None


def test_a_mark_set_by_hand_is_shown_next_to_what_the_rules_said():
    sheet = sheet_of(
        lesson(roster=CLASS),
        call((TEACHING, (0, 60)), (ADA, (0, 60))),
        corrections=[override(Mark.EXCUSED, email=EMAILS["users/3"])],
    )
    report = page(sheet)

    bob = rows(report)["students"][EMAILS["users/3"]]
    assert (bob.mark.word, bob.by_hand, bob.reason) == ("excused", "absent", "a note from home")
    (decision,) = report.decisions
    assert (decision.was, decision.now) == ("absent", "excused")
    assert (decision.by, decision.at) == ("teacher@school.example", "23 November 2026, 09:00:00")


def test_guests_come_with_the_students_they_may_be_and_students_with_the_guests_they_were():
    held = call((TEACHING, (0, 60)), (ADA, (0, 60)), (guest("ada"), (0, 30)), (guest("Bobby"), (0, 60)))
    alone = sheet_of(lesson(roster=CLASS), held)
    who = of(alone, "Bobby").attendee_id
    report = page(
        sheet_of(lesson(roster=CLASS), held, corrections=[assignment(who, email=EMAILS["users/3"])]),
    )

    (alike,) = rows(report)["guests"]["ada"].notes
    assert (alike.before, alike.name) == ("Has the same name as", "Ada")
    (merged,) = rows(report)["students"][EMAILS["users/3"]].notes
    assert (merged.before, merged.name) == ("Includes the time of the guest", "Bobby")
    assert merged.after == ", assigned by teacher@school.example on 23 November 2026, 09:00:00."


def test_room_devices_are_listed_apart_from_guests():
    held = call((TEACHING, (0, 60)), (student(77, "Room 2.14"), (0, None)), (guest("x"), (0, 60)))
    report = page(
        sheet_of(lesson(roster=CLASS), held, people={"users/77": nobody("users/77")}, room_names=("Room *",)),
    )

    assert set(rows(report)["rooms"]) == {"Room 2.14"}
    assert "Room 2.14" not in rows(report)["guests"]
    assert report.open_end == "end not reported by Google Meet"


def test_people_of_one_name_are_told_apart():
    roster = [dataclasses.replace(one, display_name="Ada", student_id=str(n)) for n, one in enumerate(CLASS)]
    report = page(sheet_of(lesson(roster=roster), call((TEACHING, (0, 60)))))

    (students,) = (group.rows for group in report.groups if group.anchor == "students")
    assert {row.details for row in students} == {("0", EMAILS["users/2"]), ("1", EMAILS["users/3"])}


def test_a_class_across_midnight_names_the_other_day():
    late = lesson(roster=CLASS, start=14 * 60 + 30, end=15 * 60 + 30, listed=1000)
    people = [participant(ADA, (14 * 60 + 30, 15 * 60 + 30)), participant(TEACHING, (14 * 60 + 30, 15 * 60 + 30))]
    report = page(sheet_of(late, call(*people, start=14 * 60 + 30, end=15 * 60 + 30, pulled=940), now=1001))

    assert report.day == "Monday, 23 November 2026"
    assert report.hours == "23:30 to 00:30 on 24 November"
    assert rows(report)["students"]["Ada"].times == ("23:30:00 to 00:30:00 on 24 November",)


def planned(**changes):
    session = lesson(roster=CLASS)
    return dataclasses.replace(session, plan=dataclasses.replace(session.plan, **changes))


def test_in_a_title_a_right_to_left_subject_reverses_only_itself():
    report = page(sheet_of(planned(subject="حصة 101", class_id="7b"), call((TEACHING, (0, 60)))))

    assert report.title == "\u2068حصة 101\u2069 7b, 23 November 2026"


def test_a_title_tells_classes_of_one_subject_apart():
    sheets = [
        sheet_of(planned(subject="Maths", class_id=name), call((TEACHING, (0, 60)))) for name in ("7a", "7b", None)
    ]

    titles = [page(sheet).title for sheet in sheets]
    assert titles == ["Maths 7a, 23 November 2026", "Maths 7b, 23 November 2026", "Maths, 23 November 2026"]


def texts(value):
    if isinstance(value, str):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [text for one in values for text in texts(one)]


def test_no_typed_text_reverses_the_text_after_it():
    class_id, subject = f"7b{TURNED}", f"Maths{TURNED}"
    held = call((TEACHING, (0, 60)), (ADA, (0, 60)), (guest("Bobby"), (0, 60)))
    who = of(sheet_of(planned(), held), "Bobby").attendee_id
    office = Decision(f"office{TURNED}", None, at(0))
    by_hand = override(Mark.EXCUSED, email=EMAILS["users/2"])
    by_hand = dataclasses.replace(by_hand, reason=f"ill{TURNED}", decision=office)
    assigned = dataclasses.replace(assignment(who, email=EMAILS["users/3"]), decision=office)
    roster = (
        RosterEntry(email=EMAILS["users/2"], student_id=f"1{TURNED}", class_id=f"7a{TURNED}"),
        RosterEntry(email=EMAILS["users/3"]),
    )
    session = planned(class_id=class_id, subject=subject, roster=roster)
    report = page(sheet_of(session, held, corrections=[by_hand, assigned]))

    shown = texts(dataclasses.asdict(report))
    assert not [text for text in shown if set(TURNED) & set(text)]
    assert {"Maths", "7b", "7a", "1", "ill", "office"} <= set(shown)
    assert any(text.startswith(", assigned by office") for text in shown)


def test_in_a_sentence_the_name_of_the_person_who_decided_reverses_only_itself():
    held = call((TEACHING, (0, 60)), (ADA, (0, 60)), (guest("Bobby"), (0, 60)))
    who = of(sheet_of(lesson(roster=CLASS), held), "Bobby").attendee_id
    assigned = dataclasses.replace(assignment(who, email=EMAILS["users/3"]), decision=Decision("مكتب 2", None, at(0)))
    report = page(sheet_of(lesson(roster=CLASS), held, corrections=[assigned]))

    (merged,) = rows(report)["students"][EMAILS["users/3"]].notes
    assert merged.after.startswith(", assigned by \u2068مكتب 2\u2069 on 23 November 2026")


@pytest.mark.parametrize("unseen", ["\u200b\u2060", "\u3164", "\u2800 \ufe0f", "\u034f", "\u200e"])
def test_a_person_with_an_invisible_name_is_still_visible(unseen):
    report = page(sheet_of(lesson(roster=CLASS), call((TEACHING, (0, 60)), (guest(unseen), (0, 60)))))

    assert set(rows(report)["guests"]) == {"Name that shows nothing"}


def test_where_clocks_change_meanwhile_every_time_says_which_clock_it_means():
    """In New York, clocks are put back on 1 November at two in the morning, which is 06:00 UTC."""
    days = 22 * 1440
    start, end = 5 * 60 + 30 - days - 9 * 60, 6 * 60 + 30 - days - 9 * 60
    held = call((TEACHING, (start, end)), start=start, end=end, pulled=end + 20)
    session = lesson(start=start, end=end, roster=CLASS, time_zone="America/New_York", listed=end + 20)
    report = page(sheet_of(session, held, now=end + 21))

    assert report.hours == "01:30 EDT to 01:30 EST"
    assert facts(report)["Read from Meet"] == ("1 November 2026, 01:50:00 EST", "")


def test_where_no_student_is_expected_guests_are_not_said_to_be_missing_one():
    report = page(sheet_of(lesson(), call((TEACHING, (0, 60)), (ADA, (0, 60)))))

    (guests,) = (group for group in report.groups if group.anchor == "guests")
    assert (guests.title, guests.note) == ("Guests", "")
