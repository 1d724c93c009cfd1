#!/usr/bin/env python3
"""Logins, and what goes to registries: real ones take images from varve, and tools that know nothing of it read them."""

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


class PushTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.host = registry.start_docker_registry(self.node, "first")
        self.image = images.image(LAYER, images.tar(images.file("more", os.urandom(200_000))))
        self.reference = f"{self.host}/test/app:1"
        self.copy(images.write_layout(self.image, self.node.directory / "layout"), f"docker://{self.reference}")

    def copy(self, source, destination):
        done = self.node.run("skopeo", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", source, destination)
        self.assertEqual(done.returncode, 0, done.stderr)

    def manifest(self, reference):
        return self.node.run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}").stdout

    def test_what_was_pulled_is_mounted_beside_and_sent_elsewhere_unchanged(self):
        self.node.varve("pull", self.reference)
        pushed = self.node.varve("push", self.reference)
        self.assertEqual(pushed.count("Layer already exists"), 2, pushed)
        self.assertIn(f"1: digest: {images.digest_of(self.image.manifest)} size: {len(self.image.manifest)}", pushed)
        beside = self.node.varve("push", self.reference, f"{self.host}/test/beside:2")
        self.assertEqual(beside.count(f"Mounted from {self.host}/test/app"), 2, beside)
        other = registry.start_docker_registry(self.node, "second")
        self.assertEqual(self.node.varve("push", "-q", self.reference, f"{other}/test/app:3"), f"{other}/test/app:3\n")
        for reference in (f"{self.host}/test/beside:2", f"{other}/test/app:3"):
            self.assertEqual(self.manifest(reference).encode(), self.image.manifest)
            self.copy(f"docker://{reference}", f"dir:{self.node.directory}/copy")  # skopeo checks every blob

    def test_what_no_registry_has_is_compressed_once(self):
        self.node.varve("pull", f"oci:{self.node.directory}/layout")
        other = registry.start_docker_registry(self.node, "second")
        for compression, kind in (("gzip", "+gzip"), ("zstd:7", "+zstd")):
            reference = f"{other}/test/{compression[:4]}:1"
            first = self.node.varve("push", "--compression", compression, "localhost/layout", reference)
            self.assertEqual(first.count(": Pushed"), 2, first)
            self.assertEqual(self.manifest(reference).count(kind), 2)
            again = self.node.varve("push", "--compression", compression, "localhost/layout", reference)
            self.assertEqual(again.count("Layer already exists"), 2, again)
            self.assertEqual(first.splitlines()[-1], again.splitlines()[-1])
        self.copy(f"docker://{other}/test/gzip:1", f"oci:{self.node.directory}/copy:1")
        back = self.node.varve("pull", f"{other}/test/zstd:1")
        self.assertEqual(back.count("Already exists"), 2, back)
        self.assertEqual(self.node.run("umoci", "unpack", "--image", f"{self.node.directory}/copy:1",
                                       f"{self.node.directory}/bundle").returncode, 0)
        self.assertEqual((self.node.directory / "bundle/rootfs/etc/name").read_text(), "good\n")

    def test_a_registry_is_looked_at_without_pulling(self):
        self.copy(f"docker://{self.reference}", f"docker://{self.host}/test/app:2")
        self.assertCountEqual(self.node.varve("tags", f"{self.host}/test/app").split(), ["1", "2"])
        self.assertCountEqual(self.node.varve("tags", "--format", "{{.Name}}:{{.Tag}}", f"{self.host}/test/app").split(),
                              [f"{self.host}/test/app:1", f"{self.host}/test/app:2"])
        self.assertEqual(self.node.varve("manifest", "inspect", self.reference).encode(), self.image.manifest)
        self.assertEqual(self.node.varve("images", "-q"), "")
        self.assertIn("not found", self.node.refusal("manifest", "inspect", f"{self.host}/test/app:3"))
        self.assertIn("not found", self.node.refusal("tags", f"{self.host}/test/absent"))

    def test_progress_is_told_to_machines(self):
        self.node.varve("pull", self.reference)
        events = [json.loads(line) for line in
                  self.node.varve("push", "--json", self.reference, f"{self.host}/test/beside:1").splitlines()]
        self.assertEqual({event["from"] for event in events if event.get("state") == "mounted"}, {f"{self.host}/test/app"})
        self.assertEqual(events[-1]["manifest_digest"], images.digest_of(self.image.manifest))
        self.assertFalse(events[-1]["changed"])

    def test_a_connection_that_breaks_is_taken_up_again(self):
        big = images.image(images.tar(images.file("noise", os.urandom(24 << 20))), compress=False)
        self.copy(images.write_layout(big, self.node.directory / "big"), f"docker://{self.host}/test/big:1")
        self.node.varve("pull", f"{self.host}/test/big:1")
        proxy = registry.BreakingProxy(registry.start_docker_registry(self.node, "second"), after_bytes=5 << 20, times=3)
        self.addCleanup(proxy.close)
        self.node.varve("push", f"{self.host}/test/big:1", f"{proxy.host}/test/big:1")
        self.assertEqual(proxy.broken, 3)
        self.assertEqual(self.manifest(f"{proxy.host}/test/big:1"), self.manifest(f"{self.host}/test/big:1"))
        self.copy(f"docker://{proxy.host}/test/big:1", f"dir:{self.node.directory}/copy")

    def test_a_registry_that_only_reads_says_so_and_nothing_is_there(self):
        self.node.varve("pull", self.reference)
        other = registry.start_docker_registry(self.node, "second", readonly=True)
        self.assertIn("405", self.node.refusal("push", self.reference, f"{other}/test/app:1"))
        self.assertIn("registry", self.node.refusal("push", self.reference, f"127.0.0.1:{registry.free_port()}/test/app:1"))
        self.assertIn("No such image", self.node.refusal("push", f"{self.host}/test/absent:1"))
        self.assertIn("compression", self.node.refusal("push", "--compression", "xz", self.reference))

    def test_a_prune_beside_it_takes_nothing_away(self):
        self.node.varve("pull", f"oci:{self.node.directory}/layout")
        other = registry.start_docker_registry(self.node, "second")
        push = self.node.start("varve", "push", "localhost/layout", f"{other}/test/app:1", stdout=subprocess.PIPE)
        push.stdout.readline()  # it has begun
        self.node.run("varve", "rmi", "localhost/layout")
        self.node.varve("system", "prune", "-a", "-f")
        push.stdout.read()
        push.stdout.close()
        if push.wait(timeout=60) == 0:  # else the image was gone before the daemon heard of the push
            self.copy(f"docker://{other}/test/app:1", f"dir:{self.node.directory}/copy")


if __name__ == "__main__":
    unittest.main()
