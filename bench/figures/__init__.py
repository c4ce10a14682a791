"""What was measured, and what is made of it.

model.py    the measurements
goals.py    each goal with its measurement, and what is worse than before
tables.py   tables for the terminal
kept.py     the file with the results
chart.py    an SVG with lines
growth.py   the plot of times, CPU and memory
readme.py   the table in README.md
"""
