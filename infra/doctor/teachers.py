"""Checks about teachers: may the system act for them, and do their classes get marks?"""

from __future__ import annotations

import asyncio
import datetime as dt
import json

from functions.adapters.google.credentials.capabilities import Capability
from infra.doctor.account import PROJECT, REGION
from infra.doctor.checks import Report, check
from infra.doctor.deployment import IAM_CREDENTIALS, Deployment, Json
from infra.doctor.events import ago, parsed
from infra.doctor.google import Unreadable
from infra.doctor.grants import ACCOUNTS

AREA = "teachers"
DELEGATION_PAGE = "https://admin.google.com/ac/owl/domainwidedelegation"

_ALWAYS = {Capability.MEETINGS, Capability.OWN_ACCOUNT, Capability.DIRECTORY, Capability.PEOPLE}
"""Without these capabilities, nobody can be recognised by e-mail. A school may leave out the others."""


async def _organizers(deployment: Deployment) -> list[Json]:
    return await deployment.documents(
        {
            "from": [{"collectionId": "organizers"}],
            "select": {"fields": [{"fieldPath": "email"}, {"fieldPath": "subscription"}]},
            "limit": 1000,
        }
    )


@check(AREA, "enrolled", needs=[PROJECT, REGION, "database"])
async def _enrolled(deployment: Deployment, report: Report) -> None:
    organizers = await _organizers(deployment)
    if not organizers:
        report.warning(
            "no teacher is enrolled, so no events arrive",
            f"make enroll PROJECT={deployment.project} TEACHER=TEACHERS_ADDRESS",
        )
    else:
        report.fact(f"{len(organizers)} teachers" if len(organizers) > 1 else "1 teacher")


@check(AREA, "delegation", needs=[PROJECT, REGION, ACCOUNTS, "database"])
async def _delegation(deployment: Deployment, report: Report) -> None:
    """Request a token for each scope, as a teacher who is enrolled.

    https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
    """
    if await deployment.mode() != "delegation":
        report.fact("not used: AUTH_MODE=oauth")
        return
    subjects = [one["email"] for one in await _organizers(deployment) if one.get("email")]
    if not subjects:
        report.fact("not tried: no teacher is enrolled")
        return
    scopes: dict[str, bool] = {}
    for capability in Capability:
        if capability is not Capability.REPORTS:
            for scope in capability.scopes:
                scopes[scope] = scopes.get(scope, False) or capability in _ALWAYS
    administrator = (await deployment.settings()).get("REPORTS_ADMIN")
    asked = [(subjects[0], scope, needed) for scope, needed in scopes.items()]
    if administrator:
        asked += [(administrator, scope, False) for scope in Capability.REPORTS.scopes]
    answers = await asyncio.gather(*(_mint(deployment, subject, scope) for subject, scope, _ in asked))
    if all(answer.get("error") == "invalid_grant" for answer in answers):
        report.wrong(
            "Google knows no active account of the school for a teacher who is enrolled "
            f"({answers[0].get('error_description') or 'invalid_grant'})",
            f"make status PROJECT={deployment.project}",
        )
        return
    missing = {scope: needed for (_, scope, needed), answer in zip(asked, answers, strict=True) if "error" in answer}
    if not missing:
        report.fact(f"{len(asked)} scopes")
        return
    client = (await deployment.settings()).get("SERVICE_ACCOUNT_CLIENT_ID", "of the account meet-attendance")
    names = ", ".join(scope.rpartition("/")[2] for scope in missing)
    text = (
        f"the school has not allowed {names}. A Workspace administrator opens {DELEGATION_PAGE}, edits the client id "
        f"{client} and adds {','.join(missing)} (this usually takes a few minutes, at most a day)"
    )
    (report.wrong if any(missing.values()) else report.warning)(text, None)


