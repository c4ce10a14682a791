"""Checks of service accounts and Google's agents: each must have its grants, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from infra.doctor.account import PROJECT, REGION, apis_off
from infra.doctor.checks import APIS, Report, check
from infra.doctor.deployment import CRM, IAM, PUBSUB, RUN, SECRETS, Deployment, Json
from infra.doctor.policies import MEMBERS, holds

ACCOUNTS = "service accounts"
AGENTS = "Google's agents"

AREA = "accounts and grants"

Grant = tuple[str, str]
"""A role and its member."""


@check(AREA, ACCOUNTS, needs=[PROJECT, REGION])
async def _accounts(deployment: Deployment, report: Report) -> None:
    names = [deployment.wanted.one(name) for name in ("ACCOUNT", "TRIGGER_ACCOUNT", "BUILD_ACCOUNT")]
    found = await asyncio.gather(*(_account(deployment, name) for name in names))
    for name, account in zip(names, found, strict=True):
        if account is None:
            report.wrong(f"{name} does not exist", deployment.deploy)
        elif account.get("disabled"):
            address = deployment.address(name)
            report.wrong(
                f"{name} is disabled",
                f"gcloud iam service-accounts enable {address} --project={deployment.project}",
            )


async def _account(deployment: Deployment, name: str) -> Json | None:
    url = f"{IAM}/projects/{deployment.project}/serviceAccounts/{deployment.address(name)}"
    account = await deployment.google.read(url)
    return dict(account) if account else None


@check(AREA, AGENTS, needs=[PROJECT, REGION])
async def _agents(deployment: Deployment, report: Report) -> None:
    policy, off = await asyncio.gather(_project_policy(deployment), apis_off(deployment))
    for role, member in await wanted_on(deployment, "project"):
        if ".iam.gserviceaccount.com" in member and "@gcp-sa-" in member and not holds(policy, role, member):
            agent = member.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
            report.wrong(
                f"{agent} lacks {role}",
                deployment.deploy
                if agent in {"gcp-sa-eventarc", "gcp-sa-pubsub"}
                else f"gcloud projects add-iam-policy-binding {deployment.project} --member={member} --role={role} "
                "--condition=None",
                because=APIS if agent.removeprefix("gcp-sa-") in off else None,
            )


@check(AREA, "grants on the project", needs=[PROJECT, REGION, ACCOUNTS])
async def _project(deployment: Deployment, report: Report) -> None:
    policy = await _project_policy(deployment)
    wanted = [one for one in await wanted_on(deployment, "project") if "@gcp-sa-" not in one[1]]
    _lacking(deployment, report, policy, wanted)
    ours = {f"serviceAccount:{deployment.address(deployment.wanted.one(name))}" for name in (
        "ACCOUNT", "TRIGGER_ACCOUNT", "BUILD_ACCOUNT"
    )}  # fmt: skip
    for role, member in _held(policy):
        if member in ours and (role, member) not in wanted:
            report.warning(
                f"{_short(member)} has {role}, which it does not need",
                f"gcloud projects remove-iam-policy-binding {deployment.project} --member={member} --role={role} "
                "--condition=None",
            )


@check(AREA, "grants on the account", needs=[PROJECT, REGION, ACCOUNTS])
async def _account_grants(deployment: Deployment, report: Report) -> None:
    name = deployment.wanted.one("ACCOUNT")
    policy = await deployment.google.policy(
        f"{IAM}/projects/{deployment.project}/serviceAccounts/{deployment.address(name)}", method="POST"
    )
    _lacking(deployment, report, policy, await wanted_on(deployment, f"service-account/{name}"))


@check(AREA, "no keys", needs=[PROJECT, REGION, ACCOUNTS])
async def _keys(deployment: Deployment, report: Report) -> None:
    for constant in ("ACCOUNT", "TRIGGER_ACCOUNT", "BUILD_ACCOUNT"):
        address = deployment.address(deployment.wanted.one(constant))
        url = f"{IAM}/projects/{deployment.project}/serviceAccounts/{address}/keys?keyTypes=USER_MANAGED"
        for key in (await deployment.google.read(url) or {}).get("keys", []):
            report.warning(
                f"{address.partition('@')[0]} has a key that somebody may have copied; nothing here needs one",
                f"gcloud iam service-accounts keys delete {key['name'].rpartition('/')[2]} --iam-account={address} "
                f"--project={deployment.project} --quiet",
            )


@check(AREA, "key for erasing", needs=[PROJECT, REGION, ACCOUNTS])
async def _erasure_key(deployment: Deployment, report: Report) -> None:
    """Version 1 must exist: with another key, the system could not recognise the people who were erased."""
    name = deployment.wanted.one("ERASURE_SECRET")
    secret = f"{SECRETS}/projects/{deployment.project}/secrets/{name}"
    version = await deployment.google.read(f"{secret}/versions/1")
    if version is None:
        report.wrong(f"the secret {name} has no version 1, so nobody can be erased", deployment.deploy)
    elif version.get("state") != "ENABLED":
        report.wrong(
            f"version 1 of the secret {name} is not enabled: the functions do not start without it",
            f"gcloud secrets versions enable 1 --secret={name} --project={deployment.project}",
        )
    else:
        _lacking(
            deployment, report, await deployment.google.policy(secret), await wanted_on(deployment, f"secret/{name}")
        )


@check(AREA, "secrets", needs=[PROJECT, REGION, ACCOUNTS])
async def _secrets(deployment: Deployment, report: Report) -> None:
    """With AUTH_MODE=oauth each teacher's consent is a secret, and the service account must be able to read it."""
    if await deployment.mode() != "oauth":
        return
    ((role, member),) = await wanted_on(deployment, "secret/meet-attendance-token-*")
    secrets = await deployment.google.all(
        f"{SECRETS}/projects/{deployment.project}/secrets?filter=name:meet-attendance-token-", "secrets"
    )
    policies = await asyncio.gather(
        *(deployment.google.policy(f"{SECRETS}/projects/{deployment.project}/secrets/{_last(one)}") for one in secrets)
    )
    for secret, policy in zip(secrets, policies, strict=True):
        if not holds(policy, role, member):
            report.wrong(
                f"{_short(member)} may not read the secret {_last(secret)}",
                f"gcloud secrets add-iam-policy-binding {_last(secret)} --member={member} --role={role} "
                f"--project={deployment.project} --condition=None",
            )
    report.fact(f"consents of {len(secrets)} teachers")


