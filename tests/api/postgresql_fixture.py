"""A PostgreSQL server for one file's tests, which stop it, fill it or cut its connections."""
import pytest

from support.postgresql_pair import PostgresqlServer


@pytest.fixture(scope="module")
def postgresql():
    server = PostgresqlServer()
    yield server
    server.close()
