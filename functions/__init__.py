"""Meet Attendance: who was in a Google Meet class, from when to when, in Firestore.

The map. An arrow means "may import"; import-linter checks this (`make check`).

    main -> entrypoints -> wiring -> (services | adapters | settings | logs) -> ports -> domain

    domain/       the rules, pure and synchronous: no clock, no input or output, no vendor
        conferences/   what Google says: conferences, events, reports, subscriptions
        classes/       what the school plans: class meetings, rosters, series, rooms, Calendar
        marking/       which account is which person, for how long, and the mark that follows
    ports/        what the rules need from the world, in our words
    services/     use cases: one verb a module, everything they need is an argument
        sync/          the main job: begin with `sync/conference.py`
        classes/  corrections/  teachers/  operations/
    adapters/     one vendor a module: its types and its errors stop there
        google/   consent/   store/
    entrypoints/  a request or a message in, a use case called, an answer out: no decisions
        messages/  api/  commands/
    settings/     the environment, read once into one typed object
    wiring/       settings -> the application; the only place where clients are built
"""
