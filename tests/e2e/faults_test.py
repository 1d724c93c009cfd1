#!/usr/bin/env python3
"""A full disk, a daemon that is killed, a client that goes away: nothing half-visible, nothing lost that was acknowledged."""

import gzip
import json
import os
import signal
import subprocess
import threading
import unittest

import images
import registry
from node import NodeTest

FIRST = images.image(images.tar(images.file("first", os.urandom(100_000))))
LARGE = images.image(images.tar(images.file("large", os.urandom(40_000_000))))


class FaultsTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.registry = registry.Registry()
        self.addCleanup(self.registry.close)
        self.first = self.registry.publish("test/first", FIRST)
        self.large = self.registry.publish("test/large", LARGE)
        self.place = self.node.make_directory("mnt")

    def hold_up(self, image, name):
        """The registry sends half of the layer and waits. Set the first event to let it go on; the second says that it waits."""
        go_on, waits = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)
        blob = image.blobs[image.layers[0]]

        def send_half(request):
            request.send_response(200)
            request.send_header("Content-Length", str(len(blob)))
            request.end_headers()
            request.wfile.write(blob[:len(blob) // 2])
            waits.set()
            go_on.wait()
            request.wfile.write(blob[len(blob) // 2:])

        self.registry.act(f"/v2/{name}/blobs/{image.layers[0]}", send_half)
        return go_on, waits

    def assert_only_the_first_is_there(self):
        identity = json.loads(FIRST.manifest)["config"]["digest"]
        self.assertEqual(self.node.varve("images", "-aq", "--no-trunc").split(), [identity])
        self.assertEqual(self.node.run("varve", "store", "verify").returncode, 0)

    def assert_reads(self, reference, name, image):
        self.node.varve("mount", reference, str(self.place))
        content = gzip.decompress(image.blobs[image.layers[0]])
        self.assertTrue(content.find((self.place / name).read_bytes()) > 0)
        self.node.varve("umount", str(self.place))

    def test_a_full_disk_is_said_and_what_was_there_stays(self):
        self.node.root.mkdir()
        self.assertEqual(self.node.run("mount", "-t", "tmpfs", "-o", "size=60m", "none", str(self.node.root)).returncode, 0)
        self.node.varve("pull", self.first)
        said = self.node.refusal("pull", self.large)
        self.assertIn(LARGE.layers[0], said)
        self.assertIn("space", said)
        self.assert_only_the_first_is_there()
        self.node.varve("tag", self.first, "other")
        self.node.varve("rmi", "other")
        self.assert_reads(self.first, "first", FIRST)
        self.node.run("mount", "-o", "remount,size=200m", str(self.node.root))
        self.node.varve("pull", self.large)
        self.assert_reads(self.large, "large", LARGE)

    def test_a_daemon_killed_in_a_pull_loses_nothing_that_was_acknowledged(self):
        self.node.varve("pull", self.first)
        go_on, waits = self.hold_up(LARGE, "test/large")
        pull = self.node.start("varve", "pull", self.large, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertTrue(waits.wait(20))
        self.node.kill("cached")
        said = pull.communicate(timeout=20)[1].decode()
        self.assertGreater(pull.returncode, 0)
        self.assertIn("varve-cached", said)
        go_on.set()
        self.assert_only_the_first_is_there()
        self.registry.publish("test/large", LARGE)
        self.node.varve("pull", self.large)
        self.assert_reads(self.large, "large", LARGE)

    def test_a_client_that_goes_away_ends_its_pull(self):
        self.node.varve("pull", self.first)
        go_on, waits = self.hold_up(LARGE, "test/large")
        pull = self.node.start("varve", "pull", self.large, stdout=subprocess.DEVNULL)
        self.assertTrue(waits.wait(20))
        pull.send_signal(signal.SIGKILL)
        pull.wait()
        self.node.varve("system", "stop")  # would wait for the registry otherwise
        go_on.set()
        self.assert_only_the_first_is_there()

    def test_a_mount_outlives_the_daemon(self):
        self.node.varve("pull", self.first)
        self.node.varve("mount", self.first, str(self.place))
        self.node.kill("cached")
        self.assertEqual(len((self.place / "first").read_bytes()), 100_000)


if __name__ == "__main__":
    unittest.main()
