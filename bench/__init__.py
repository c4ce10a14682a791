"""How fast is it? One large conference, by three ways in one run: the plain loop, this system, and the floor.

Then the pages that people look at.

`python -m bench` (or `make bench`) measures and writes `results.json` next to this file.

    baseline.py   the plain loop over the official synchronous client
    ours.py       the event handled by the real application
    floor.py      the same calls and the same commit with as little as possible around them
    rivals.py     the three, counted call by call and then timed in turn
    documents.py  what is stored in Firestore, seen without the system's own code
    pages.py      the register and the report, through the API
    reads.py      the documents that a page reads, counted on the wire
    stack.py      the simulated Meet in a process of its own, and the emulator
    figures.py    what was measured, and the goals
    report.py     the tables and the file
"""
