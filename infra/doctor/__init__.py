"""`make doctor`: says what is not well with a deployment, and the one command that fixes each thing.

    __main__.py   what is typed, what is printed, the exit code
    checks.py     what a check is; all of them at once, and which failure explains which
    google.py     reading Google's REST APIs with gcloud's token, each address once
    wanted.py     what a deployment is to be, read from where the deployment has it
    deployment.py what several checks look at
    account.py, policies.py, grants.py, events.py, functions.py, watching.py, store.py, schedule.py, teachers.py
                  the checks
    machine.py    `make settings`: the deployed settings for the commands of an operator, and whether they are current

Nothing is changed, and nothing that is printed says who a person is.
"""
