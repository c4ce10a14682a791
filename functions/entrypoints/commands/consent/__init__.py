"""How a teacher lets this system read their classes, without an administrator: `python -m functions.setup_oauth`.

app       what is typed, and what is said about it
asking    the teacher is asked, and what Google gave is kept
purposes  what may be consented to, in plain words
"""
