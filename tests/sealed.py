"""A process that the kernel ends when it opens an internet socket, in any thread and language; Linux, without root.

Run as `python tests/sealed.py SCRIPT`: the script's Python and native code, and what it starts, have no internet.
"""

from __future__ import annotations

import ctypes
import faulthandler
import platform
import runpy
import signal
import socket
import struct
import sys

# The name of an architecture for the kernel, and the number of the call `socket` there.
_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: load a word, compare it, end
_CALL, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # places in struct seccomp_data
_ALLOW, _TRAP = 0x7FFF0000, 0x00030000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # of prctl(2)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def can_seal() -> bool:
    """Whether this machine can do it."""
    return sys.platform == "linux" and platform.machine() in _CALLS


def seal() -> None:
    """From here on an internet socket ends this process with SIGSYS, after the stacks of all threads on stderr.

    Raises:
        OSError: the kernel does not take the filter.
    """
    architecture, call = _CALLS[platform.machine()]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, _CALL),
        (_IF_EQUAL, 0, 3, call),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_EQUAL, 2, 0, socket.AF_INET),
        (_IF_EQUAL, 1, 0, socket.AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _TRAP),
    ]
    faulthandler.register(signal.SIGSYS, all_threads=True, chain=True)
    program = _Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*words):
            raise OSError(ctypes.get_errno(), "no filter of system calls")


if __name__ == "__main__":
    seal()
    runpy.run_path(sys.argv[1], run_name="__main__")
