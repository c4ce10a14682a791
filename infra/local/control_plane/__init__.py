"""A stand-in for Google's control plane: what `gcloud`, `curl` and Python reach when they deploy.

A proxy on loopback with a certificate of its own answers in the place of every `*.googleapis.com`, so that the real
programs send their real requests to the real addresses:

    discovery.py     which method a request means, and whether Google would take its parameters and its body
    proxy.py         the proxy, its certificate, and the variables that lead a program to it
    world.py         what exists, who may do what, what has not propagated yet, what was changed
    refusals.py      Google's refusals in Google's words
    collections_.py  resources that are only kept: created, read, listed, patched, deleted
    projects.py      projects, permissions, service accounts, APIs, billing, quotas, organisation policies
    messaging.py     Pub/Sub and Cloud Scheduler
    functions.py     Cloud Functions with what they make: Cloud Run services, triggers, subscriptions, images
    federation.py    workload identity federation, a project's exceptions from the organisation's policies
    firebase.py      Firebase in the project, and web apps
    operating.py     log entries, figures, documents, keys, tokens of teachers: what an operator looks at
    firestore.py     databases, indexes, single fields, backups, security rules

Unknown methods, parameters and fields are refused, as Google does; a method without a behaviour here is refused too.
`python -m infra.local.control_plane` serves one and prints how to reach it.
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
