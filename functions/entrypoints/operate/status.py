"""`make status`: what needs a person."""

from __future__ import annotations

import click


@click.command()
def status() -> None:
    """Say what needs a person."""
