"""`python -m snapdrift.standin`: serves what the first line of its standard input says, until that input ends.

The configuration is one line of JSON (`StandinConfig.to_json`); the address is announced as one line of JSON on
standard output. Whoever started it holds the other end of standard input, so that the server ends when its parent does,
however that happens.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from typing import TYPE_CHECKING

from snapdrift.errors import SnapdriftError
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.loading import load_server
from snapdrift.standin.server import announcement, serve

if TYPE_CHECKING:
    from uvicorn import Server


def main() -> int:
    """Reads, serves, ends. Returns the exit code."""
    atexit.register(gc.freeze)  # nothing is left to be found by the search for cycles at the end
    try:
        load_server()  # the first line may come later: who starts it ahead does not know yet what is to be served
        config = StandinConfig.from_json(sys.stdin.readline())
        serve(config, announce=_announce, on_server=_end_with_standard_input)
    except SnapdriftError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:  # the terminal's Ctrl-C reaches the whole group; the parent says what there is to say
        return 0
    return 0


def _announce(base_url: str) -> None:
    sys.stdout.write(announcement(base_url) + "\n")
    sys.stdout.flush()


def _end_with_standard_input(server: Server) -> None:
    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):  # not `readline`, whose lock would be in the way of an orderly end
            pass
        server.should_exit = True

    threading.Thread(target=wait, name="parent watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
