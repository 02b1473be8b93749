"""The API for programs: lists of URLs and single URLs, with threads and with asyncio.

All functions take the options of the command line under the same names and with the same checks; the command
line uses the same functions.
"""
