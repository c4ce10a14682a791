"""How fast is it? One run measures a conference in three ways: the plain loop, this system, and the floor.

It also measures reads that ask Meet for little, a Meet that refuses calls, the start of a process, conferences that end
at the same time, Meet's quota, and the pages that people read. `python -m bench` (or `make bench`) measures, and writes
`results.json` next to this file, the plot `growth.svg`, and the table in README.md.

    parts.py     what can be measured alone, and in which order
    conference/  conferences, from their event to committed documents
    start/       the start of a process
    quota/       many classes in the same minute, in simulation
    pages.py     the register and the report, through the API
    figures/     the measurements, the goals, and what is published

    stack.py     the emulator
    charged.py   what is read and written, counted in the calls to Firestore and Pub/Sub
    reads.py     the documents that a page reads, counted in the calls to Firestore

Three more commands write tables into docs/: `bench.costs`, `bench.queries` and `bench.commit_sizes`.
"""
