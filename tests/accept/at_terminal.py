#!/usr/bin/env python3
"""Runs a command on a terminal of its own and types what it is waited for.

usage: at_terminal.py ROWSxCOLUMNS [TEXT ACTION]... -- COMMAND [ARGUMENT]...

Each time that TEXT has been said, ACTION is done: keys are typed (with \\n, \\x10, ...), another ROWSxCOLUMNS is the terminal's new size, -SIGNAL is
sent to the command. Prints what was said, and exits as the command does. Fails if the terminal's modes are not what they were.
"""
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios


def resize(fd, size):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *map(int, size.split("x")), 0, 0))


def act(fd, pid, action):
    if re.fullmatch(r"\d+x\d+", action):
        resize(fd, action)
    elif action.startswith("-SIG"):
        os.kill(pid, getattr(signal, action[1:]))
    else:
        os.write(fd, action.encode().decode("unicode_escape").encode("latin-1"))


split = sys.argv.index("--")
pid, fd = pty.fork()
if pid == 0:
    resize(0, sys.argv[1])
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])
modes = termios.tcgetattr(fd)
steps, said, seen = sys.argv[2:split], b"", 0
signal.alarm(60)
while True:
    while steps and (at := said.find(steps[0].encode(), seen)) >= 0:
        seen = at + len(steps[0].encode())
        act(fd, pid, steps[1])
        steps = steps[2:]
    try:
        more = os.read(fd, 1 << 16)
    except OSError:  # the command's side is closed
        break
    if not more:
        break
    said += more
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(said.replace(b"\r", b""))
sys.stdout.flush()
if termios.tcgetattr(fd) != modes:
    sys.exit("the modes of the terminal have changed")
if steps:
    sys.exit(f"'{steps[0]}' was not said")
sys.exit(code if code >= 0 else 128 - code)
