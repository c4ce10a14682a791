"""How fast is it? A conference, by three ways in one run: the plain loop, this system, and the floor.

Then how long a process takes to start, what conferences that end at the same time take, and the pages that people look
at. `python -m bench` (or `make bench`) measures and writes `results.json` next to this file.

    school.py         the classes that are held, with their rosters and accounts
    lean.py           the simulated Meet in a process of its own
    baseline.py       the plain loop over the official synchronous client
    function.py       ours: the real function in a process of its own
    floor.py          the same calls and the same commit with as little as possible around them, in a process of its own
    conference.py     the three, in turn
    bare_function.py  the floor of a start
    start.py          ours and the bare function, in turn
    crowd.py          conferences that end at the same time
    documents.py      what is stored in Firestore, seen without the system's own code
    charged.py        what is read and written, counted on the wire
    pages.py          the register and the report, through the API
    reads.py          the documents that a page reads, counted on the wire
    stack.py          the emulator, and how the simulated Meet is started
    figures.py        what was measured, and the goals
    report.py         the tables and the file
"""
