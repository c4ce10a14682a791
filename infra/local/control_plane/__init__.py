"""A stand-in for Google's control plane, which `gcloud`, `curl` and Python call during a deployment.

A proxy on loopback with its own certificate answers for every `*.googleapis.com`. So the real programs send their real
requests to the real addresses:

    discovery.py     which method a request calls, and whether Google would accept its parameters and body
    proxy.py         the proxy, its certificate, and the variables that make a program use it
    world.py         what exists, who may use it, what is not visible everywhere yet, what was changed
    refusals.py      Google's refusals, with Google's words
    collections_.py  resources that are only stored: created, read, listed, patched, deleted
    projects.py      projects, permissions, service accounts, APIs, billing, quotas, organisation policies
    messaging.py     Pub/Sub and Cloud Scheduler
    functions.py     Cloud Functions and what they create: Cloud Run services, triggers, subscriptions, images
    federation.py    workload identity federation, a project's exceptions from the organisation's policies
    firebase.py      Firebase in the project, and web apps
    operating.py     what an operator looks at: log entries, figures, documents, keys, tokens of teachers
    firestore.py     databases, indexes, single fields, backups, security rules

Like Google, it refuses unknown methods, parameters and fields. It also refuses methods that are not implemented here.
`python -m infra.local.control_plane` serves a stand-in and prints how to reach it.
"""

from infra.local.control_plane import (
    federation,
    firebase,
    firestore,
    functions,
    messaging,
    operating,
    projects,
    watching,
)
from infra.local.control_plane.proxy import environment, make_certificate, serving
from infra.local.control_plane.world import Mutation, World

__all__ = [
    "Mutation",
    "World",
    "environment",
    "federation",
    "firebase",
    "firestore",
    "functions",
    "make_certificate",
    "messaging",
    "operating",
    "projects",
    "serving",
    "watching",
]
