"""What operators type: `python -m functions.entrypoints.commands.operate`, one module for each command.

A command runs within its own process, with the settings of the environment: what it does, the deployed functions do
as well.
"""
