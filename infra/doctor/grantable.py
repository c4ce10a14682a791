"""Finds the role that contains a missing permission."""

from __future__ import annotations

from infra.doctor.deployment import Deployment

_ROLES = {
    "cloudbilling": "roles/billing.viewer",
    "datastore.entities": "roles/datastore.viewer",
    "iam.serviceAccounts.signJwt": "roles/iam.serviceAccountTokenCreator",
    "orgpolicy": "roles/orgpolicy.policyViewer",
    "serviceusage.services.use": "roles/serviceusage.serviceUsageConsumer",
}
"""The role for a permission, or for all permissions that begin with the text. https://docs.cloud.google.com/iam/docs/roles-permissions"""


def command_for(permission: str, deployment: Deployment) -> str:
    """The command with which an owner of the project grants a permission.

    The owner replaces `YOUR_ADDRESS` with the address of the person who needs the permission.
    """
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
