"""Which role gives a permission that the doctor lacks."""

from __future__ import annotations

from infra.doctor.deployment import Deployment

_ROLES = {
    "cloudbilling": "roles/billing.viewer",
    "datastore.entities": "roles/datastore.viewer",
    "iam.serviceAccounts.signJwt": "roles/iam.serviceAccountTokenCreator",
    "orgpolicy": "roles/orgpolicy.policyViewer",
    "serviceusage.services.use": "roles/serviceusage.serviceUsageConsumer",
}
"""The role for a permission, or for all that begin like it. https://docs.cloud.google.com/iam/docs/roles-permissions"""


def command_for(permission: str, deployment: Deployment) -> str:
    """What an owner of the project types so that a person gets a permission; `YOUR_ADDRESS` is for them to fill in."""
    role = next((role for begin, role in _ROLES.items() if permission.startswith(begin)), "roles/viewer")
    if permission.endswith("getIamPolicy"):
        role = "roles/iam.securityReviewer"
    to = "--member=user:YOUR_ADDRESS"
    if role == "roles/iam.serviceAccountTokenCreator":
        account, project = deployment.address("meet-attendance"), deployment.project
        return (
            f"gcloud iam service-accounts add-iam-policy-binding {account} {to} --role={role} "
            f"--condition=None --project={project}"
        )
    return f"gcloud projects add-iam-policy-binding {deployment.project} {to} --role={role} --condition=None"
