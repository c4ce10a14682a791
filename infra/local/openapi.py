"""Write `docs/openapi.json`: the description of the API, for generating clients."""

from __future__ import annotations

from functions.entrypoints.api.application import all_routes
from functions.entrypoints.api.description import as_text, description_of
from infra.local.function_server import ROOT

FILE = ROOT / "docs" / "openapi.json"


def main() -> None:
    """The command `make openapi`."""
    FILE.write_text(as_text(description_of(all_routes())), encoding="utf-8")
    print(f"{FILE.relative_to(ROOT)} describes the API as the code has it.")


if __name__ == "__main__":
    main()
