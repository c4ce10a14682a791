"""Conferences, from their event to committed documents.

school.py     the measured classes, with their rosters and accounts
lean.py       the simulated Meet in its own process
services.py   how it, People, Directory and the floor are started
baseline.py   the plain loop over the official synchronous client
function.py   ours: the real function in its own process
floor.py      the same calls and commit with as little other work as possible, in its own process
measuring.py  a conference that is read from the same state each time
turns.py      measures ours, the floor and the plain loop in turn
refusing.py   a Meet that refuses calls
counting.py   reads that ask Meet for little
crowd.py      conferences that end at the same time
documents.py  the documents in Firestore, read without the system's own code
"""
