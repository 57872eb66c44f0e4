"""A PostgreSQL of one test run: its data in a folder of its own, reached through a socket in there and no other way."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa

#: Not durable, since nothing here outlives a run, and deaf to the network.
_SETTINGS = "fsync = off\nlisten_addresses = ''\nunix_socket_directories = '{folder}'\n"


class Postgres:
    """A running server.

    Args:
        programs: the folder of `initdb` and `pg_ctl`.
    """

    def __init__(self, programs: Path) -> None:
        # Not pytest's own folder: the path of a socket must be short, and another user must reach it.
        self.folder = Path(tempfile.mkdtemp(prefix="keeper-pg-"))
        self._programs, self._who = programs, {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root; this user owns nothing else
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self._programs = self._within_reach()
        self._data = self.folder / "data"
        self._run("initdb", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS.format(folder=self.folder))
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "start")
        self._engine = sa.create_engine(self.url)

    @property
    def url(self) -> str:
        """Where a store opens it."""
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}"

    def do(self, statement: str) -> object:
        """Run one statement beside whoever else is connected.  Returns: its first value, if it has one."""
        with self._engine.begin() as connection:
            done = connection.exec_driver_sql(statement)
            return done.scalar() if done.returns_rows else None

    def empty(self) -> None:
        """Leave the tables as the migrations built them: building them takes longer than most tests."""
        found = "FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        if tables := self.do(f"SELECT string_agg(quote_ident(tablename), ', ') {found}"):
            self.do(f"TRUNCATE {tables} RESTART IDENTITY")

    def raze(self) -> None:
        """Drop the tables too."""
        self.do("DROP SCHEMA public CASCADE")
        self.do("CREATE SCHEMA public")

    def close(self) -> None:
        """End the server and forget its data."""
        self._engine.dispose()
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        # A file and not a pipe: the server keeps what it is given open.
        with (self.folder / "said").open("w+") as said:
            command = [self._programs / program, "-D", self._data, *arguments]
            done = subprocess.run(command, cwd="/", stdout=said, stderr=said, check=False, **self._who)
            said.seek(0)
            assert done.returncode == 0, said.read()

    def _within_reach(self) -> Path:
        """The programs where that user may run them: below /root he may not, and the bundle can be moved."""
        try:
            subprocess.run(
                [self._programs / "pg_ctl", "--version"], cwd="/", capture_output=True, check=True, **self._who
            )
        except PermissionError:
            bundle = self._programs.parent.parent
            for part in (bundle, bundle.with_name(bundle.name + ".libs")):
                shutil.copytree(part, self.folder / part.name)
            return self.folder / bundle.name / self._programs.relative_to(bundle)
        return self._programs
