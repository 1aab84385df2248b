"""What a run file is: its tables, its format number, and how connections to it are opened.

A run file is one SQLite database. `application_id` says that it is ours, `user_version` is the format number, and the
tables must be exactly those below: a file with a view or trigger in a table's place is refused, so that reading
somebody else's run file runs nothing of theirs.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from snapdrift.errors import NewerFormatError, OtherFileError, StoreError

FORMAT = 2
APPLICATION_ID = 0x536E4472
"""`SnDr`; `file(1)` and SQLite's own tools show it."""

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE cases (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
CREATE TABLE calls (
  id INTEGER PRIMARY KEY, position INTEGER NOT NULL,
  case_id TEXT NOT NULL, variant TEXT NOT NULL, repeat INTEGER NOT NULL, grader TEXT NOT NULL,
  UNIQUE (case_id, variant, repeat, grader)) STRICT;
CREATE TABLE requests (
  call INTEGER NOT NULL REFERENCES calls (id), step INTEGER NOT NULL, hash TEXT NOT NULL, endpoint TEXT NOT NULL,
  base_url TEXT NOT NULL, client_request_id TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (call, step)) STRICT;
CREATE TABLE responses (
  call INTEGER PRIMARY KEY REFERENCES calls (id), outcome TEXT NOT NULL, usd REAL, record TEXT NOT NULL,
  raw BLOB NOT NULL) STRICT;
CREATE TABLE steps (
  call INTEGER NOT NULL REFERENCES calls (id), number INTEGER NOT NULL, outcome TEXT NOT NULL, usd REAL,
  record TEXT NOT NULL, raw BLOB NOT NULL, followed TEXT,
  PRIMARY KEY (call, number)) STRICT;
CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE batches (number INTEGER PRIMARY KEY, state TEXT NOT NULL, record TEXT NOT NULL) STRICT;
CREATE TABLE batch_calls (
  part INTEGER NOT NULL REFERENCES batches (number), call INTEGER NOT NULL REFERENCES calls (id),
  custom_id TEXT NOT NULL, bytes INTEGER NOT NULL, tokens INTEGER NOT NULL, worst_usd REAL NOT NULL,
  ended INTEGER NOT NULL, UNIQUE (part, custom_id)) STRICT;
CREATE TABLE scores (
  id INTEGER PRIMARY KEY, case_id TEXT NOT NULL, variant TEXT NOT NULL, repeat INTEGER NOT NULL, metric TEXT NOT NULL,
  record TEXT NOT NULL, UNIQUE (case_id, variant, repeat, metric)) STRICT;
"""

LARGEST_VALUE = 256 * 2**20
"""Bytes that one stored value may have, compressed or not: a bound for files that want to fill our memory."""
SUPERSEDED_USD = "superseded_usd"
"""The name in `meta` of what responses cost in dollars that later ones stand in the place of: it stays spent."""
ATTEMPT_STARTED = "attempt_started_at"
"""Under this name a run file keeps when the command began that worked on it last (ISO 8601, UTC)."""
SPARED = "spared"
"""The name in `meta` of the cases whose unanswered calls were not needed, because the run was stopped before them."""
_BUSY_TIMEOUT_S = 5.0
WRITER_BUSY_TIMEOUT_S = 30.0
"""How long an answer that was paid for waits for somebody who keeps the run file locked (a backup, an open shell)."""


_SHORT = 8192
"""Bytes up to which a text is packed with a window of its own size."""


def compress(text: str) -> bytes:
    """Text as it is stored in a BLOB. Level 3 takes a third of the time of zlib's default for a tenth more bytes.

    Most are short: for these the tables of a full window take five times as long to set up as the text to pack.
    """
    data = text.encode("utf-8", "surrogatepass")
    short = len(data) <= _SHORT
    packer = zlib.compressobj(3, zlib.DEFLATED, 13 if short else zlib.MAX_WBITS, 7 if short else zlib.DEF_MEM_LEVEL)
    return packer.compress(data) + packer.flush()


def decompress(data: bytes) -> str:
    """The text of a stored BLOB; raises `StoreError` when it is damaged or larger than `LARGEST_VALUE`."""
    if type(data) is not bytes:
        raise StoreError("a stored text is not packed as it should be")
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, LARGEST_VALUE).decode("utf-8", "surrogatepass")
    except (zlib.error, UnicodeDecodeError) as error:
        raise StoreError(f"a stored text cannot be unpacked ({error})") from error
    if not unpacker.eof:
        raise StoreError(f"a stored text is cut off or over {LARGEST_VALUE} bytes")
    return text


def connect_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection to a run file, checked; works beside a writer and on a copy without its `-wal` file.

    Raises `StoreError` when it is no run file, `NewerFormatError` when a newer Snapdrift wrote it.
    """
    with explained(path):
        if not path.is_file():
            raise StoreError(f"{path}: there is no such run file")
        uri = f"{path.resolve().as_uri()}?mode=ro"
        if _is_lone_wal_database(path):
            # SQLite would want to write a new -wal beside somebody's artefact, or fail where it cannot.
            uri += "&immutable=1"
        connection = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            _harden(connection)
            check(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_writer(path: Path) -> sqlite3.Connection:
    """A connection that writes durably (WAL, synchronous FULL) to an existing run file; the caller holds its lock."""
    with explained(path):
        uri = f"{path.resolve().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=WRITER_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _harden(connection)
            check(connection, path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _keep_a_log(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def lay_out(connection: sqlite3.Connection) -> None:
    """Makes the tables in an empty database, inside the transaction that is open."""
    for statement in SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises `StoreError` unless the database is a run file of a format that this version reads."""
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner != APPLICATION_ID:  # a file that was cut off before its first byte has none
        raise (OtherFileError if owner else StoreError)(f"{path}: not a Snapdrift run file")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > FORMAT:
        raise NewerFormatError(
            f"{path}: written in run format {found}, this Snapdrift reads up to format {FORMAT}; upgrade snapdrift"
        )
    if 0 < found < FORMAT:
        raise OtherFileError(
            f"{path}: written in run format {found}, this Snapdrift reads format {FORMAT}; run the suite again"
        )
    if found != FORMAT or _tables(connection) != _expected_tables():
        raise StoreError(f"{path}: damaged, its tables are not those of run format {found}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what SQLite and the file system say about a run file into a `StoreError` with a sentence."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError) as error:
        raise explain(error, path) from error


def explain(error: Exception, path: Path) -> StoreError:
    """The sentence for a failure to read or write the run file at `path`."""
    text = str(error)
    mends = {
        "not a database": "it is not a run file",
        "malformed": "it is damaged; restore a copy, or run the suite again",
        "disk is full": "the disk is full; free some space, then `snapdrift resume`",
        "No space left": "the disk is full; free some space, then `snapdrift resume`",
        "disk I/O error": "the disk does not take it: it is full, over a quota, or failing; mend that, then "
        "`snapdrift resume`",
        "locked": "another process keeps it locked; wait for it and try again",
        "readonly": "it cannot be written; check the permissions of the file and its folder",
        "Permission denied": "check the permissions of the file and its folder",
        "unable to open": "it cannot be opened; check that the folder exists and its permissions",
    }
    mend = next((mend for sign, mend in mends.items() if sign in text), "the run file cannot be used")
    return StoreError(f"{path}: {mend} ({text})")


def _keep_a_log(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreError(f"{path}: the file system does not let SQLite keep a write-ahead log beside it")
    # Writing once puts the log beside the file, by which readers tell a live run from a lone copy.
    connection.execute("UPDATE meta SET value = value WHERE key = 'state'")


def _harden(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)


def _is_lone_wal_database(path: Path) -> bool:
    """Whether the file says that it has a write-ahead log (byte 18 of the header is 2) and none is there."""
    with path.open("rb") as file:
        header = file.read(20)
    return header[18:19] == b"\x02" and not path.with_name(f"{path.name}-wal").exists()


def _tables(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()


@cache
def _expected_tables() -> list[tuple[str, ...]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        lay_out(connection)
        return _tables(connection)
    finally:
        connection.close()
