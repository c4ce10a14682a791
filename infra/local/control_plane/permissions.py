"""The permission that each method needs, and whether a method only reads."""

from __future__ import annotations

from infra.local.control_plane.discovery import Call

_VERBS = {
    "patch": "update",
    "batchEnable": "enable",
    "addFirebase": "update",
    "testIamPermissions": "get",
    "getEffectivePolicy": "get",
    "getBillingInfo": "get",
    "replaceService": "update",
}

_KINDS = {
    "cloudresourcemanager": "resourcemanager",
    "firestore": "datastore",
    "run.namespaces": "run",
}

_OWN = {
    "cloudbilling.projects.getBillingInfo": ["resourcemanager.projects.get"],
    "cloudbilling.projects.updateBillingInfo": [
        "resourcemanager.projects.createBillingAssignment",
        "billing.resourceAssociations.create",
    ],
    "cloudfunctions.projects.locations.functions.generateUploadUrl": ["cloudfunctions.functions.sourceCodeSet"],
    "cloudresourcemanager.projects.testIamPermissions": [],
    "cloudscheduler.projects.locations.jobs.resume": ["cloudscheduler.jobs.enable"],
    "firestore.projects.databases.collectionGroups.fields.list": ["datastore.indexes.list"],
    "firestore.projects.databases.collectionGroups.fields.get": ["datastore.indexes.get"],
    "firestore.projects.databases.collectionGroups.fields.patch": ["datastore.indexes.update"],
    "firestore.projects.databases.documents.runQuery": ["datastore.entities.list"],
    "iam.projects.serviceAccounts.keys.list": ["iam.serviceAccountKeys.list"],
    "iam.projects.serviceAccounts.keys.delete": ["iam.serviceAccountKeys.delete"],
    "iam.projects.serviceAccounts.testIamPermissions": [],
    "iamcredentials.projects.serviceAccounts.signJwt": ["iam.serviceAccounts.signJwt"],
    "logging.entries.list": ["logging.logEntries.list"],
    "logging.projects.metrics.create": ["logging.logMetrics.create"],
    "logging.projects.metrics.update": ["logging.logMetrics.update"],
    "logging.projects.metrics.list": ["logging.logMetrics.list"],
    "logging.projects.metrics.delete": ["logging.logMetrics.delete"],
    "oauth2.userinfo.get": [],
    "orgpolicy.projects.policies.getEffectivePolicy": ["orgpolicy.policy.get"],
    "serviceusage.services.batchEnable": ["serviceusage.services.enable"],
    "serviceusage.services.generateServiceIdentity": ["serviceusage.services.enable"],
    "serviceusage.services.consumerQuotaMetrics.get": ["serviceusage.quotas.get"],
    "serviceusage.operations.get": [],
}

_READING = {
    "firestore.projects.databases.documents.runQuery",
    "iamcredentials.projects.serviceAccounts.signJwt",
    "logging.entries.list",
    "cloudfunctions.projects.locations.functions.generateUploadUrl",
    "cloudresourcemanager.projects.getIamPolicy",
    "cloudresourcemanager.projects.testIamPermissions",
    "iam.projects.serviceAccounts.getIamPolicy",
    "iam.projects.serviceAccounts.testIamPermissions",
}


def permission_for(call: Call) -> list[str]:
    """Return the permissions that a call needs: `pubsub.projects.topics.create` needs `pubsub.topics.create`."""
    if call.id in _OWN:
        return _OWN[call.id]
    parts = call.id.split(".")
    service = _KINDS.get(parts[0], parts[0])
    return [".".join((service, parts[-2], _VERBS.get(parts[-1], parts[-1])))]


def is_reading(call: Call) -> bool:
    """Return whether a call changes nothing."""
    return call.http_method == "GET" or call.id in _READING
