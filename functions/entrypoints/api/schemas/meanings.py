"""What each field and parameter means, for `/openapi.json`: by name, or by `Schema.name` for another meaning there.

`docs/documents.md` describes the stored documents in more detail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MARKS_WITH = "The number of students with this mark."
_SUCCESS = "Always `success`: errors are problem documents."
_BY_HAND = "The mark that a person sets."

MEANINGS: Final[Mapping[str, str]] = {
    # People
    "attendee_id": "The id of a person in one class meeting. It may change when more is known about the person.",
    "student_id": "The LMS's id of the student.",
    "email": "The e-mail address, in lower case.",
    "emails": "All known addresses; the roster's address comes first.",
    "email_source": "Where the address comes from: `directory`, `people`, `roster`, `reports` or `assigned`.",
    "user": "The Google account, `users/ID`.",
    "display_name": "The roster's name, otherwise the name in Meet. Participants can type any name: escape it.",
    "kind": "`signed_in`, `anonymous`, `phone`, `room` (a device), or `expected`: on the roster but never in the call.",
    "role": "`teacher`, `student` or `guest`.",
    "merged": "Guests assigned to this student; their time is counted here.",
    "suggestions": "For a guest: students with a similar name. A person must confirm them.",
    "match": "How similar the names are: `same` or `similar`.",
    "teacher_email": "The class's main teacher.",
    "teacher_emails": "All teachers of the class, the main teacher first.",
    "co_teacher_emails": "The other teachers of the class.",
    "student_emails": "The expected students, by e-mail address.",
    "students": "The expected students.",
    "roster": "The expected students.",
    "unapplied_corrections": "Marks and assignments whose student is not on the roster. All are kept.",
    "by": "The person who decides, as the LMS names them; `audit` stores it with the caller.",
    "at": "The time of the decision.",
    # Class meetings
    "session_id": "The id of the class meeting.",
    "series_id": "The id that all class meetings of one series share.",
    "external_id": "The LMS's id of the class meeting. With it, a repeated request never schedules a second class.",
    "class_id": "The LMS's id of the class; for a student the section, if the roster names one.",
    "subject": "The subject of the class.",
    "space": "The Meet room, `spaces/ID`.",
    "meeting_code": "The code in the Meet link. Google reuses codes for other rooms: never use it as a key.",
    "meeting_uri": "The Meet link to show to the class.",
    "start_time": "The time at which it starts.",
    "end_time": "The time at which it ends.",
    "duration_minutes": "The length of the class in minutes.",
    "scheduled_start": "The planned start; null if the meeting was not scheduled.",
    "scheduled_end": "The planned end; null if the meeting was not scheduled.",
    "session_start": "The planned start; if not scheduled, the actual start. Lists are ordered by it.",
    "session_state": "The state of the class meeting.",
    "actual_start": "The start of its first call, within the class's own time.",
    "actual_end": "The end of its last call, within the class's own time.",
    "held_start": "When a teacher began to hold the class, in the planned time; null if the planned time counts.",
    "held_end": "When a teacher stopped holding the class, in the planned time; null if the planned time counts.",
    "held_elsewhere": "For a class that was not held: true if people were in its room shortly before or after it.",
    "time_zone": "The IANA name of the class's time zone, such as `Europe/Berlin`.",
    "local_date": "The date of its start in that time zone.",
    "recurrence": "A rule of RFC 5545 such as `FREQ=WEEKLY;COUNT=10`; the local time stays the same.",
    "policy": "The rules for marks.",
    "counts": "How many students have each mark.",
    "conference_records": "The calls of this class meeting, `conferenceRecords/ID`, including calls not read yet.",
    "conference_record": "A call, `conferenceRecords/ID`.",
    "conference_record_id": "The id of a call, without `conferenceRecords/`.",
    "participant_session": "One presence of one device in a call, with Meet's name for it.",
    "tracking": "Whether the teacher could be tracked when the class was scheduled: `active`, `pending` or `failed`.",
    "tracking_hint": "What to do if the teacher could not be tracked.",
    "calendar": "The state of the class in Calendar; null if it is not in Calendar.",
    "event_id": "The id of the event in Calendar; for a series, the recurring event.",
    "due_at": "When the system updates it next by itself; null if no update is needed.",
    "sync": "The state of reading from Google; null before the first attempt.",
    "sync_state": "`complete`, `provisional` (the system reads it again) or `failed`.",
    "source": "What started the read: `event`, `manual`, `reconcile`, or `reports` for data that is not from Meet.",
    "pulled_at": "When the stored read started.",
    "attempts": "The number of recorded reads.",
    "meet_calls": "The number of requests to Meet in the last read.",
    "error": "What is wrong; null if nothing is wrong.",
    "reason": "The reason.",
    "message": "What happened, in a sentence.",
    "hint": "What a person can do about it.",
    "schema_version": "The version of the document's structure.",
    "expire_at": "When it is deleted; null if documents are kept without a limit.",
    "created_at": "When it was first stored.",
    "updated_at": "When a visible part of it last changed.",
    # Attendance
    "status": "The mark by the rules; null if the person is not a student.",
    "status_reason": "Why the rules give this mark, in a sentence with the numbers.",
    "mark": "The mark that counts: the mark set by hand, otherwise the mark by the rules.",
    "override": "The mark set by hand; null if no mark was set by hand.",
    "is_late": "True if the person joined after the limit, whatever the mark is.",
    "is_left_early": "True if the person left before the limit, whatever the mark is.",
    "first_joined_at": "When the person first joined, within the class's own time.",
    "last_left_at": "When the person last left, within the class's own time.",
    "total_duration_seconds": "The time in the call; two devices at the same time count once.",
    "in_class_seconds": "The part of that time within the planned time.",
    "session_count": "The number of presences.",
    "duration_seconds": "The length in seconds.",
    "open": "True if Meet has not reported an end.",
    "attendance": "The attendance of every person.",
    "share": "The share of the counted class meetings that the student attended, from 0 to 1; null if none count.",
    "best_possible_share": "The `share` if the student is present in every class meeting of the month that is still to "
    "come.",
    "marks": "The mark in each class meeting, by `session_id`.",
    "month": "A month in the school's time zone, such as 2026-11; where it is optional, the current month if left out.",
    "present": _MARKS_WITH,
    "late": _MARKS_WITH,
    "left_early": _MARKS_WITH,
    "partial": _MARKS_WITH,
    "absent": _MARKS_WITH,
    "excused": _MARKS_WITH,
    "unknown": "How many students have no mark yet, because missing data could still change it.",
    "guests": "How many people are neither on the roster nor teachers; room devices are not counted.",
    "erased": "How many people were erased; 0 in this version.",
    # Rules
    "window": "The time that marks use. `held`: the planned time, shortened to the teacher's time if that covers half "
    "of the time in which people were together; `scheduled`: the planned time.",
    "late_after_minutes": "A student who joins more than this after the start of the window is late.",
    "left_early_minutes": "A student who leaves more than this before the end of the window has left early.",
    "min_share": "A student who is there for less than this share of the window is `partial`; from 0 to 1.",
    "min_held_minutes": "A class counts as held if a teacher, or two people at once, were there for at least this "
    "long. For a class shorter than this, it is the whole planned time.",
    "open_before_minutes": "A call that ended more than this before the class does not belong to it.",
    "open_after_minutes": "A call that started more than this after the class does not belong to it.",
    # Lists and queries
    "sessions": "Class meetings.",
    "session_ids": "The ids of the changed class meetings.",
    "session": "The class meeting in the request.",
    "next_page_token": "Send it as `page_token` to get the next page; null on the last page.",
    "page_token": "The `next_page_token` of the previous page; valid for one hour.",
    "page_size": "The largest number of entries on a page, up to 500.",
    "from": "The start of the period (inclusive). A date means its midnight in the school's time zone.",
    "to": "The end of the period (exclusive). A date means its midnight in the school's time zone.",
    "updated_since": "Only class meetings that have changed since then, in the order of the last change "
    "(`updated_at`). A page may then have fewer class meetings than requested, even none, although others follow.",
    "below": "Students whose `share` is below this value, from 0 to 1; a share equal to it is not below it.",
    "format": "`json`; a file, `csv` or `xlsx`; where available, a page to read or print (`html`) or a file that "
    "Moodle (`moodle`) or another gradebook (`grades`) imports.",
    "scope": "For a series: `this` class meeting only, or this and all `following` ones.",
    "full": "True reads calls again whose data is already final.",
    "student": "A `student_id`, a Google user id or an e-mail address.",
    "user_id": "The Google user id, without `users/`.",
    "state": "The state of the class meeting.",
    # Operating
    "organizers": "The number of tracked teachers.",
    "active_organizers": "How many of them have a subscription that reports their calls.",
    "enrolled_at": "When tracking of the teacher started.",
    "reconciled_until": "The system has looked for calls without an event up to this time.",
    "subscription": "The subscription through which Google reports the teacher's calls; null without one.",
    "name": "Google's name of the subscription.",
    "expire_time": "When the subscription ends if it is not renewed.",
    "renewed_at": "When the subscription was created or last renewed.",
    "suspension_reason": "Why Google suspended the subscription.",
    "surveyed_at": "When this status was made.",
    "needs_a_person": "True if a person must act because something does not fix itself.",
    "last_sync_at": "When a call was last read.",
    "oldest_provisional_seconds": "How long the oldest call without final data has been waiting.",
    "most_overdue_seconds": "How long the class meeting that has waited the longest is overdue.",
    "organizers_without_subscription": "Teachers whose calls Google does not report to this system.",
    "unreconciled_organizers": "Teachers whose calls could not be listed.",
    "failed_conferences": "Calls that could not be read.",
    "provisional_conferences": "Calls whose data is not final yet.",
    "overdue_sessions": "Class meetings that are overdue for an update.",
    "sessions_not_in_calendar": "Class meetings that Calendar shows incorrectly or not at all.",
    "parked_events": "Messages that could not be processed.",
    "id": "The id of the document.",
    "since": "The time since which it has this problem.",
    "count": "The number of entries shown.",
    "more": "True if there are more entries.",
    "first": "The entries that have waited the longest.",
    # Problems
    "title": "The kind of problem, in words.",
    "detail": "What is wrong with this request.",
    "errors": "Each field that is not valid, with the reason.",
    "field": "The path of the field, such as `students.0.email`.",
    # Names with another meaning in some schemas
    "AssignRequest.email": "The student that the guest is; null removes the assignment.",
    "AssignRequest.student_id": "The student that the guest is.",
    "AssignRequest.kind": "`room`: the guest is a room device.",
    "AssignRequest.remember": "False applies it to this class meeting only.",
    "AttendanceAnswer.sessions": "Presences, oldest first. They overlap if devices overlapped: do not add them up.",
    "CalendarAnswer.state": "Whether Calendar shows it: `active`, `pending` (tried again), `failed`, or `gone`.",
    "Changed.status": _SUCCESS,
    "AtRiskList.students": "Students whose `share` is too low, the lowest first.",
    "ClassRosterRequest.from": "The start of the change; now if left out.",
    "ChangeRequest.start_time": "The new start, with an offset.",
    "Overridden.attendance": "The attendance of these students, if they have any yet.",
    "Overridden.attendee_ids": "The ids of the students whose marks were set.",
    "Overridden.status": _SUCCESS,
    "OverrideAnswer.status": _BY_HAND,
    "OverrideItem.status": _BY_HAND,
    "OverrideRequest.status": _BY_HAND,
    "OverridesRequest.overrides": "The marks; each names one student in exactly one way.",
    "OrganizerList.organizers": "Every tracked teacher.",
    "PolicyAnswer.marks": "True gives marks; false records only times.",
    "PolicyBody.marks": "True gives marks; false records only times.",
    "PolicyRequest.marks": "True gives marks; false records only times.",
    "ProblemDetails.status": "The HTTP status.",
    "ProblemDetails.session_id": "The class meeting that causes the conflict.",
    "RecordRequest.session_id": "Instead of `conference_record`: the unscheduled class meeting that the call made.",
    "Register.students": "Every student with marks in the month.",
    "RosterAnswer.display_name": "The LMS's name for the student.",
    "ScheduleRequest.calendar": "True also creates an event in the teacher's calendar.",
    "ScheduleRequest.meeting_code": "An existing Meet link or its code, to use instead of a new room.",
    "ScheduleRequest.start_time": "The start, with an offset; at most 180 days ago and 366 days ahead.",
    "ScheduleRequest.time_zone": "The IANA name of the time zone; default: the school's. A series keeps local time.",
    "Scheduled.calendar": "The state of the class in Calendar; left out if it is not in Calendar.",
    "Scheduled.hint": "What to do if `tracking` is `failed`, or if the class was cancelled after the first answer.",
    "Scheduled.sessions": "Every class meeting of a series.",
    "Scheduled.status": _SUCCESS,
    "ChangedSessions.status": _SUCCESS,
    "StudentBody.display_name": "The LMS's name for the student.",
    "UnappliedAnswer.attendee_id": "For a mark: the student as named on the roster. For an assignment: the guest.",
    "UnappliedAnswer.email": "The student's address at the time of the decision.",
    "UnappliedAnswer.kind": "`override`: a mark set by hand; `assignment`: a guest assigned to this student.",
    "UnappliedAnswer.status": "The mark set by hand; null for an assignment.",
    "SubscriptionAnswer.state": "`active`, or why it does not report calls.",
    "SyncAnswer.state": "`complete`, `provisional` (the system reads it again) or `failed` (see `error`).",
    "SyncQuery.source": "Where to read: Google Meet, or Google's reports.",
    "Synced.created": "The number of new documents about people who joined.",
    "Synced.participants": "Everybody who joined, longest presence first.",
    "Synced.status": _SUCCESS,
    "Synced.updated": "The number of changed documents about people who joined.",
    "SyncedParticipant.sessions": "Presences, oldest first.",
}


def describe(api: dict[str, Any]) -> None:
    """Add meanings to everything in a description of the API that has none."""
    for schema, content in api["components"]["schemas"].items():
        for name, value in content.get("properties", {}).items():
            _say(value, MEANINGS.get(f"{schema}.{name}") or MEANINGS.get(name))
    for calls in api["paths"].values():
        for call in calls.values():
            for parameter in call.get("parameters", []):
                _say(parameter, _of_parameter(parameter["name"]))


def _of_parameter(name: str) -> str | None:
    return MEANINGS["SyncQuery.source"] if name == "source" else MEANINGS.get(name)


def _say(where: dict[str, Any], meaning: str | None) -> None:
    if meaning:
        where.setdefault("description", meaning)
