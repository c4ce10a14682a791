"""Answers of the API as CSV files, to be opened in a spreadsheet.

cells          text that no spreadsheet takes for a formula
attendance     columns of attendance: of a class meeting, a student, a class
whole_list     all pages of a list of attendance
register       columns of a class's register of a month
file           rows -> the answer
"""
