#!/usr/bin/env python3
"""Copies between registries, layouts, archives and the store, as skopeo sees them."""

import json
import os
import subprocess
import unittest

import images
import registry
from node import NodeTest

LAYERS = [images.tar(images.directory("etc"), images.file("etc/name", b"good\n")), images.tar(images.file("big", os.urandom(300_000)))]
INDEX = "application/vnd.oci.image.index.v1+json"


def index_of(*platforms):
    """An index of images by architecture."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": images.MANIFEST, "digest": images.digest_of(made.manifest), "size": len(made.manifest),
         "platform": {"os": "linux", "architecture": architecture}} for architecture, made in platforms]}).encode()


class CopyCase(NodeTest):
    def setUp(self):
        super().setUp()
        self.host = registry.start_docker_registry(self.node, "first")
        self.image = images.image(*LAYERS)
        self.digest = images.digest_of(self.image.manifest)
        self.layout = images.write_layout(self.image, self.path("layout"))

    def path(self, name):
        return f"{self.node.directory}/{name}"

    def copy(self, *arguments):
        """The digest that is said."""
        return self.node.varve("copy", "-q", *arguments).strip()

    def skopeo(self, *arguments):
        done = self.node.run("skopeo", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def assert_same(self, location, manifest=None):
        """What skopeo reads there is `manifest`, and skopeo finds every blob to be what it should be."""
        manifest = manifest or self.image.manifest
        self.assertEqual(self.skopeo("inspect", "--raw", "--tls-verify=false", location).encode(), manifest)
        self.skopeo("copy", "--quiet", "--all", "--src-tls-verify=false", location, f"dir:{self.path('checked')}")


class CopyTest(CopyCase):
    def test_digests_stay_between_layouts_archives_and_registries(self):
        places = [f"docker://{self.host}/test/app:1", f"oci:{self.path('other')}:1", f"oci-archive:{self.path('a.tar')}:1"]
        for source in [self.layout, *places]:
            if source in places:
                self.assertEqual(self.copy(self.layout, source), self.digest)
            for number, target in enumerate([f"{self.host}/test/to:{places.index(source) if source in places else 9}",
                                             f"oci:{self.path('collected')}:{len(source)}", f"oci-archive:{self.path('b.tar')}"]):
                with self.subTest(source=source, target=target):
                    self.assertEqual(self.copy(source, target), self.digest)
                    self.assert_same(target if number else "docker://" + target)
        self.assertEqual(self.node.varve("images", "-aq"), "", "nothing was stored")

    def test_the_store_gives_and_takes(self):
        self.assertEqual(self.copy(self.layout, "varve:mine:1"), self.digest)
        self.assertEqual(self.copy("varve:mine:1", "varve:mine:2"), self.digest)
        self.assertEqual(self.copy(self.layout, f"{self.host}/test/app:1"), self.digest)
        self.assertEqual(self.copy(f"{self.host}/test/app:1", "varve:mine:3"), self.digest)
        self.assertEqual(self.copy("varve:mine:3", f"{self.host}/test/back:1"), self.digest)
        self.assert_same(f"docker://{self.host}/test/back:1")
        self.assertCountEqual([line.split()[1] for line in self.node.varve("images").splitlines()[1:]], ["1", "2", "3"])
        config = json.loads(self.image.manifest)["config"]["digest"]
        for target in (f"oci:{self.path('out')}:1", f"oci-archive:{self.path('out.tar')}:1", f"docker-archive:{self.path('d.tar')}:x:1"):
            plain = self.copy("varve:mine:1", target)
            self.assertEqual(images.digest_of(self.skopeo("inspect", "--raw", "--config", target).encode()), config)
            if not target.startswith("docker"):
                self.assertEqual(images.digest_of(self.skopeo("inspect", "--raw", target).encode()), plain)
                self.assertEqual(self.copy(target, "varve:back"), plain)
                self.assertEqual(self.copy("varve:back", f"oci:{self.path('again')}:{len(target)}"), plain, "its layers were plain")

    def test_docker_archives_are_written_and_read(self):
        archive = f"docker-archive:{self.path('d.tar')}:example.org/x:1"
        self.assertEqual(self.copy(self.layout, archive), self.digest)
        self.skopeo("copy", "--quiet", archive, f"oci:{self.path('by-skopeo')}:1")
        self.assertIn("Loaded image: example.org/x:1", self.node.varve("load", "-i", self.path("d.tar")))
        self.skopeo("copy", "--quiet", archive, f"docker-archive:{self.path('s.tar')}:example.org/x:2")  # plain layers
        self.node.varve("copy", f"docker-archive:{self.path('s.tar')}", f"{self.host}/test/app:1")
        manifest = json.loads(self.skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{self.host}/test/app:1"))
        self.assertEqual({layer["mediaType"] for layer in manifest["layers"]}, {images.LAYER + "+gzip"})
        self.assertEqual(manifest["config"]["digest"], json.loads(self.image.manifest)["config"]["digest"])
        self.skopeo("copy", "--quiet", "--src-tls-verify=false", f"docker://{self.host}/test/app:1", f"dir:{self.path('checked')}")
        self.copy("--compression", "zstd", f"docker-archive:{self.path('s.tar')}:example.org/x:2", f"{self.host}/test/app:2")
        self.assertIn("+zstd", self.skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{self.host}/test/app:2"))

    def several_platforms(self):
        other = images.image(LAYERS[0])
        index = index_of(("amd64", self.image), ("s390x", other))
        for digest, data in [*other.blobs.items(), (images.digest_of(other.manifest), other.manifest), (images.digest_of(index), index)]:
            (self.node.directory / "layout/blobs/sha256" / digest.removeprefix("sha256:")).write_bytes(data)
        (self.node.directory / "layout/index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
            {"mediaType": INDEX, "digest": images.digest_of(index), "size": len(index),
             "annotations": {"org.opencontainers.image.ref.name": "1"}}]}))
        return index, other

    def test_all_platforms_or_one(self):
        index, other = self.several_platforms()
        first, second = f"{self.host}/test/all:1", f"{self.host}/test/all:2"
        for source, target in ((f"oci:{self.path('layout')}:1", first), (f"docker://{first}", second),
                               (f"docker://{second}", f"oci:{self.path('other')}:1"), (f"oci:{self.path('other')}:1", f"oci-archive:{self.path('a.tar')}")):
            self.assertEqual(self.copy("--all-platforms", source, target), images.digest_of(index))
            self.assert_same(target if target.startswith("oci") else "docker://" + target, index)
        self.assertEqual(self.copy(first, f"oci:{self.path('one')}:1"), self.digest)
        self.assertEqual(self.copy("--platform", "linux/s390x", first, f"{self.host}/test/one:1"), images.digest_of(other.manifest))
        self.assertIn("one platform", self.node.refusal("copy", "--all-platforms", first, f"docker-archive:{self.path('d.tar')}"))
        self.assertFalse((self.node.directory / "d.tar").exists())
        self.assertIn("one platform", self.node.refusal("copy", "--all-platforms", first, "varve:x"))
        self.assertIn("linux/s390x", self.node.refusal("copy", "--platform", "linux/arm64", first, f"oci:{self.path('one')}:2"))

    def test_a_push_of_all_platforms_sends_the_index_that_was_pulled(self):
        index, other = self.several_platforms()
        source, beside = f"{self.host}/test/all:1", f"{self.host}/test/beside:1"
        elsewhere = f"{registry.start_docker_registry(self.node, 'second')}/test/all:1"
        self.copy("--all-platforms", f"oci:{self.path('layout')}:1", source)
        self.node.varve("pull", source)
        self.node.varve("tag", source, "mine")
        self.assertIn("Mounted from", self.node.varve("push", "--all-platforms", "mine", beside))
        self.assertIn(f"digest: {images.digest_of(index)} size: {len(index)}", self.node.varve("push", "--all-platforms", source, elsewhere))
        self.assertNotIn(": Pushed", self.node.varve("push", "--all-platforms", source, elsewhere))
        self.assertEqual(self.copy("--all-platforms", "varve:mine", f"{elsewhere}-again"), images.digest_of(index))
        for reference in beside, elsewhere, f"{elsewhere}-again":
            self.assert_same("docker://" + reference, index)
        self.node.varve("push", source, elsewhere)
        self.assert_same("docker://" + elsewhere)  # that of the store alone

    def test_a_push_of_all_platforms_says_why_it_cannot(self):
        self.node.varve("pull", self.layout)
        self.assertIn("built, loaded or imported", self.node.refusal("push", "--all-platforms", "localhost/layout", f"{self.host}/test/app:1"))
        self.copy(self.layout, f"{self.host}/test/app:1")
        self.node.varve("pull", f"{self.host}/test/app:1")
        self.assertIn("of one platform", self.node.refusal("push", "--all-platforms", f"{self.host}/test/app:1"))
        index, _ = self.several_platforms()
        gone = registry.start_docker_registry(self.node, "gone")
        self.copy("--all-platforms", f"oci:{self.path('layout')}:1", f"{gone}/test/all:1")
        self.node.varve("pull", f"{gone}/test/all:1")
        (self.node.directory / "gone").rename(self.path("away"))
        said = self.node.refusal("push", "--all-platforms", f"{gone}/test/all:1", f"{self.host}/test/all:1")
        self.assertIn(f"its index at {gone}/test/all", said)
        self.assertIn(images.digest_of(index), said)

    def test_a_layout_keeps_what_it_has(self):
        self.copy(self.layout, f"oci:{self.path('other')}:1")
        newer = images.write_layout(images.image(LAYERS[0]), self.path("newer"))
        self.copy(newer, f"oci:{self.path('other')}:2")
        self.assert_same(f"oci:{self.path('other')}:1")
        replaced = self.copy(newer, f"oci:{self.path('other')}:1")
        self.assertNotEqual(replaced, self.digest)
        self.assertEqual(images.digest_of(self.skopeo("inspect", "--raw", f"oci:{self.path('other')}:1").encode()), replaced)

    def test_copies_that_add_to_a_layout_at_once_all_stay(self):
        self.node.varve("system", "start")
        copies = [self.node.start("varve", "copy", "-q", self.layout, f"oci:{self.path('other')}:{tag}", stdout=subprocess.DEVNULL) for tag in range(8)]
        self.assertEqual([copy.wait(timeout=60) for copy in copies], [0] * 8)
        self.assertEqual(len(json.loads((self.node.directory / "other/index.json").read_text())["manifests"]), 8)

    def test_within_a_registry_blobs_are_mounted_and_between_two_a_break_is_survived(self):
        self.copy(self.layout, f"{self.host}/test/app:1")
        beside = self.node.varve("copy", f"{self.host}/test/app:1", f"{self.host}/test/beside:1")
        self.assertEqual(beside.count(f"Mounted from {self.host}/test/app"), 3, beside)
        self.assertIn(f"Digest: {self.digest}", beside)
        big = images.image(images.tar(images.file("noise", os.urandom(24 << 20))), compress=False)
        self.copy(images.write_layout(big, self.path("big")), f"{self.host}/test/big:1")
        proxy = registry.BreakingProxy(registry.start_docker_registry(self.node, "second"), after_bytes=5 << 20, times=3)
        self.addCleanup(proxy.close)
        self.copy(f"{self.host}/test/big:1", f"{proxy.host}/test/big:1")
        self.copy(f"oci:{self.path('big')}", f"{proxy.host}/test/big:2")
        self.assertEqual(proxy.broken, 3)
        for tag in "12":
            self.assert_same(f"docker://{proxy.host}/test/big:{tag}", big.manifest)

    def test_a_spoilt_blob_is_named_and_nothing_appears(self):
        digest = self.image.layers[1]
        blob = self.node.directory / "layout/blobs/sha256" / digest.removeprefix("sha256:")
        blob.write_bytes(blob.read_bytes()[:-1] + b"!")
        for target in (f"{self.host}/test/app:1", f"oci:{self.path('other')}:1", f"oci-archive:{self.path('a.tar')}", "varve:x"):
            self.assertIn(digest, self.node.refusal("copy", self.layout, target))
        blob.unlink()
        self.assertIn(digest.removeprefix("sha256:"), self.node.refusal("copy", self.layout, f"{self.host}/test/app:1"))
        self.assertFalse((self.node.directory / "other/index.json").exists())
        self.assertEqual([path.name for path in (self.node.directory / "other/blobs/sha256").iterdir() if len(path.name) != 64], [])
        self.assertFalse((self.node.directory / "a.tar").exists())
        self.assertIn("not found", self.node.refusal("manifest", "inspect", f"{self.host}/test/app:1"))

    def test_machines_are_told_what_happens(self):
        events = [json.loads(line) for line in self.node.varve("copy", "--json", self.layout, f"{self.host}/test/app:1").splitlines()]
        self.assertEqual({event["state"] for event in events[:-1]} & {"done"}, {"done"})
        self.assertEqual(events[-1]["manifest_digest"], self.digest)
        self.assertIn("--compression", self.node.refusal("copy", "--compression", "gzip", self.layout, "varve:x"))


class ManifestListTest(CopyCase):
    def setUp(self):
        super().setUp()
        self.other = images.image(LAYERS[0])
        self.first, self.second, self.list = (f"{self.host}/test/{name}:1" for name in ("first", "second", "list"))
        self.copy(self.layout, self.first)
        self.copy(images.write_layout(self.other, self.path("second")), self.second)

    def make(self):
        self.assertEqual(self.node.varve("manifest", "create", self.list, self.first, self.second),
                         f"Created manifest list {self.list}\n")
        self.node.varve("manifest", "annotate", self.list, self.second, "--arch", "arm64", "--variant", "v8")

    def test_a_list_is_made_of_what_registries_have_and_pushed_whole(self):
        self.make()
        shown = self.node.varve("manifest", "inspect", self.list)
        self.assertEqual(shown.encode(), list_of(("amd64", None, self.image), ("arm64", "v8", self.other)))
        pushed = self.node.varve("manifest", "push", "--purge", self.list).strip()
        self.assertEqual(pushed, images.digest_of(shown.encode()))
        self.assert_same(f"docker://{self.list}", shown.encode())
        self.assertEqual(self.copy("--platform", "linux/arm64", self.list, f"oci:{self.path('one')}"), images.digest_of(self.other.manifest))
        self.assertIn("No such manifest list", self.node.refusal("manifest", "push", self.list))
        self.assertEqual(self.node.varve("manifest", "inspect", self.list), shown, "as its registry has it")
        self.assertEqual(self.node.varve("images", "-aq"), "")

    def test_a_list_goes_to_another_registry_with_its_images(self):
        self.make()
        elsewhere = f"{registry.start_docker_registry(self.node, 'second')}/deep/er/list:2"
        pushed = self.node.varve("manifest", "push", self.list, elsewhere).strip()
        self.assert_same(f"docker://{elsewhere}", self.node.varve("manifest", "inspect", self.list).encode())
        self.assertEqual(pushed, images.digest_of(self.node.varve("manifest", "inspect", self.list).encode()))

    def test_what_is_there_is_not_replaced_unasked(self):
        self.make()
        self.assertIn("--amend", self.node.refusal("manifest", "create", self.list, self.first))
        self.node.varve("manifest", "push", self.list)
        self.node.varve("manifest", "create", "--amend", self.list, self.list)  # the images of a list
        self.assertEqual(len(json.loads(self.node.varve("manifest", "inspect", self.list))["manifests"]), 2)
        self.assertIn("has no image", self.node.refusal("manifest", "annotate", self.list, f"{self.host}/test/first:2", "--os", "x"))
        self.assertIn("not found", self.node.refusal("manifest", "create", f"{self.host}/test/new:1", f"{self.host}/test/absent:1"))
        self.assertIn("No such manifest list", self.node.refusal("manifest", "rm", f"{self.host}/test/new:1"))
        self.node.varve("manifest", "rm", self.list)
        self.assertIn("No such manifest list", self.node.refusal("manifest", "push", self.list))


def list_of(*platforms):
    """The list that varve makes of images by architecture and variant."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": images.MANIFEST, "digest": images.digest_of(made.manifest), "size": len(made.manifest),
         "platform": {"architecture": architecture, "os": "linux"} | ({"variant": variant} if variant else {})}
        for architecture, variant, made in platforms]}, separators=(",", ":")).encode()


if __name__ == "__main__":
    unittest.main()
