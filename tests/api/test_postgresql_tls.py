"""Connections to PostgreSQL over TLS, and passwords, as libpq takes them: from the URI, the environment, a file of
passwords and a file of services."""
import shutil
import subprocess

import pytest

from support.certificates import make_certificate
from support.postgresql import OWNER
from support.postgresql_pair import PostgresqlServer

PASSWORD = "pass-word-17"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def postgresql(folder):
    """It lets the role `secured` in only over TLS and with its password."""
    server = PostgresqlServer()
    for file, name in zip(make_certificate(folder, "localhost"), ("server.crt", "server.key")):
        shutil.copy(file, server.data / name)
        shutil.chown(server.data / name, OWNER if server.data.owner() == OWNER else None)
        (server.data / name).chmod(0o600)
    server.sql(f"CREATE ROLE secured LOGIN PASSWORD '{PASSWORD}'")
    server.sql("GRANT ALL ON SCHEMA public TO secured")
    access = server.data / "pg_hba.conf"
    access.write_text("hostssl all secured all scram-sha-256\nhost all secured all reject\n" + access.read_text())
    server.set("ssl", "on")
    yield server
    server.close()


@pytest.fixture
def migrate(binary, folder, tmp_path, postgresql):
    """migrate("user:password@host", parameters, VARIABLE="...") runs the command there."""
    def run(authority, parameters="", **variables):
        settings = {"PAYMENTS_DATA_DIR": str(folder), "HOME": str(tmp_path),
                    "PAYMENTS_DATABASE": f"postgresql://{authority}:{postgresql.port}/postgres?{parameters}"}
        done = subprocess.run([binary, "migrate"], env=settings | variables, text=True, capture_output=True, check=False)
        assert PASSWORD not in done.stdout + done.stderr
        return done
    return run


def ended_well(done):
    assert done.returncode == 0, done.stderr
    return True


def refused(done, why):
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and why in done.stderr, done.stderr
    return True


def test_a_server_is_verified_by_its_own_authority(migrate, folder):
    full = f"sslmode=verify-full&sslrootcert={folder}/localhost.crt"
    assert ended_well(migrate(f"secured:{PASSWORD}@localhost", full))
    assert refused(migrate(f"secured:{PASSWORD}@127.0.0.1", full), "TLS failed")
    other = make_certificate(folder, "other")[0]
    assert refused(migrate(f"secured:{PASSWORD}@localhost", f"sslmode=verify-full&sslrootcert={other}"), "TLS failed")
    assert refused(migrate(f"secured:{PASSWORD}@localhost", "sslmode=verify-full&sslrootcert=/nowhere"), "TLS failed")


def test_a_password_comes_from_where_libpq_takes_it(migrate, tmp_path, postgresql):
    assert ended_well(migrate("secured@localhost", PGPASSWORD=PASSWORD))
    passwords = tmp_path / "passwords"
    passwords.write_text(f"localhost:*:*:secured:{PASSWORD}\n")
    passwords.chmod(0o600)
    assert ended_well(migrate("secured@localhost", PGPASSFILE=str(passwords)))
    passwords.rename(tmp_path / ".pgpass")
    assert ended_well(migrate("secured@localhost"))
    services = tmp_path / "services"
    services.write_text(f"[payments]\nuser=secured\npassword={PASSWORD}\n")
    assert ended_well(migrate("localhost", "service=payments", PGSERVICEFILE=str(services)))


def test_a_wrong_or_missing_password_is_refused(migrate):
    assert refused(migrate("secured:wrong@localhost"), "the server refuses to connect")
    assert refused(migrate("secured@localhost"), "it needs a password")
    assert refused(migrate(f"secured:{PASSWORD}@localhost", "sslmode=disable"), "the server refuses to connect")
