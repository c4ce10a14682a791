"""What each field and parameter means, for `/openapi.json`: by its name, or by `Schema.name` where that says else.

`docs/documents.md` tells the same of stored documents at greater length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MARKS_WITH = "How many students have this mark."
_SUCCESS = "Always `success`: errors are problem documents."
_BY_HAND = "The mark that a person decided."

MEANINGS: Final[Mapping[str, str]] = {
    # People
    "attendee_id": "A person in one class meeting. It may change when more becomes known of the person.",
    "student_id": "The LMS's own id of the student.",
    "email": "The address, lower case.",
    "emails": "All known addresses, the roster's first.",
    "email_source": "Where the address is from: `directory`, `people`, `roster`, `reports` or `assigned`.",
    "user": "The Google account, `users/ID`.",
    "display_name": "The roster's name, else as Meet shows it. Participants type it: escape it wherever it is shown.",
    "kind": "`signed_in`, `anonymous`, `phone`, `room` (a device), or `expected`: on the roster and never there.",
    "role": "`teacher`, `student` or `guest`.",
    "merged": "Guests who people said are this student; their time is counted here.",
    "suggestions": "Of a guest: students with such a name. Never taken by itself.",
    "match": "How alike the names are: `same` or `similar`.",
    "teacher_email": "The class's own teacher.",
    "teacher_emails": "All its teachers, the class's own first.",
    "co_teacher_emails": "Its other teachers.",
    "student_emails": "Who is expected, by address.",
    "students": "Who is expected.",
    "roster": "Who is expected.",
    "unapplied_corrections": "Marks set by hand and guests assigned whose student is not on the roster. All are kept.",
    "by": "Who decides, as the LMS says; kept in `audit` beside the caller.",
    "at": "When it was decided.",
    # Class meetings
    "session_id": "The class meeting.",
    "series_id": "What the class meetings of one series share.",
    "external_id": "The LMS's own id of the class meeting; makes scheduling repeatable for ever.",
    "class_id": "The LMS's name of the class; of a student the section, where the roster names one.",
    "subject": "What the class is about.",
    "space": "The room, `spaces/ID`.",
    "meeting_code": "The code in the Meet link. Google gives it to other rooms later: never a key.",
    "meeting_uri": "The Meet link, to be shown to the class.",
    "start_time": "When it begins.",
    "end_time": "When it ends.",
    "duration_minutes": "How long the class is.",
    "scheduled_start": "When it begins as planned; null if nobody planned it.",
    "scheduled_end": "When it ends as planned; null if nobody planned it.",
    "session_start": "As planned, else when it began: what lists are ordered by.",
    "session_state": "The state of the class meeting.",
    "actual_start": "When its first call began, within its own time.",
    "actual_end": "When its last call ended, within its own time.",
    "held_start": "From when a teacher held the class, within the planned time; null where the planned time counts.",
    "held_end": "Until when a teacher held the class, within the planned time; null where the planned time counts.",
    "held_elsewhere": "Of a class that was not held: people were there at another time near it.",
    "time_zone": "The IANA name of the zone in which it is held.",
    "local_date": "The day on which it begins there.",
    "recurrence": "A rule of RFC 5545 such as `FREQ=WEEKLY;COUNT=10`; the time on the clock stays the same.",
    "policy": "How marks are made.",
    "counts": "How many students have which mark.",
    "conference_records": "The calls that belong to it, `conferenceRecords/ID`, read or not.",
    "conference_record": "A call, `conferenceRecords/ID`.",
    "conference_record_id": "A call, without `conferenceRecords/`.",
    "participant_session": "A presence of one device in a call, as Meet names it.",
    "tracking": "Whether events tell of the teacher's calls: `active`, `pending`, or `failed`.",
    "tracking_hint": "What to do about a teacher who could not be tracked.",
    "calendar": "Where it stands in Calendar; null for a class that is in none.",
    "event_id": "The event in Calendar; of a series the one that recurs.",
    "due_at": "When it is brought up to date by itself next; null once that is not needed.",
    "sync": "How far the reading is; null before the first attempt.",
    "sync_state": "`complete`, `provisional` (it is read again) or `failed`.",
    "source": "What made us read: `event`, `manual`, `reconcile`, or `reports` for what was not read from Meet.",
    "pulled_at": "When the stored read began.",
    "attempts": "How many reads were recorded.",
    "meet_calls": "How many calls to Meet the last read took.",
    "error": "What is wrong, if something is.",
    "reason": "Why.",
    "message": "What happened, for people.",
    "hint": "What a person can do about it.",
    "schema_version": "The version of the document's form.",
    "expire_at": "When it is deleted; null without a time of retention.",
    "created_at": "When it was stored first.",
    "updated_at": "When something last changed in it that a reader can see.",
    # Attendance
    "status": "The mark by the rules; null for whoever is no student.",
    "status_reason": "Why the rules give it, in a sentence with the numbers.",
    "mark": "What counts: the mark set by hand, else the one by the rules.",
    "override": "A mark that a person decided; null if nobody did.",
    "is_late": "Came after the limit, whatever the mark.",
    "is_left_early": "Went before the limit, whatever the mark.",
    "first_joined_at": "The first moment in the class's own time.",
    "last_left_at": "The last moment in the class's own time.",
    "total_duration_seconds": "The union of all presences: two devices at once count once.",
    "in_class_seconds": "The part of it in the planned time.",
    "session_count": "How many presences there are.",
    "duration_seconds": "How long it is.",
    "open": "Meet told no end of it.",
    "attendance": "Everybody's attendance.",
    "share": "Of the class meetings that count the part at which the student was, from 0 to 1; null without any.",
    "marks": "The mark in each class meeting, by `session_id`.",
    "month": "A local month, such as 2026-11.",
    "present": _MARKS_WITH,
    "late": _MARKS_WITH,
    "left_early": _MARKS_WITH,
    "partial": _MARKS_WITH,
    "absent": _MARKS_WITH,
    "excused": _MARKS_WITH,
    "unknown": "How many students have no mark yet, because missing data could still turn it around.",
    "guests": "How many people are neither on the roster nor teachers; devices in rooms are not among them.",
    "erased": "How many people were erased; 0 in this version.",
    # Rules
    "window": "`held`: the planned time, shortened to the teacher's if that holds half of the time that people were "
    "together; `scheduled`: the planned time.",
    "late_after_minutes": "Whoever comes longer than this after the window's start is late.",
    "left_early_minutes": "Whoever goes longer than this before the window's end has left early.",
    "min_share": "Whoever is there for less of the window than this gets partial; from 0 to 1.",
    "min_held_minutes": "Less than this with a teacher, or with two people at once, is a class that was not held. "
    "Of a shorter class it is the whole planned time.",
    "open_before_minutes": "A call that ended longer than this before the class does not belong to it.",
    "open_after_minutes": "A call that began longer than this after the class does not belong to it.",
    # Lists and queries
    "sessions": "Class meetings.",
    "session_ids": "The class meetings that were changed.",
    "session": "The class meeting that was named.",
    "next_page_token": "Send it as `page_token` for the next page; null on the last one.",
    "page_token": "The `next_page_token` of the page before; good for an hour.",
    "page_size": "How many at most, up to 500.",
    "from": "From when on. A date means its midnight in the school's time zone.",
    "to": "Until before when. A date means its midnight in the school's time zone.",
    "format": "As JSON; as a file, `csv` or `xlsx`; where there are such, as a page for people's eyes (`html`) or as a "
    "file that Moodle (`moodle`) or another gradebook (`grades`) imports.",
    "scope": "Of a series: this class meeting alone, or this and all later ones.",
    "full": "Read also what was read for good.",
    "student": "A `student_id`, a Google user id or an e-mail.",
    "user_id": "The Google user id, without `users/`.",
    "state": "The state of the class meeting.",
    # Operating
    "organizers": "How many teachers are tracked.",
    "active_organizers": "How many of them have a subscription that tells of their calls.",
    "enrolled_at": "Since when the teacher is tracked.",
    "reconciled_until": "Until when the teacher's calls were looked for without an event.",
    "subscription": "What has Google tell of the teacher's calls; null without one.",
    "name": "The subscription as Google names it.",
    "expire_time": "Until when it lives, unless it is renewed.",
    "renewed_at": "When it was made or renewed.",
    "suspension_reason": "Why Google suspended it.",
    "surveyed_at": "When it was looked.",
    "needs_a_person": "Whether there is something that does not come right by itself.",
    "last_sync_at": "When a call was last read.",
    "oldest_provisional_seconds": "For how long the oldest call that is not read for good has been waiting.",
    "most_overdue_seconds": "By how much the class meeting that has waited the longest is overdue.",
    "organizers_without_subscription": "Teachers whose subscription does not tell of their calls.",
    "unreconciled_organizers": "Teachers whose calls could not be looked for.",
    "failed_conferences": "Calls that could not be read.",
    "provisional_conferences": "Calls that are not read for good yet.",
    "overdue_sessions": "Class meetings that were due and were not looked at.",
    "sessions_not_in_calendar": "Class meetings that Calendar does not show as they are.",
    "parked_events": "Messages that could not be processed.",
    "id": "Of the document.",
    "since": "Since when.",
    "count": "How many are shown.",
    "more": "Whether there are others.",
    "first": "Those that have waited the longest.",
    # Problems
    "title": "The kind of problem, in words.",
    "detail": "What is wrong with this request.",
    "errors": "Each field that cannot be used, with its reason.",
    "field": "The path of the field, such as `students.0.email`.",
    # Where a name means something else
    "AssignRequest.email": "The student whom the guest is; null takes the assignment back.",
    "AssignRequest.student_id": "The student whom the guest is.",
    "AssignRequest.kind": "`room`: the guest is a device in a room.",
    "AssignRequest.remember": "False: for this class meeting only.",
    "AttendanceAnswer.sessions": "Presences, oldest first. They overlap where devices did: never add them up.",
    "CalendarAnswer.state": "Whether Calendar shows it: `active`, `pending` (tried again), `failed`, or `gone`.",
    "Changed.status": _SUCCESS,
    "ClassRosterRequest.from": "From when on; from now on if left out.",
    "ChangeRequest.start_time": "When it begins from now on, with an offset.",
    "Overridden.attendance": "Theirs, where there is any yet.",
    "Overridden.attendee_ids": "Whose marks were decided.",
    "Overridden.status": _SUCCESS,
    "OverrideAnswer.status": _BY_HAND,
    "OverrideItem.status": _BY_HAND,
    "OverrideRequest.status": _BY_HAND,
    "OverridesRequest.overrides": "The marks; each names its student in exactly one way.",
    "OrganizerList.organizers": "Every teacher who is tracked.",
    "PolicyAnswer.marks": "Whether there are marks at all; false: only times.",
    "PolicyBody.marks": "Whether there are marks at all; false: only times.",
    "PolicyRequest.marks": "Whether there are marks at all; false: only times.",
    "ProblemDetails.status": "The HTTP status.",
    "ProblemDetails.session_id": "The class meeting that is in the way.",
    "RecordRequest.session_id": "Instead of `conference_record`: the class meeting that it is now.",
    "Register.students": "Every student with marks in the month.",
    "RosterAnswer.display_name": "What the LMS calls the student.",
    "ScheduleRequest.calendar": "Whether it is also an event in the teacher's calendar.",
    "ScheduleRequest.meeting_code": "An existing Meet link, or its code, to be used instead of a new room.",
    "ScheduleRequest.start_time": "When it begins, with an offset; up to 180 days ago and 366 days ahead.",
    "ScheduleRequest.time_zone": "Where it is held, by IANA name; a series keeps local time. The school's if left out.",
    "Scheduled.hint": "What to do if `tracking` is `failed`, or if the class was cancelled since the first answer.",
    "Scheduled.sessions": "Every class meeting of a series.",
    "Scheduled.status": _SUCCESS,
    "SessionIds.status": _SUCCESS,
    "StudentBody.display_name": "What the LMS calls the student.",
    "UnappliedAnswer.attendee_id": "Of a mark: the student as the roster named them. Of an assignment: the guest.",
    "UnappliedAnswer.email": "The student's address when it was decided.",
    "UnappliedAnswer.kind": "`override`: a mark set by hand; `assignment`: a guest who was said to be this student.",
    "UnappliedAnswer.status": "The mark that was set; null for an assignment.",
    "SubscriptionAnswer.state": "`active`, or why it does not tell of calls.",
    "SyncAnswer.state": "`complete`, `provisional` (it is read again) or `failed` (see `error`).",
    "SyncQuery.source": "Whom to ask: Google Meet, or Google's reports.",
    "Synced.created": "How many documents of people who joined are new.",
    "Synced.participants": "Everybody who joined, most time first.",
    "Synced.status": _SUCCESS,
    "Synced.updated": "How many documents of people who joined have changed.",
    "SyncedParticipant.sessions": "Presences, oldest first.",
}


def describe(api: dict[str, Any]) -> None:
    """Say in a description of the API what everything in it means that does not say so itself."""
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
