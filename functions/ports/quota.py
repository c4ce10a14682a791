"""A quota that several instances share."""

from __future__ import annotations

from typing import Protocol


class SharedQuota(Protocol):
    """The common quota."""

    async def claim(self, wanted: int) -> int:
        """Claim so many calls a minute for this instance, in place of what it claimed before.

        Returns:
            How many it may make for now. The claim ends after half a minute if it is not made again.

        Raises:
            AttendanceError: The store did not answer.
        """
