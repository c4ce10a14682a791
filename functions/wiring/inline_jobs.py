"""Jobs without Pub/Sub."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from functions.domain.errors import AttendanceError
from functions.ports.messages import Job
from functions.services.deps import Deps

log = logging.getLogger(__name__)


class InlineJobs:
    """`functions.ports.messages.Jobs` without Pub/Sub, for a system on one machine: each job is done at once, in order.

    One that fails is logged, and found again by the next `sync-due` or `reconcile`.
    """

    def __init__(self) -> None:
        self.deps: Deps | None = None

    async def publish(self, jobs: Sequence[Job]) -> None:
        """See the port."""
        from functions.services.operations.run_job import run_job  # noqa: PLC0415 - in the cloud, an event needs no job

        for job in jobs:
            if self.deps is None:
                raise RuntimeError("The application is not built yet.")
            try:
                await run_job(job, deps=self.deps)
            except AttendanceError as error:
                log.warning("job.failed", extra={"job": job.name, "reason": error.reason, "hint": error.hint})
