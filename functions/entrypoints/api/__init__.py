"""The HTTP function `api`: for each request it reads a view or calls a use case, and answers.

http          the function: the guards around the application, built once
application   the routes, the OpenAPI document, what becomes of errors
guards        before routing: who calls, how large a body is, one access line, nothing unforeseen gets out
problems      every error as RFC 9457 problem details
fields        the types of single values; requests, answers: of whole bodies
spelling      which field somebody meant who sent an unknown one
paging        page tokens
name_order    the order in which people look names up
pages/        answers as pages for people's eyes
tables/       answers as files for spreadsheets
…_routes      the calls
"""
