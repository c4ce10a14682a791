"""The start of a process, until its first event is answered.

bare_function.py  the floor
process.py        ours and the bare function, in turn
imports.py        which packages take longest to import
"""
