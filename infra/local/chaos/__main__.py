"""The command `make chaos`: prove for many seeds that nothing is lost when things go wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys

from infra.local.chaos.google import Emulators, emulators
from infra.local.chaos.run import Plan, prove
from infra.local.function_server import ROOT
from infra.local.processes import StartError, bypass_proxies, terminate_as_interrupt

FOLDER = ROOT / ".local" / "chaos"
SHOWN = 20
"""The maximum number of differences that are printed."""


def main() -> None:
    """Run the requested number of seeds; exit with 1 if any document differs from that of an undisturbed run."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first seed (default: a random one)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, one after the other (default: 1)")
    parser.add_argument("--conferences", type=int, default=200, help="how many conferences a day has (default: 200)")
    parser.add_argument("--seconds", type=float, default=40.0, help="for how long everything goes wrong (default: 40)")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    terminate_as_interrupt()
    bypass_proxies()
    first = arguments.seed if arguments.seed is not None else random.randrange(10_000)
    failed = []
    try:
        with emulators(FOLDER) as using:
            for seed in range(first, first + arguments.seeds):
                plan = Plan(seed, conferences=arguments.conferences, seconds=arguments.seconds)
                if not _one(plan, using):
                    failed.append(seed)
    except StartError as error:
        sys.exit(f"Chaos cannot start. {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    if failed:
        sys.exit(f"Something was lost or wrong with {'the seeds' if len(failed) > 1 else 'seed'} {failed}.")


def _one(plan: Plan, using: Emulators) -> bool:
    print(f"seed {plan.seed}:", flush=True)
    outcome = asyncio.run(prove(plan, using, folder=FOLDER, say=lambda text: print(f"  {text}", flush=True)))
    for what, number in sorted(outcome.injected.items()):
        print(f"    {number:5} {what}")
    for wrong in outcome.wrong[:SHOWN]:
        print(f"  WRONG: {wrong}")
    if len(outcome.wrong) > SHOWN:
        told = FOLDER / f"seed-{plan.seed}.txt"
        told.write_text("\n".join(outcome.wrong) + "\n")
        print(f"  … and {len(outcome.wrong) - SHOWN} more, all of them in {told}")
    verdict = f"{len(outcome.wrong)} differences" if outcome.wrong else "as in an undisturbed run"
    print(f"  {outcome.documents} documents, {verdict}; {outcome.seconds:.0f} s", flush=True)
    return not outcome.wrong


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
