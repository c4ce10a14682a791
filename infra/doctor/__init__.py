"""`make doctor`: shows what is wrong with a deployment, and the one command that fixes each problem.

    __main__.py   the options, the output, the exit code
    checks.py     what a check is; runs all checks at once, and finds which failure explains which
    google.py     reads Google's REST APIs with gcloud's token, each URL once
    wanted.py     how a deployment should be, read from the deployment's own files
    deployment.py reads what several checks use
    account.py, policies.py, grants.py, events.py, functions.py, watching.py, store.py, schedule.py, teachers.py
                  the checks
    settings.py   `make settings`: stores the deployed settings for an operator's commands
    machine.py    the file of these settings, and the check that they are current

The doctor changes nothing unless the user says yes, and prints no names or addresses of people.
"""
