"""Answers of the API as files that people open in a spreadsheet or other programs read.

cells          text that no spreadsheet takes for a formula
attendance     columns of attendance: of a class meeting, a student, a class
whole_list     all pages of a list of attendance
register       columns of a class's register of a month
file           rows -> a CSV file as the answer
workbook       rows -> an Excel workbook as the answer
formats        rows -> the file that was asked for
identifiers    by what files for other programs name students
remarks        why students have their marks
moodle         rows for Moodle's attendance plugin
grades         rows of students and shares
gradebook      the last two -> the answer
"""
