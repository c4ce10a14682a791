"""Answers of the API as files that people open in a spreadsheet or other programs read.

cells          text that no spreadsheet takes for a formula
attendance     columns of attendance: of a class meeting, a student, a class; all pages of a list
register       columns of a class's register of a month
workbook       rows -> an Excel workbook as the answer
file           rows -> the file that was asked for, CSV or a workbook
identifiers    by what files for other programs name students
remarks        why students have their marks
moodle         rows for Moodle's attendance plugin
grades         rows of students and shares
gradebook      the last two -> the answer
"""
