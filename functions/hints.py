"""Hints for problems that a person fixes with Google's own menus or commands, for use cases that meet such problems.

Hints about a single service are in the service's row: `functions.adapters.google.calls.services`.
"""

from __future__ import annotations

LINK_FAILED = (
    "Check that Google Meet is switched on for the teacher (Admin console: Apps > Google Workspace > Google Meet), "
    "or schedule the class without calendar."
)

REPORTS_NOT_SET_UP = (
    "Set REPORTS_ADMIN to the e-mail address of an administrator with the privilege Reports, and grant the scope "
    "https://www.googleapis.com/auth/admin.reports.audit.readonly. If all services are stand-ins, set "
    "REPORTS_API_ENDPOINT to the address of the stand-in."
)

ERASURE_NOT_SET_UP = (
    "Deploy again: make deploy makes the key in Secret Manager and gives it to the functions. On your own machine: "
    'export ERASURE_KEY="$(gcloud secrets versions access 1 --secret=meet-attendance-erasure-key '
    '--project=PROJECT)"'
)

PERSON_LEFT = (
    "Some accounts or addresses stay because other people have or had them too. GET /api/students/{student}/attendance "
    "with one of them shows which class meetings still name it. If it belongs to this person alone, correct the roster "
    "or the assignment that says otherwise, and erase again."
)

ORGANIZER_UNKNOWN = (
    "Subscribe to the teacher (target //cloudidentity.googleapis.com/users/ID) instead of to a single space: then "
    "events name the organizer."
)

_SCOPE = "https://www.googleapis.com/auth/meetings.space.readonly"

_HINTS = {
    "USER_SCOPE_REVOKED": (
        f"The teacher removed the scope {_SCOPE}: ask them to consent again; with domain-wide delegation, "
        "grant it in the Admin console under Security > Access and data control > API controls > Manage domain-wide "
        "delegation."
    ),
    "APP_SCOPE_REVOKED": (
        f"An administrator removed the scope {_SCOPE} from this application: grant it in the Admin console under "
        "Security > Access and data control > API controls > Manage domain-wide delegation, and check under Manage app "
        "access that it is not blocked."
    ),
    "RESOURCE_DELETED": (
        "The teacher's account is deleted. Restore it in the Admin console under Directory > Users > Recently deleted, "
        "or stop tracking the teacher."
    ),
    "USER_AUTHORIZATION_FAILURE": (
        "Google no longer lets this application act as the teacher. Check in the Admin console under Directory > Users "
        "that the account is not suspended, and under Apps > Google Workspace > Google Meet that Meet is on for it; "
        "without domain-wide delegation, ask the teacher to consent again."
    ),
    "APP_AUTHORIZATION_FAILURE": (
        "Google no longer accepts this application. Check in the Admin console under Security > Access and data "
        "control > API controls that its client id is listed under Manage domain-wide delegation, and not blocked "
        "under Manage app access."
    ),
    "ENDPOINT_PERMISSION_DENIED": (
        "Let Meet publish to the topic: gcloud pubsub topics add-iam-policy-binding EVENTS_TOPIC "
        "--member=serviceAccount:meet-api-event-push@system.gserviceaccount.com --role=roles/pubsub.publisher."
    ),
    "ENDPOINT_NOT_FOUND": (
        "Create the topic again in this system's project: gcloud pubsub topics create EVENTS_TOPIC. Then deploy again: "
        "the new topic lacks Meet's right to publish, and the function's trigger."
    ),
    "ENDPOINT_RESOURCE_EXHAUSTED": (
        "The topic is over its quota. Open IAM & Admin > Quotas & System Limits in the Google Cloud console, find "
        "Pub/Sub's publisher throughput, and ask for a higher limit there."
    ),
    "OTHER": (
        "Google does not say what is wrong. Check that the topic is there and that Meet may publish to it: "
        "gcloud pubsub topics get-iam-policy EVENTS_TOPIC. If it is, remove the teacher and enrol them again."
    ),
}


def suspension_hint(reason: str | None) -> str:
    """What an operator does about a suspension; the next check of the subscription then reactivates it.

    Args:
        reason: Google's own word, None if it gave none. Words that we do not know are allowed, because Google adds
            some. https://developers.google.com/workspace/events/guides/reactivate-subscription
    """
    return _HINTS.get(reason or "", _HINTS["OTHER"])
