"""tar.gz files: our artifacts written, strangers' unpacked. The face of packing, unpacking and their bounds."""

from tidegate.adapters.bounds import ArchiveLimits, ArchiveTooLarge, Stopped
from tidegate.adapters.gzip_stream import InvalidArchive
from tidegate.adapters.packing import ArchiveInfo, Writing, pack
from tidegate.adapters.unpacking import LinkPolicy, RefusedEntry, Unpacked, unpack

__all__ = [
    "ArchiveInfo",
    "ArchiveLimits",
    "ArchiveTooLarge",
    "InvalidArchive",
    "LinkPolicy",
    "RefusedEntry",
    "Stopped",
    "Unpacked",
    "Writing",
    "pack",
    "unpack",
]
