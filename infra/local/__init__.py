"""The whole system on one machine: a simulated Google Meet, emulators, event delivery.

The demo, the tests and the benchmark use it. No part of it is deployed.
"""
