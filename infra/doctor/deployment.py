"""What several checks use: a deployment's project, functions and settings. Each is read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra.doctor.google import Google, Unreadable
from infra.doctor.wanted import Wanted

Json = dict[str, Any]

CRM = "https://cloudresourcemanager.googleapis.com/v3"
USAGE = "https://serviceusage.googleapis.com"
BILLING = "https://cloudbilling.googleapis.com/v1"
ORG_POLICY = "https://orgpolicy.googleapis.com/v2"
IAM = "https://iam.googleapis.com/v1"
IAM_CREDENTIALS = "https://iamcredentials.googleapis.com/v1"
PUBSUB = "https://pubsub.googleapis.com/v1"
FUNCTIONS = "https://cloudfunctions.googleapis.com/v2"
RUN = "https://run.googleapis.com/v2"
EVENTARC = "https://eventarc.googleapis.com/v1"
SCHEDULER = "https://cloudscheduler.googleapis.com/v1"
ARTIFACTS = "https://artifactregistry.googleapis.com/v1"
FIRESTORE = "https://firestore.googleapis.com/v1"
RULES = "https://firebaserules.googleapis.com/v1"
FIREBASE = "https://firebase.googleapis.com/v1beta1"
LOGGING = "https://logging.googleapis.com/v2"
MONITORING = "https://monitoring.googleapis.com/v3"
SECRETS = "https://secretmanager.googleapis.com/v1"


class Deployment:
    """A deployment in a project and a region.

    Args:
        google: Reads from Google.
        wanted: How the deployment should be.
        project: The project's id.
        region: The region.
    """

    def __init__(self, google: Google, wanted: Wanted, *, project: str, region: str) -> None:
        self.google = google
        self.wanted = wanted
        self.project = project
        self.region = region

    @property
    def options(self) -> str:
        """The options of `make` that name this deployment."""
        return f"PROJECT={self.project} REGION={self.region}"

    @property
    def deploy(self) -> str:
        """The command that compares everything and repairs the differences."""
        return f"make deploy {self.options}"

    def deploy_without(self, functions: Sequence[str] = (), subscriptions: Sequence[str] = ()) -> str:
        """The command that deletes functions and subscriptions that cannot be repaired, and makes them again."""
        deletions = [
            f"gcloud functions delete {name} --gen2 --region={self.region} --project={self.project} --quiet"
            for name in functions
        ]
        deletions += [
            f"gcloud pubsub subscriptions delete {name} --project={self.project} --quiet" for name in subscriptions
        ]
        return " && ".join([*deletions, self.deploy])

    @property
    def place(self) -> str:
        """The beginning of a resource's name: the project and the region."""
        return f"projects/{self.project}/locations/{self.region}"

    def address(self, account: str) -> str:
        """The e-mail of a service account of the project."""
        return f"{account}@{self.project}.iam.gserviceaccount.com"

    async def number(self) -> str:
        """The project's number."""
        project = await self.google.read(f"{CRM}/projects/{self.project}", unpaid=True)
        return str((project or {}).get("name", "projects/")).removeprefix("projects/")

    async def functions(self) -> list[Json]:
        """The project's functions in all regions."""
        return await self.google.all(
            f"{FUNCTIONS}/projects/{self.project}/locations/-/functions?pageSize=1000", "functions"
        )

    async def function(self, name: str) -> Json | None:
        """A function of this deployment; None if it does not exist."""
        named = f"{self.place}/functions/{name}"
        return next((one for one in await self.functions() if one["name"] == named), None)

    async def service(self, name: str) -> Json | None:
        """The Cloud Run service of a function; None if it does not exist."""
        service = await self.google.read(f"{RUN}/{self.place}/services/{name}")
        return dict(service) if service else None

    async def settings(self) -> dict[str, str]:
        """The functions' environment variables; empty if nothing is deployed."""
        for name in self.wanted.many("FUNCTIONS"):
            function = await self.function(name)
            if function:
                return dict(function.get("serviceConfig", {}).get("environmentVariables", {}))
        return {}

    async def labels(self) -> dict[str, str]:
        """The labels that store the deployment's options."""
        function = await self.function(self.wanted.one("EVENTS_FUNCTION"))
        return dict((function or {}).get("labels", {}))

    async def database(self) -> str:
        """The name of the database that the functions use."""
        settings = await self.settings()
        return f"projects/{self.project}/databases/{settings.get('FIRESTORE_DATABASE', '(default)')}"

    async def trigger_subscription(self, function: str) -> Json | None:
        """The subscription that a function's trigger made; None if it, the trigger or the function is missing."""
        trigger = ((await self.function(function)) or {}).get("eventTrigger", {}).get("trigger")
        made = await self.google.read(f"{EVENTARC}/{trigger}") if trigger else None
        named = (made or {}).get("transport", {}).get("pubsub", {}).get("subscription")
        subscription = await self.google.read(f"{PUBSUB}/{named}") if named else None
        return dict(subscription) if subscription else None

    async def mode(self) -> str:
        """How the system gets the right to act for teachers: `delegation` or `oauth`."""
        return (await self.settings()).get("AUTH_MODE", "delegation")

    async def callers(self, role: str = "") -> list[str]:
        """The API's callers, or only those with a role, as members of a policy."""
        pairs = [pair.rpartition("=") for pair in (await self.settings()).get("API_CALLERS", "").split(",") if pair]
        return [
            f"serviceAccount:{email}" if email.endswith(".gserviceaccount.com") else f"user:{email}"
            for email, _, named in pairs
            if not role or named == role
        ]

    async def documents(self, query: Json) -> list[Json]:
        """The fields of the documents that a query finds, as Python values.

        https://firebase.google.com/docs/firestore/reference/rest/v1/projects.databases.documents/runQuery
        """
        answer = await self.google.read(
            f"{FIRESTORE}/{await self.database()}/documents:runQuery", {"structuredQuery": query}
        )
        if answer is None:
            raise Unreadable("the database does not exist")
        found = [row["document"].get("fields", {}) for row in answer if "document" in row]
        return [{name: _plain(value) for name, value in fields.items()} for fields in found]

    async def log(self, query: str, *, most: int = 1) -> list[Json]:
        """The newest log entries that a query finds.

        https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
        """
        answer = await self.google.read(
            f"{LOGGING}/entries:list",
            {
                "resourceNames": [f"projects/{self.project}"],
                "filter": query,
                "orderBy": "timestamp desc",
                "pageSize": most,
            },
        )
        return list((answer or {}).get("entries", []))


def _plain(value: Json) -> Any:  # noqa: ANN401 - a value of Firestore
    (kind, inner), *_ = value.items()
    if kind == "mapValue":
        return {name: _plain(one) for name, one in inner.get("fields", {}).items()}
    if kind == "arrayValue":
        return [_plain(one) for one in inner.get("values", [])]
    return None if kind == "nullValue" else inner
