#!/usr/bin/env python3
"""What `varve mount` gives, and what becomes of it when varve-fuse dies: real mounts in this mount namespace."""

import errno
import os
import pathlib
import subprocess
import unittest

import images
from node import NodeTest

CONTENT = os.urandom(100_000)
LOWER = images.tar(images.directory("etc"), images.file("etc/name", b"lower\n"), images.file("big", CONTENT),
                   images.file("tool", b"#!/bin/sh\n", mode=0o4755))
UPPER = images.tar(images.file("etc/name", b"upper\n"), images.file("second", b"2\n"))


def options_of(place):
    """Per-mount options and file system type of what is mounted last at `place`."""
    lines = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    line = [line for line in lines if line[4] == str(place)][-1]
    return set(line[5].split(",")), line[line.index("-") + 1]


class MountsTest(NodeTest):
    def setUp(self):
        super().setUp()
        layout = images.write_layout(images.image(LOWER, UPPER), self.node.directory / "layout")
        self.node.varve("pull", layout)
        self.image = self.node.varve("images", "-aq").strip()
        self.place = self.node.make_directory("mnt")

    def mount(self, *arguments, image=None):
        self.node.varve("mount", *arguments, image or self.image, str(self.place))

    def kill_driver(self):
        self.node.kill("fuse")

    def assert_dead(self):
        with self.assertRaises(OSError) as caught:
            (self.place / "name that was never asked for").stat()
        self.assertEqual(caught.exception.errno, errno.ENOTCONN)

    def next_command(self):
        """What it says on standard error; it succeeds."""
        done = self.node.run("varve", "images", "-aq")
        self.assertEqual((done.returncode, done.stdout.strip()), (0, self.image))
        return done.stderr

    def test_a_mount_is_made_anew_by_the_next_command_after_varve_fuse_died(self):
        self.mount()
        opened = os.open(self.place / "big", os.O_RDONLY)  # a user of the dead mount does not stand in the way
        before = options_of(self.place)
        self.kill_driver()
        self.assert_dead()
        self.assertIn(f"{self.place}: mounted anew", self.next_command())
        self.assertEqual((self.place / "big").read_bytes(), CONTENT)
        self.assertEqual(options_of(self.place), before)
        with self.assertRaises(OSError):
            os.close(opened)
        self.assertEqual(self.next_command(), "")
        self.node.varve("umount", str(self.place))
        self.assertEqual(os.listdir(self.place), [])

    def test_a_mount_is_known_however_the_root_is_spelled(self):
        link = self.node.directory / "link"
        link.symlink_to(self.node.root)
        for writable in ([], ["--rw"]):
            self.mount(*writable)
            for spelling in (f"{self.node.root}/", str(link)):
                self.assertIn(str(self.place), self.node.varve("mounts", VARVE_ROOT=spelling))
            self.node.varve("umount", str(self.place), VARVE_ROOT=str(link))
        self.assertIn("absolute", self.node.refusal("mounts", VARVE_ROOT="root"))

    def test_asking_whether_the_driver_lives_leaves_nothing_in_the_kernels_caches(self):
        for writable in ([], ["--rw"]):
            self.mount(*writable)
            for _ in range(2):  # what is remembered is absent the second time
                with self.assertRaises(OSError) as caught:
                    (self.place / ".varve-probe-1").stat()
                self.assertEqual(caught.exception.errno, errno.ENODATA)
            self.node.varve("umount", str(self.place))

    def test_a_prune_keeps_what_is_mounted_inside_a_mounted_image(self):
        self.mount()
        self.run_ok("mount", "-t", "tmpfs", "none", str(self.place / "etc"))
        (self.place / "etc/data").write_text("somebody's")
        self.assertNotIn("Deleted", self.node.varve("system", "prune", "-af"))
        self.assertEqual((self.place / "etc/data").read_text(), "somebody's")
        self.run_ok("umount", str(self.place / "etc"))
        self.node.varve("umount", str(self.place))
        self.assertIn("Deleted", self.node.varve("system", "prune", "-af"))

    def test_the_driver_does_not_hold_what_others_have_mounted(self):
        disk = self.node.make_directory("disk")
        self.assertEqual(self.node.run("mount", "-t", "tmpfs", "none", str(disk)).returncode, 0)
        self.mount()
        self.assertEqual(self.node.run("umount", str(disk)).returncode, 0)
        self.assertNotIn(f" {disk} ", pathlib.Path(f"/proc/{self.node.pid('fuse')}/mountinfo").read_text())

    def test_every_mount_comes_back_as_it_was_asked_for(self):
        self.mount("--suid", image=f"{self.image}@layer:1")
        other = self.node.make_directory("other")
        self.node.varve("mount", self.image, str(other))
        self.kill_driver()
        self.next_command()
        self.assertEqual((self.place / "etc/name").read_text(), "lower\n")
        self.assertNotIn("nosuid", options_of(self.place)[0])
        self.assertEqual((other / "etc/name").read_text(), "upper\n")
        self.assertIn("nosuid", options_of(other)[0])

    def test_a_mount_on_a_mount_comes_back_on_top(self):
        self.mount("--rw")
        self.node.varve("mount", self.image, str(self.place / "etc"))
        self.kill_driver()
        self.next_command()
        self.assertEqual((self.place / "etc/big").read_bytes(), CONTENT)
        self.node.varve("umount", str(self.place / "etc"))
        self.assertEqual((self.place / "etc/name").read_text(), "upper\n")

    def test_what_was_written_to_a_writable_mount_is_there_again(self):
        self.mount("--rw")
        (self.place / "written").write_text("mine")
        (self.place / "etc/name").write_text("changed")
        (self.place / "second").unlink()
        self.kill_driver()
        self.assertIn(f"{self.place}: mounted anew", self.next_command())
        self.assertEqual(sorted(os.listdir(self.place)), ["big", "etc", "tool", "written"])
        self.assertEqual((self.place / "etc/name").read_text(), "changed")
        self.assertEqual((self.place / "big").read_bytes(), CONTENT)
        (self.place / "big").write_text("copied up")
        self.node.varve("umount", str(self.place))
        self.assertEqual(os.listdir(self.node.root / "mounts"), [])

    def test_a_writable_mount_in_use_is_left_alone_until_it_is_not(self):
        self.mount("--rw")
        with open(self.place / "written", "w") as opened:
            opened.write("before ")
            self.kill_driver()
            warning = self.next_command()
            self.assertIn(f"Warning: {self.place}: varve-fuse died", warning)
            self.assertIn("still in use", warning)
            kept = warning.split("kept in ")[1].strip()
            opened.write("and after")
        self.assertEqual(pathlib.Path(kept, "written").read_text(), "before and after")
        self.assertIn("mounted anew", self.next_command())
        self.assertEqual((self.place / "written").read_text(), "before and after")

    def test_a_mount_with_another_below_it_is_left_alone(self):
        self.mount()
        self.assertEqual(self.node.run("mount", "-t", "tmpfs", "none", str(self.place / "etc")).returncode, 0)
        (self.place / "etc/data").write_text("somebody's")
        self.kill_driver()
        self.assertIn(f"unmount {self.place}/etc first", self.next_command())
        self.assertEqual((self.place / "etc/data").read_text(), "somebody's")
        self.node.run("umount", str(self.place / "etc"))
        self.assertIn("mounted anew", self.next_command())
        self.assertEqual((self.place / "etc/name").read_text(), "upper\n")

    def test_a_container_on_a_dead_varve_fuse_is_named_with_what_to_do(self):
        shell = images.image(images.tar(*images.programs("sh")))
        self.node.varve("pull", images.write_layout(shell, self.node.directory / "shell"))
        identity = images.digest_of(shell.manifest)
        container = self.node.start("varve", "run", "-i", "--network", "none", "--name", "lost", identity, "/bin/sh", "-c",
                                    "read first; echo $first; read second", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(container.stdin.close)
        self.addCleanup(container.stdout.close)
        container.stdin.write(b"up\n")
        container.stdin.flush()
        self.assertEqual(container.stdout.readline(), b"up\n")  # it has now loaded all that it needs to wait
        self.kill_driver()
        said = self.node.run("varve", "mount", self.image, str(self.place)).stderr
        self.assertIn("(lost): varve-fuse died under it", said)
        self.assertIn("varve restart lost", said)
        self.assertEqual((self.place / "big").read_bytes(), CONTENT)

    def test_a_dead_mount_can_be_unmounted(self):
        self.mount()
        self.kill_driver()
        self.node.varve("umount", str(self.place))
        self.assertEqual(self.next_command(), "")
        self.assertEqual(os.listdir(self.place), [])

    def test_many_commands_at_once_make_one_mount_anew(self):
        self.mount()
        self.kill_driver()
        commands = [self.node.start("varve", "images", "-aq", stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)]
        said = [command.communicate()[1] for command in commands]
        self.assertEqual(sum(b"mounted anew" in line for line in said), 1, said)
        self.assertEqual((self.place / "big").read_bytes(), CONTENT)
        self.node.varve("umount", str(self.place))
        self.assertEqual(os.listdir(self.place), [])

    def test_an_upper_directory_of_the_callers_is_listed_unmounted_and_kept(self):
        upper = self.node.directory / "kept, for later"
        self.mount("--rw", "--upper", str(upper))
        self.assertIn(str(self.place), self.node.varve("mounts"))
        (self.place / "written").write_text("mine")
        self.kill_driver()
        self.next_command()
        self.assertEqual((self.place / "written").read_text(), "mine")
        self.node.varve("umount", str(self.place))
        self.assertEqual(sorted(path.name for path in self.node.directory.glob("kept*")), [upper.name])
        self.assertEqual((upper / "written").read_text(), "mine")
        self.mount("--rw", "--upper", str(upper))
        self.assertEqual((self.place / "written").read_text(), "mine")

    def scratches(self):
        return os.listdir(self.node.root / "mounts") if (self.node.root / "mounts").exists() else []

    def run_ok(self, *command):
        done = self.node.run(*command)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_a_plain_umount_leaves_is_swept_by_the_next_command(self):
        other = self.node.make_directory("other")
        for command in (["system", "prune", "-f"], ["mount", "--rw", self.image, str(other)], ["umount", str(other)]):
            before = set(self.scratches())
            self.mount("--rw")
            (self.place / "written").write_text("thrown away")
            self.run_ok("umount", str(self.place))
            left, = set(self.scratches()) - before
            self.node.varve(*command)
            self.assertNotIn(left, self.scratches(), command)
        self.assertEqual(self.scratches(), [])

    def test_what_the_caller_has_in_a_directory_called_like_the_work_directory_is_kept(self):
        upper, work = self.node.directory / "kept", self.node.make_directory("kept.work")
        (work / "precious").write_text("mine")
        self.mount("--rw", "--upper", str(upper))
        self.node.varve("umount", str(self.place))
        self.assertEqual([path.name for path in work.iterdir()], ["precious"])

    def test_a_sweep_keeps_the_callers_upper_directory(self):
        upper = self.node.directory / "kept"
        self.mount("--rw", "--upper", str(upper))
        (self.place / "written").write_text("mine")
        self.run_ok("umount", str(self.place))
        self.node.varve("system", "prune", "-f")
        self.assertEqual(self.scratches(), [])
        self.assertEqual((upper / "written").read_text(), "mine")
        self.assertFalse((self.node.directory / "kept.work").exists())

    def test_a_sweep_keeps_what_is_mounted_in_another_namespace(self):
        script = (f"varve mount --rw {self.image} {self.place} && cd {self.place} && echo kept >written && echo && "
                  "read go && cat *n")
        inside = self.node.start("unshare", "--mount", "--propagation", "private", "sh", "-c", script,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        inside.stdout.readline()
        self.node.varve("system", "prune", "-f")
        self.assertEqual(inside.communicate(b"go\n")[0], b"kept\n")
        self.node.varve("system", "prune", "-f")
        self.assertEqual(self.scratches(), [])

    def test_umount_keeps_what_a_second_mount_of_the_same_still_shows(self):
        again = self.node.make_directory("again")
        self.mount("--rw")
        (self.place / "written").write_text("mine")
        self.run_ok("mount", "--bind", str(self.place), str(again))
        self.node.varve("umount", str(self.place))
        self.assertEqual(os.listdir(self.place), [])
        (again / "second").unlink()
        self.assertEqual((again / "written").read_text(), "mine")
        self.node.varve("umount", str(again))
        self.assertEqual(self.scratches(), [])

    def test_umount_does_not_take_what_is_mounted_over_for_its_own(self):
        self.mount("--rw")
        (self.place / "written").write_text("mine")
        self.run_ok("mount", "-t", "tmpfs", "none", str(self.place))
        self.assertIn("tmpfs is mounted over it", self.node.refusal("umount", str(self.place)))
        self.run_ok("umount", str(self.place))
        self.assertEqual((self.place / "written").read_text(), "mine")

    def test_two_mounts_may_not_write_to_one_directory(self):
        upper, other = self.node.directory / "kept", self.node.make_directory("other")
        self.mount("--rw", "--upper", str(upper))
        self.assertIn(f"{upper}: another mount writes to it",
                      self.node.refusal("mount", "--rw", "--upper", str(upper), self.image, str(other)))
        (self.place / "written").write_text("mine")
        self.node.varve("umount", str(self.place))
        self.node.varve("mount", "--rw", "--upper", str(upper), self.image, str(other))
        self.assertEqual((other / "written").read_text(), "mine")

    def test_what_cannot_be_mounted_anew_is_kept_where_the_warning_says(self):
        self.mount("--rw")
        (self.place / "written").write_text("mine")
        self.kill_driver()
        scratch, = self.scratches()
        (self.node.root / "mounts" / scratch / "lower").rmdir()
        kept = self.next_command().split("kept in ")[1].strip()
        self.node.varve("system", "prune", "-f")
        self.assertEqual(pathlib.Path(kept, "written").read_text(), "mine")

    def test_umount_takes_each_directory_and_says_what_to_do_about_one_in_use(self):
        other = self.node.make_directory("other")
        self.mount()
        self.node.varve("mount", self.image, str(other))
        with open(self.place / "big"):
            said = self.node.refusal("umount", str(self.place), str(other))
            self.assertIn(f"{self.place}: is in use", said)
        self.assertEqual(os.listdir(other), [])
        self.node.varve("umount", str(self.place))

    def test_only_a_directory_is_mounted_on(self):
        file = self.node.directory / "file"
        file.touch()
        self.assertIn(f"{file}: is not a directory", self.node.refusal("mount", self.image, str(file)))

    def test_nothing_is_mounted_inside_the_root(self):
        for place in (self.node.root, self.node.root / "run"):
            for writable in ([], ["--rw"]):
                self.assertIn("mount outside of it", self.node.refusal("mount", *writable, self.image, str(place)))
        self.assertEqual(self.node.varve("mounts").count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
