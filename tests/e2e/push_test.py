#!/usr/bin/env python3
"""What goes to registries: logins first."""

import json
import os
import subprocess
import unittest

import images
import registry
from node import NodeTest

LAYER = images.tar(images.directory("etc"), images.file("etc/name", b"good\n"), images.file("big", os.urandom(300_000)))


class LoginTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.registry = registry.Registry(login="user:secret")
        self.addCleanup(self.registry.close)
        self.config = self.node.directory / ".docker" / "config.json"

    def login(self, password, *arguments):
        return subprocess.run(["varve", "login", *arguments, "--password-stdin", self.registry.host], input=password, text=True,
                              env=self.node.environment, capture_output=True, timeout=60)

    def test_a_login_is_kept_until_the_logout(self):
        reference = self.registry.publish("test/good", images.image(LAYER))
        self.assertIn("login", self.node.refusal("pull", reference))
        done = self.login("secret\n", "-u", "user")
        self.assertEqual((done.returncode, done.stdout), (0, "Login Succeeded\n"), done.stderr)
        self.assertEqual(self.config.stat().st_mode & 0o777, 0o600)
        self.node.varve("pull", reference)
        self.assertIn("Removing login credentials", self.node.varve("logout", self.registry.host))
        self.assertEqual(json.loads(self.config.read_text())["auths"], {})
        self.assertIn("Not logged in", self.node.varve("logout", self.registry.host))

    def test_a_wrong_password_is_unauthorized_and_not_kept(self):
        done = self.login("wrong", "-u", "user")
        self.assertEqual(done.returncode, 1)
        self.assertIn("unauthorized", done.stderr)
        self.assertFalse(self.config.exists())

    def test_without_a_terminal_nothing_is_asked(self):
        self.assertIn("no terminal", self.node.refusal("login", self.registry.host))
        self.assertIn("--username", self.login("secret").stderr)


if __name__ == "__main__":
    unittest.main()