async def _mint(deployment: Deployment, subject: str, scope: str) -> Json:
    """The token endpoint's answer to an assertion that the service account signs for a teacher."""
    account = deployment.address(deployment.wanted.one("ACCOUNT"))
    now = int(dt.datetime.now(dt.UTC).timestamp())
    claims = {
        "iss": account,
        "sub": subject,
        "scope": scope,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": now,
        "exp": now + 300,
    }
    signed = await deployment.google.read(
        f"{IAM_CREDENTIALS}/projects/-/serviceAccounts/{account}:signJwt", {"payload": json.dumps(claims)}
    )
    if not signed:
        raise Unreadable("the service account cannot sign")
    return await deployment.google.exchange(signed["signedJwt"])


@check(AREA, "subscriptions", needs=[PROJECT, REGION, "database", "enrolled", "delegation"])
async def _subscriptions(deployment: Deployment, report: Report) -> None:
    now = dt.datetime.now(dt.UTC)
    organizers = await _organizers(deployment)
    inactive = [one for one in organizers if not _is_active(one.get("subscription") or {}, now)]
    if inactive:
        errors = [(one.get("subscription") or {}).get("error") or {} for one in inactive]
        reasons = sorted({str(error["reason"]) for error in errors if error.get("reason")})
        report.wrong(
            f"{len(inactive)} of {len(organizers)} teachers have no active subscription"
            + (f" ({', '.join(reasons)})" if reasons else ""),
            f"gcloud scheduler jobs run attendance-renew-subscriptions --location={deployment.region} "
            f"--project={deployment.project}",
        )


def _is_active(subscription: Json, now: dt.datetime) -> bool:
    expires = subscription.get("expire_time")
    return str(subscription.get("state", "")).lower() == "active" and (not expires or parsed(str(expires)) > now)


@check(AREA, "last event", needs=[PROJECT, REGION, "Meet may publish", "nothing waits", "subscriptions", "enrolled"])
async def _last_event(deployment: Deployment, report: Report) -> None:
    """When the last event came, and whether there have been classes without an event since then."""
    now = dt.datetime.now(dt.UTC)
    since = (now - _REMEMBERED).strftime("%Y-%m-%dT%H:%M:%SZ")
    events, jobs = deployment.wanted.one("EVENTS_FUNCTION"), deployment.wanted.one("JOBS_FUNCTION")
    came, recorded = await asyncio.gather(_last_line(deployment, events, _EVENTS, since),
                                          _last_line(deployment, jobs, '"conference.recorded"', since))  # fmt: skip
    if came:
        report.fact(ago(came, now))
    elif recorded is None:
        report.fact("no events yet, and no classes")
    if recorded and (came is None or recorded - came > _SUSPICIOUS):
        report.warning(
            f"classes are read ({ago(recorded, now)}), but "
            + (f"the last event came {ago(came, now)}" if came else "no event ever came"),
            f"gcloud scheduler jobs run attendance-renew-subscriptions --location={deployment.region} "
            f"--project={deployment.project}",
            because="policy of members",
        )


@check(AREA, "last class marked because of an event", needs=[PROJECT, REGION, "last event"])
async def _last_marked(deployment: Deployment, report: Report) -> None:
    now = dt.datetime.now(dt.UTC)
    since = (now - _REMEMBERED).strftime("%Y-%m-%dT%H:%M:%SZ")
    events = deployment.wanted.one("EVENTS_FUNCTION")
    marked, failed = await asyncio.gather(_last_line(deployment, events, '"conference.recorded"', since),
                                          _last_line(deployment, events, '"conference.failed"', since))  # fmt: skip
    report.fact(ago(marked, now) if marked else "none yet")
    if failed and (marked is None or failed > marked):
        report.wrong(
            f"the last event was about a class that could not be read ({ago(failed, now)})",
            f"make status PROJECT={deployment.project}",
            because="delegation",
        )


_EVENTS = '("conference.recorded" OR "conference.failed" OR "event.noted" OR "subscription.kept")'
_REMEMBERED = dt.timedelta(days=30)  # the log stores entries for this long
_SUSPICIOUS = dt.timedelta(days=2)


async def _last_line(deployment: Deployment, function: str, messages: str, since: str) -> dt.datetime | None:
    entries = await deployment.log(
        f'resource.type="cloud_run_revision" AND resource.labels.service_name="{function}" '
        f'AND jsonPayload.message={messages} AND timestamp>="{since}"'
    )
    return parsed(entries[0]["timestamp"]) if entries else None
