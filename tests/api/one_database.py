"""The tests that run on one database alone, and why: by their file, or by file and name. conftest.py reads it."""

SQLITE_ONLY = {}

POSTGRESQL_ONLY = {"test_postgresql_commands.py": "its errors and its empty schemas"}
