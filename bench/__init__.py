"""How fast is it? One run measures a conference in three ways: the plain loop, this system, and the floor.

It also measures the start of a process, conferences that end at the same time, and the pages that people read.
`python -m bench` (or `make bench`) measures and writes `results.json` next to this file.

    school.py         the measured classes, with their rosters and accounts
    lean.py           the simulated Meet in its own process
    baseline.py       the plain loop over the official synchronous client
    function.py       ours: the real function in its own process
    floor.py          the same calls and commit with as little other work as possible, in its own process
    conference.py     measures the three ways in turn
    bare_function.py  the floor of a start
    start.py          ours and the bare function, in turn
    crowd.py          conferences that end at the same time
    documents.py      the documents in Firestore, read without the system's own code
    charged.py        what is read and written, counted in the calls to Firestore and Pub/Sub
    pages.py          the register and the report, through the API
    reads.py          the documents that a page reads, counted in the calls to Firestore
    stack.py          the emulator, and how the simulated Meet is started
    figures.py        the measurements, and the goals
    report.py         the tables and the file with the results
"""
