"""The command as a terminal starts it: a shell's background job ignores Ctrl-C, and tests may run as one."""

from __future__ import annotations

import sys

_START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from affectlm.cli.main import main
main(sys.argv[1:])
"""
INTERRUPTIBLE = [sys.executable, "-c", _START]
