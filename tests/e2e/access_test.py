#!/usr/bin/env python3
"""Who may use a node's daemon: root, and with [listen] group its members. Commands run as "nobody"."""

import unittest

from node import NodeTest

GROUP = "daemon"  # Debian has it, with nobody in it


class AccessTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.node.root.mkdir()
        (self.node.root / "cached.toml").write_text(f'[listen]\ngroup = "{GROUP}"\n')

    def run_as_nobody(self, group, *arguments):
        done = self.node.run("setpriv", "--reuid", "nobody", "--regid", group, "--clear-groups", *arguments)
        if done.returncode == 127:
            self.skipTest(f"nobody cannot run it here: {done.stderr}")
        return done

    def start(self):
        self.node.varve("system", "start")
        for directory in (self.node.directory, self.node.root):  # the owner's to do (cached.toml(5))
            directory.chmod(0o711)

    def test_root_is_told_that_nothing_runs(self):
        self.assertIn("varve-cached    not running", self.node.varve("system", "status"))

    def test_a_member_of_the_group_is_told_what_runs_and_lists_images(self):
        self.start()
        said = self.run_as_nobody(GROUP, "varve", "system", "status")
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertIn(f"varve-cached    running, pid {self.node.pid('cached')}", said.stdout)
        self.assertEqual(said.stdout, self.node.varve("system", "status"))
        self.assertEqual(self.run_as_nobody(GROUP, "varve", "images", "-q").returncode, 0)

    def test_a_stranger_is_told_that_he_may_not_ask(self):
        self.start()
        said = self.run_as_nobody("nogroup", "varve", "system", "status")
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("[listen] group", said.stderr)
        self.assertEqual(said.stdout, "")


if __name__ == "__main__":
    unittest.main()
