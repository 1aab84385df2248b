"""Where keys come from: the environment, else the command that the owner of the workspace names in `snapdrift.toml`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snapdrift.errors import ConfigError, UsageError
from snapdrift.keys import checked_key, know, redact

COMMAND_SECONDS = 60
"""How long a command may take: it may ask a person to unlock a store of passwords."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a host's key is to be had: `variable` goes before `command`; both None: it needs none.

    `whose` is the host in messages, `place` where `snapdrift.toml` has the command, `root` the workspace's folder, in
    which the command runs. Without `commands` none is run.
    """

    whose: str
    variable: str | None
    command: Sequence[str] | None
    place: str
    root: Path
    commands: bool = True

    def read(self, env: Mapping[str, str]) -> str | None:
        """The key, None where there is none. From then on it is kept out of everything that is stored and shown.

        Raises `UsageError` for a command that may not be run, `ConfigError` for one that gives no key.
        """
        key = env.get(self.variable, "") if self.variable else ""
        if not key and self.command is not None:
            key = self._run(env)
        know(key)
        return key or None

    def _run(self, env: Mapping[str, str]) -> str:
        argv = list(self.command or ())
        name = redact(Path(argv[0]).name)
        if not self.commands:
            otherwise = f", or set {self.variable}" if self.variable else ""
            raise UsageError(f"{self.place}: found a command ({name}); --no-code runs none: leave it out{otherwise}")
        try:
            done = subprocess.run(  # noqa: S603  of the owner's configuration, without a shell
                argv,
                cwd=self.root,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._failed(name, f"did not end in {COMMAND_SECONDS} s") from None
        except OSError as error:
            raise self._failed(name, f"cannot be run ({error.strerror})") from None
        if done.returncode != 0:
            raise self._failed(name, f"ended with {done.returncode}")
        key = done.stdout.decode("ascii", "replace").strip()
        know(key)
        wrong = checked_key(key)
        if wrong is not None:
            raise self._failed(name, f"printed {wrong}")
        return key

    def _failed(self, name: str, what: str) -> ConfigError:
        """What a command prints is never repeated: it may be the key, or a part of it."""
        return ConfigError(
            f"{self.place}: the command {name} {what}; expected it to print the key of {self.whose} and nothing else "
            "(what it printed is not shown: run it by hand)"
        )
