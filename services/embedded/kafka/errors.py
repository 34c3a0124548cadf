"""What can keep the embedded broker from running.

BrokerError
├── JarsError               the broker's jars cannot be had
│   ├── JarMismatch         a jar is not the one whose SHA-256 is committed (never retried)
│   └── JarsUnavailable     the network or the repository failed, twice
├── ConfigurationError      the user must change something; exit code 78
│   ├── ExtraMissing        the `embedded` extra is not installed
│   ├── CacheUnusable       the folder for the jars cannot be written
│   ├── PortInUse           another program listens on the broker's port
│   ├── DataFolderInUse     another live process owns the data folder
│   └── DataFolderMismatch  the folder belongs to another cluster or a newer Kafka
├── DiskFull                too little space to start or to go on; a later start may work by itself
└── StartFailed             the JVM died or stayed silent; carries the end of its log
"""

from __future__ import annotations


class BrokerError(Exception):
    """Root of everything the embedded broker raises on purpose."""


class JarsError(BrokerError):
    """The broker's jars cannot be had."""


class JarMismatch(JarsError):
    """A jar differs from, or is missing in, the committed list of SHA-256 sums."""


class JarsUnavailable(JarsError):
    """The Maven repository could not be reached; trying again later may help."""


class ConfigurationError(BrokerError):
    """Something the user must change before a start can succeed."""


class ExtraMissing(ConfigurationError):
    """The optional packages of the embedded profile are not installed."""


class CacheUnusable(ConfigurationError):
    """The per-user folder of the jars can neither be used as it is nor be written."""


class PortInUse(ConfigurationError):
    """Another program listens on the broker's port."""


class DataFolderInUse(ConfigurationError):
    """Another live process owns the data folder."""


class DataFolderMismatch(ConfigurationError):
    """The data folder belongs to another cluster or to a newer Kafka."""


class DiskFull(BrokerError):
    """Too little free space on the file system of the data folder."""


class StartFailed(BrokerError):
    """The JVM ended or did not answer in time; the message ends with the tail of its log."""
