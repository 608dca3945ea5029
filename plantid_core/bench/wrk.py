"""wrk, which drives HTTP servers from C: it takes little of the machine that it measures.

https://github.com/wg/wrk (Debian: ``apt install wrk``).
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from pathlib import Path

_MORE_S = 30.0
# What wrk prints itself is for people; the last line is ours.
_SCRIPT = """\
local file = assert(io.open(%(body)s, "rb"))
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
for name, value in pairs(%(headers)s) do wrk.headers[name] = value end

function done(summary, latency)
  local faults = summary.errors
  io.write(string.format(
    '\\n{"requests":%%d,"seconds":%%.6f,"p50_ms":%%.4f,"p99_ms":%%.4f,"refused":%%d,"broken":%%d}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    faults.status, faults.connect + faults.read + faults.write + faults.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one round: answers, and how long the middle one and the slowest hundredth took.

    ``refused`` counts answers of a status above 399, ``broken`` connections and timeouts.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def per_s(self) -> float:
        """Return the answers a second."""
        return self.requests / self.seconds


class Wrk:
    """Posts one body to one address. The script and the body lie in ``folder``, which is private."""

    def __init__(self, folder: Path, body: bytes, headers: dict[str, str]) -> None:
        found = shutil.which("wrk")
        if found is None:
            raise PlantIDError("This measurement needs wrk: apt install wrk, then try again.")
        self._program = found
        self._script, data = folder / "post.lua", folder / "body"
        data.write_bytes(body)
        table = ", ".join(f"[{_text(name)}] = {_text(value)}" for name, value in headers.items())
        told = {"body": _text(str(data)), "headers": f"{{{table}}}"}
        self._script.touch(mode=0o600)
        self._script.write_text(_SCRIPT % told, encoding="utf-8")

    def post(self, url: str, seconds: float, connections: int) -> Round:
        """Return what came of one round of whole ``seconds``; raises `PlantIDError`."""
        length = max(1, round(seconds))
        command = [self._program, "-t1", f"-c{connections}", f"-d{length}s", "--timeout", "10s"]
        done = subprocess.run(  # noqa: S603 - our own words
            [*command, "-s", str(self._script), url],
            capture_output=True,
            timeout=length + _MORE_S,
            check=False,
        )
        try:
            return Round(**orjson.loads(done.stdout.strip().rpartition(b"\n")[2]))
        except (orjson.JSONDecodeError, TypeError):
            said = done.stderr.decode(errors="replace").strip()[:200]
        raise PlantIDError(f"wrk failed: {said or 'it said nothing'}")


def _text(text: str) -> str:
    """Return a text as Lua's: what JSON escapes, Lua does too, as long as it is ASCII."""
    return orjson.dumps(text).decode()
