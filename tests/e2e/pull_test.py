#!/usr/bin/env python3
"""What a pull says when its registry or its image is bad, and that nothing of it can be seen afterwards."""

import base64
import gzip
import json
import os
import pathlib
import unittest

import images
import registry
from node import NodeTest

GOOD = images.tar(images.directory("etc"), images.file("etc/name", b"good\n"), images.file("big", os.urandom(300_000)))


class PullTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.registry = self.open_registry()

    def open_registry(self, **options):
        opened = registry.Registry(**options)
        self.addCleanup(opened.close)
        return opened

    def assert_refused(self, reference, *texts, **environment):
        """The pull fails and says all of `texts`, and leaves nothing."""
        said = self.node.refusal("pull", reference, **environment)
        for text in ("pull " + reference.removesuffix(":latest"), *texts):
            self.assertIn(text, said)
        self.assertEqual(self.node.varve("images", "-aq"), "")
        self.node.varve("system", "prune", "-f")  # a layer that was good by itself may be left until then
        self.assertEqual(json.loads(self.node.varve("system", "df", "--json"))["layers"], 0)

    def publish_layer(self, layer, **options):
        return self.registry.publish("test/bad", images.image(layer, **options))

    def test_an_unknown_image_or_tag_is_not_found(self):
        host = registry.start_docker_registry(self.node)
        layout = images.write_layout(images.image(GOOD), self.node.directory / "layout")
        self.assertEqual(self.node.run("skopeo", "copy", "--quiet", "--dest-tls-verify=false", layout,
                                       f"docker://{host}/test/good:1").returncode, 0)
        self.assert_refused(f"{host}/test/absent:1", "not found")
        self.assert_refused(f"{host}/test/good:2", "not found")
        self.node.varve("pull", f"{host}/test/good:1")
        self.assertIn("No such image", self.node.refusal("mount", "test/absent", str(self.node.directory)))

    def test_a_registry_that_wants_a_login_is_told_apart(self):
        locked = self.open_registry(login="user:secret")
        reference = locked.publish("test/good", images.image(GOOD))
        self.assert_refused(reference, "login")
        auth = self.node.directory / "auth.json"
        for password, works in (("wrong", False), ("secret", True)):
            token = base64.b64encode(f"user:{password}".encode()).decode()
            auth.write_text(json.dumps({"auths": {locked.host: {"auth": token}}}))
            if works:
                self.node.varve("pull", reference, REGISTRY_AUTH_FILE=str(auth))
            else:
                self.assert_refused(reference, "login", REGISTRY_AUTH_FILE=str(auth))

    def test_a_certificate_that_nobody_vouches_for_is_refused_until_it_is_trusted(self):
        pem = registry.certificate(self.node.directory)
        encrypted = self.open_registry(certificate=pem)
        reference = encrypted.publish("test/good", images.image(GOOD))
        self.assert_refused(reference, "certificate")
        self.node.varve("pull", reference, SSL_CERT_FILE=pem)
        self.node.varve("rmi", reference)
        self.node.varve("pull", "--tls-verify=false", reference)

    def test_a_dead_registry_is_named(self):
        host = f"127.0.0.1:{registry.free_port()}"
        self.assert_refused(f"{host}/test/good:1", host, "refused")

    def test_a_layer_with_one_bit_flipped_is_refused_by_name(self):
        image = images.image(GOOD)
        reference = self.registry.publish("test/bad", image)
        blob = bytearray(image.blobs[image.layers[0]])
        blob[len(blob) // 2] ^= 1
        self.registry.answer(f"/v2/test/bad/blobs/{image.layers[0]}", 200, bytes(blob))
        self.assert_refused(reference, image.layers[0])

    def test_a_layer_that_is_too_short_at_the_registry_is_refused_by_name_and_at_once(self):
        image = images.image(GOOD)
        reference = self.registry.publish("test/bad", image)
        path, blob = f"/v2/test/bad/blobs/{image.layers[0]}", image.blobs[image.layers[0]]
        self.registry.answer(path, 200, blob[:-100])
        self.assert_refused(reference, image.layers[0], f"ended after {len(blob) - 100} of {len(blob)} bytes")
        self.assertEqual(self.registry.asked.count(path), 1)

    def test_a_transfer_that_breaks_is_taken_up_again(self):
        image = images.image(GOOD)
        reference = self.registry.publish("test/good", image)
        path, blob = f"/v2/test/good/blobs/{image.layers[0]}", image.blobs[image.layers[0]]

        def break_off(request):
            self.registry.answer(path, 200, blob)  # from the start: this registry knows no ranges
            request.send_response(200)
            request.send_header("Content-Length", str(len(blob)))
            request.end_headers()
            request.wfile.write(blob[:100_000])
            request.close_connection = True

        self.registry.act(path, break_off)
        self.node.varve("pull", reference)
        self.assertEqual(self.registry.asked.count(path), 2)

    def test_a_layer_that_is_not_the_one_of_the_config_is_refused(self):
        wrong = "sha256:" + "0" * 64
        self.assert_refused(self.publish_layer(GOOD, diff_ids=[wrong]), wrong, "diff ID")

    def test_a_manifest_that_is_no_json_is_refused(self):
        self.registry.answer("/v2/test/bad/manifests/latest", 200, b"<html>", images.MANIFEST)
        self.assert_refused(f"{self.registry.host}/test/bad:latest", "JSON")

    def test_a_manifest_that_is_too_large_is_refused(self):
        self.registry.answer("/v2/test/bad/manifests/latest", 200, b" " * (5 << 20), images.MANIFEST)
        self.assert_refused(f"{self.registry.host}/test/bad:latest", "4194304 bytes")

    def test_a_layer_that_is_no_tar_is_refused(self):
        self.assert_refused(self.publish_layer(b"\x7fELF" * 1000), "tar")

    def test_paths_that_lead_out_of_the_root_are_refused(self):
        for name in ("../evil", "etc/../../evil"):
            self.assert_refused(self.publish_layer(images.tar(images.file(name))), "..")

    def test_absolute_names_and_symlinks_stay_inside_the_root(self):
        outside = self.node.make_directory("outside")
        layer = images.tar(images.file("/abs", b"1"), images.symlink("out", str(outside)), images.file("out/in", b"2"),
                           images.symlink("up", "../../../.."), images.file("up/top", b"3"))
        self.node.varve("pull", self.publish_layer(layer))
        place = self.node.make_directory("mnt")
        self.node.varve("mount", f"{self.registry.host}/test/bad", str(place))
        self.assertEqual((place / "abs").read_text(), "1")
        self.assertEqual((place / str(outside)[1:] / "in").read_text(), "2")
        self.assertEqual((place / "top").read_text(), "3")
        self.assertEqual(os.listdir(outside), [])

    def test_a_hard_link_to_nothing_is_refused(self):
        self.assert_refused(self.publish_layer(images.tar(images.hard_link("link", "nowhere"))), "link", "nowhere")

    def test_names_of_255_bytes_and_deep_trees_are_kept_and_more_is_refused(self):
        longest = "n" * 255
        deep = "/".join(["d"] * 200)
        layer = images.tar(images.file(longest, b"1"), images.file(f"{deep}/bottom", b"2"))
        self.node.varve("pull", self.publish_layer(layer))
        place = self.node.make_directory("mnt")
        self.node.varve("mount", f"{self.registry.host}/test/bad", str(place))
        self.assertEqual((place / longest).read_text(), "1")
        self.assertEqual((place / deep / "bottom").read_text(), "2")
        self.node.varve("umount", str(place))
        self.node.varve("rmi", f"{self.registry.host}/test/bad")
        self.node.varve("system", "prune", "-f")
        self.assert_refused(self.publish_layer(images.tar(images.file("n" * 256))), "255")
        self.assert_refused(self.publish_layer(images.tar(images.file("/".join(["d"] * 1500)))), "1024")

    def test_a_gzip_bomb_does_not_fill_memory(self):
        zeros, entry = 512 << 20, images.file("zeros")[0]
        entry.size = zeros
        layer = entry.tobuf() + bytes(zeros + 1024)
        self.node.varve("pull", self.publish_layer(layer))
        self.assertLess(self.peak_mebibytes(), 256)
        self.assertLess(json.loads(self.node.varve("system", "df", "--json"))["stored_bytes"], 10 << 20)

    def test_a_million_entries_are_stored_and_found(self):
        block = bytearray(images.file("f" + "0" * 7)[0].tobuf())
        checksum = sum(block) - sum(block[148:156]) + 8 * 32
        headers = bytearray()
        for number in range(1_000_000):
            digits = f"{number:07}".encode()
            block[1:8] = digits
            block[148:156] = b"%06o\0 " % (checksum + sum(digits) - 7 * 48)
            headers += block
        self.node.varve("pull", self.publish_layer(bytes(headers) + bytes(1024), compress=False))
        self.assertLess(self.peak_mebibytes(), 256)
        place = self.node.make_directory("mnt")
        self.node.varve("mount", f"{self.registry.host}/test/bad", str(place))
        self.assertTrue((place / "f0999999").is_file())
        self.assertFalse((place / "f1000000").exists())
        self.assertGreaterEqual(os.statvfs(place).f_files, 1_000_000)

    def peak_mebibytes(self):
        status = pathlib.Path(f"/proc/{self.node.pid('cached')}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) >> 10


if __name__ == "__main__":
    unittest.main()
