"""Bodies of answers for operators: tracked teachers, erasing, and the state of the system."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from functions.entrypoints.api.schemas.answers import Answer, SyncErrorAnswer
from functions.hints import PERSON_LEFT
from functions.services.operations.erase_student import Outcome
from functions.services.operations.survey import Survey


class SubscriptionAnswer(Answer):
    """A teacher's subscription to Workspace events."""

    name: str | None = None
    state: str | None = None
    expire_time: datetime | None = None
    suspension_reason: str | None = None
    renewed_at: datetime | None = None
    error: SyncErrorAnswer | None = None


class OrganizerAnswer(Answer):
    """A teacher who is tracked: `organizers/{user_id}`."""

    user: str
    email: str
    enrolled_at: datetime | None = None
    subscription: SubscriptionAnswer | None = None
    reconciled_until: datetime | None = None


class OrganizerList(Answer):
    """All tracked teachers."""

    organizers: list[OrganizerAnswer]


class ErasedAnswer(Answer):
    """How many documents of each kind were changed or deleted, or would be."""

    attendance: int = 0
    sessions: int = 0
    conferences: int = Field(0, description="In addition to those of the class meetings.")
    corrections: int = Field(0, description="Those not yet applied to a class meeting; others belong to theirs.")
    people: int = 0
    spaces: int = Field(0, description="The number of rooms that were the person's.")
    registers: int = 0
    parked_events: int = 0
    audit: int = 0
    remarks: int = 0
    live: int = 0


class ErasureAnswer(Answer):
    """What came of erasing a student."""

    status: Literal["success", "running"] = Field(
        description="`running`: time ran out before everything was erased; a job continues, and so does the same call."
    )
    dry_run: bool
    erased: ErasedAnswer
    left: int = Field(
        description="How many accounts and addresses go with the person and were left, because others have or had them "
        "too; 0 where an erasure that was interrupted is carried on."
    )
    hint: str | None = Field(description="What to do about what was left; null if nothing was.")

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """An outcome as it is answered."""
        status = "success" if outcome.complete else "running"
        erased, hint = ErasedAnswer(**outcome.counts), PERSON_LEFT if outcome.left else None
        return cls(status=status, dry_run=outcome.dry_run, erased=erased, left=outcome.left, hint=hint)


class Trouble(Answer):
    """One thing that may need a person, by its id; `hint` is what to do about it."""

    id: str
    reason: str
    hint: str
    since: datetime | None = None


class TroubleList(Answer):
    """Problems of one kind, those that have waited the longest first.

    `count` is at most what one answer shows, and `more` says whether there are others.
    """

    count: int
    more: bool
    first: list[Trouble]


class SessionsCheckAnswer(Answer):
    """How well events agree with Meet: some conferences are read in full once a day and compared.

    A difference is corrected at once.
    """

    began_at: datetime
    conferences: int = Field(description="How many were compared since it began.")
    differences: int = Field(description="How many people in them had been there at other times.")


class Status(Answer):
    """The state of the system, and what may need a person."""

    surveyed_at: datetime
    needs_a_person: bool
    organizers: int
    active_organizers: int
    last_sync_at: datetime | None = None
    oldest_provisional_seconds: int
    most_overdue_seconds: int
    organizers_without_subscription: TroubleList
    unreconciled_organizers: TroubleList
    failed_conferences: TroubleList
    provisional_conferences: TroubleList
    overdue_sessions: TroubleList
    sessions_not_in_calendar: TroubleList
    parked_events: TroubleList
    sessions_check: SessionsCheckAnswer | None = None

    @classmethod
    def of(cls, survey: Survey) -> Self:
        """The answer for a survey."""
        return cls.model_validate(survey, from_attributes=True)
