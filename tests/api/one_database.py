"""The tests that run on one database alone, and why: by their file, or by file and name. conftest.py reads it."""

SQLITE_ONLY = {
    "test_sparse_lists.py::test_a_page_that_is_found_at_once_takes_one_statement": "PostgreSQL reads it in windows",
}

POSTGRESQL_ONLY = {"test_postgresql_commands.py": "its errors and its empty schemas"}