def _last(resource: Json) -> str:
    return str(resource["name"]).rpartition("/")[2]


# -- events in ------------------------------------------------------------------------------------------------------


@check("events in", "topics", needs=[PROJECT, REGION])
async def _topics(deployment: Deployment, report: Report) -> None:
    base = f"{PUBSUB}/projects/{deployment.project}/topics"
    names = deployment.wanted.many("TOPICS")
    found = await asyncio.gather(*(deployment.google.read(f"{base}/{name}") for name in names))
    missing = [name for name, topic in zip(names, found, strict=True) if topic is None]
    if missing:
        # A new topic with the same name does not get the subscriptions of the deleted topic.
        # https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/delete
        functions = [one.name for one in deployment.wanted.functions if one.topic in missing]
        there = [name for name in functions if await deployment.function(name)]
        dead = deployment.wanted.one("DEAD_LETTERS")
        orphan = dead in missing and await deployment.google.read(
            f"{PUBSUB}/projects/{deployment.project}/subscriptions/{dead}"
        )
        report.wrong(
            f"missing: {', '.join(missing)}", deployment.deploy_without(there, subscriptions=[dead] if orphan else [])
        )


@check("events in", "Meet may publish", needs=[PROJECT, REGION, "topics"])
async def _publisher(deployment: Deployment, report: Report) -> None:
    name = deployment.wanted.one("EVENTS_TOPIC")
    policy = await deployment.google.policy(f"{PUBSUB}/projects/{deployment.project}/topics/{name}")
    for role, member in await wanted_on(deployment, f"topic/{name}"):
        if not holds(policy, role, member):
            report.wrong(
                f"Meet's publisher lacks {role} on the topic {name}: no event comes",
                deployment.deploy,
                because=MEMBERS,
            )


@check("events in", "grants on topics", needs=[PROJECT, REGION, "topics", ACCOUNTS, AGENTS])
async def _topic_grants(deployment: Deployment, report: Report) -> None:
    names = [name for name in deployment.wanted.many("TOPICS") if name != deployment.wanted.one("EVENTS_TOPIC")]
    base = f"{PUBSUB}/projects/{deployment.project}/topics"
    policies = await asyncio.gather(*(deployment.google.policy(f"{base}/{name}") for name in names))
    for name, policy in zip(names, policies, strict=True):
        _lacking(deployment, report, policy, await wanted_on(deployment, f"topic/{name}"), where=f" on {name}")


# -- who may call ---------------------------------------------------------------------------------------------------


async def invokers(deployment: Deployment, name: str) -> tuple[list[Grant], Json | None]:
    """The accounts that should be allowed to call a function, and the policy that says which ones are allowed."""
    policy = await deployment.google.policy(f"{RUN}/{deployment.place}/services/{name}")
    return await wanted_on(deployment, f"service/{name}"), policy


async def wanted_on(deployment: Deployment, resource: str) -> list[Grant]:
    """The grants on a resource that infra/iam.toml defines for this deployment."""
    found: list[Grant] = []
    for grant in deployment.wanted.grants:
        if grant["resource"] == resource and await _applies(deployment, grant.get("when", "")):
            found += [(grant["role"], member) for member in await _members(deployment, grant["account"])]
    return found


async def _applies(deployment: Deployment, when: str) -> bool:
    if when.startswith("AUTH_MODE="):
        return await deployment.mode() == when.partition("=")[2]
    return True


async def _members(deployment: Deployment, account: str) -> Sequence[str]:
    if account in {"LMS", "ADMIN"}:
        return await deployment.callers(account.lower())
    if "PROJECT_NUMBER" in account:
        return [f"serviceAccount:{account.replace('PROJECT_NUMBER', await deployment.number())}"]
    return [f"serviceAccount:{account if '@' in account else deployment.address(account)}"]


async def _project_policy(deployment: Deployment) -> Json | None:
    return await deployment.google.policy(f"{CRM}/projects/{deployment.project}", method="POST", unpaid=True)


def _held(policy: Json | None) -> list[Grant]:
    return [
        (binding["role"], member)
        for binding in (policy or {}).get("bindings", [])
        for member in binding.get("members", [])
        if "condition" not in binding
    ]


def _lacking(
    deployment: Deployment, report: Report, policy: Json | None, wanted: Sequence[Grant], *, where: str = ""
) -> None:
    for role, member in wanted:
        if not holds(policy, role, member):
            report.wrong(f"{_short(member)} lacks {role}{where}", deployment.deploy)


def _short(member: str) -> str:
    """A short name of a member. For a person it contains no address."""
    kind, _, email = member.partition(":")
    name, _, domain = email.partition("@")
    if kind != "serviceAccount":
        return "a caller of the API"
    return domain.removesuffix(".iam.gserviceaccount.com") if domain.startswith("gcp-sa-") else name
