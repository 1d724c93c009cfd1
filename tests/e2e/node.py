"""A varve node of a test's own: the real binaries (on PATH) on a root in a temporary directory, which is gone at the end
with every process and every mount that the test left."""

import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import unittest

TIMEOUT_SECONDS = 120  # of one command: nothing may hang


class Node:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="varve-e2e-"))
        self.root = self.directory / "root"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),  # no credentials of whoever runs the tests
            "VARVE_ROOT": str(self.root),
        }
        self._started = []

    def run(self, *command, **environment):
        """Runs a command of any kind in this node's world."""
        return subprocess.run(command, env=self.environment | environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT_SECONDS)

    def varve(self, *arguments, **environment):
        """What a command that must succeed prints."""
        done = self.run("varve", *arguments, **environment)
        if done.returncode != 0:
            raise AssertionError(f"varve {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def refusal(self, *arguments, **environment):
        """What a command that must fail says, by its own decision and not by a signal."""
        done = self.run("varve", *arguments, **environment)
        if not 0 < done.returncode < 128:
            raise AssertionError(f"varve {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stderr

    def start(self, *command, **options):
        """A process that ends with the node at the latest."""
        process = subprocess.Popen(command, env=self.environment, **{"stdin": subprocess.DEVNULL} | options)
        self._started.append(process)
        return process

    def make_directory(self, name):
        path = self.directory / name
        path.mkdir()
        return path

    def pid(self, process):
        return int((self.root / "run" / f"{process}.pid").read_text())

    def log(self, process):
        return (self.root / "run" / f"{process}.log").read_text()

    def kill(self, process):
        """SIGKILL for varve-cached ("cached") or varve-fuse ("fuse"); returns when it is gone."""
        pidfd = os.pidfd_open(self.pid(process))
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        if not select.select([pidfd], [], [], TIMEOUT_SECONDS)[0]:
            raise AssertionError(f"varve-{process} does not end")
        os.close(pidfd)

    def lives(self, process):
        lock = self.root / "run" / f"{process}.lock"
        return lock.exists() and self.run("flock", "-n", str(lock), "true").returncode != 0

    def close(self):
        for process in self._started:
            process.kill()
            process.wait()
        for process in ("fuse", "cached"):
            if self.lives(process):
                self.kill(process)
        # What holds a container outlives who started it, and still writes when the container ends.
        while holders := _processes_of(self.root):
            for pidfd in holders:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                ended = select.select([pidfd], [], [], TIMEOUT_SECONDS)[0]
                os.close(pidfd)
                if not ended:
                    raise AssertionError(f"a process of {self.root} does not end")
        for place in reversed(_mounts_below(self.directory)):
            subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(self.directory)


def _processes_of(root):
    """Descriptors of the processes that have the root in their arguments or environment and have not ended."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(int(pid))
            try:
                world = [pathlib.Path(f"/proc/{pid}/{file}").read_bytes() for file in ("cmdline", "environ")]
            except OSError:  # it has ended, or is not ours to look at
                world = []
            if any(f"{root}{end}".encode() in part for part in world for end in ("/", "\0")):
                found.append(pidfd)
            else:
                os.close(pidfd)
    return found


def _mounts_below(directory):
    places = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    unescaped = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place) for place in places]
    return [place for place in unescaped if place.startswith(f"{directory}/")]


class NodeTest(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)
