"""How long does it take until all classes that end in the same minute are read, with Meet's quotas?

`python -m bench.quota` simulates it, and so does `python -m bench`: an hour takes a minute or two. Real are the code
that answers a message, limits, orders and repeats calls, and shares the quota (`functions.entrypoints.messages.answer`,
`functions.adapters.google.meet.calls`, `functions.adapters.google.calls.pacing`,
`functions.adapters.store.shared_quota`, `functions.domain.quota`), the quotas of the simulated Meet
(`infra.local.quotas`), and the sizes of a deployment (`infra/deploy/names.sh`). Time is virtual. Simulated are Pub/Sub,
Cloud Run, the store, and the order of the calls of one conference.

    cloud.py       Pub/Sub and Cloud Run
    classes.py     which classes end, and what the quota alone dictates
    instance.py    an instance: the real code around a simulated reading
    simulation.py  one run, and what came of it
    scenarios.py   the runs
    report.py      the table, the file, and the plot
"""
