#!/usr/bin/env python3
"""Files of the store that are damaged behind varve's back: an error at that place and a line in the log that names it, or
the right bytes, never wrong ones."""

import errno
import gzip
import os
import random
import unittest

import images
import registry
from node import NodeTest

NOISE = random.Random(1)  # the same chunks in each run
FILES = {f"f{number}": NOISE.randbytes(200_000) for number in range(6)}
LAYER = images.tar(*[images.file(name, content) for name, content in FILES.items()])


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x40]))


class DamagedNodeTest(NodeTest):
    """A node with one image, whose digest is `image`."""

    def setUp(self):
        super().setUp()
        made = images.image(LAYER)
        self.image = images.digest_of(made.manifest)
        self.pull(made)
        self.place = self.node.make_directory("mnt")

    def mount(self):
        self.node.varve("mount", self.image, str(self.place))

    def stored(self, pattern):
        found, = self.node.root.glob(pattern)
        return found

    def read_all(self):
        """Names of the files that are refused; all others are as they were."""
        refused = set()
        for name, content in FILES.items():
            try:
                self.assertTrue((self.place / name).read_bytes() == content, f"{name} has other bytes")
            except OSError as error:
                self.assertEqual(error.errno, errno.EIO)
                refused.add(name)
        return refused

    def frames_of(self, name):
        """Where the chunks of a file lie: pack, offset, bytes."""
        rows = [row.split() for row in self.node.varve("explain", self.image, name).splitlines()[2:]]
        return [(self.node.root / "packs" / f"{row[3]}.pack", int(row[4]), int(row[5])) for row in rows]


class DamageTest(DamagedNodeTest):
    def pull(self, made):
        self.node.varve("pull", images.write_layout(made, self.node.directory / "layout"))

    def test_a_flipped_byte_in_a_pack_is_refused_there_and_named(self):
        pack, offset, _ = self.frames_of("f3")[0]
        self.node.varve("system", "stop")
        flip(pack, offset + 1000)
        self.mount()
        self.assertEqual(self.read_all(), {"f3"})
        logged = [line for line in self.node.log("fuse").splitlines() if "f3" in line]
        self.assertTrue(logged)  # one for each time that the kernel asked
        self.assertTrue(all(pack.stem.lstrip("0") in line for line in logged), logged)
        said = self.node.run("varve", "store", "verify")
        self.assertEqual(said.returncode, 1)
        self.assertIn(pack.stem, said.stderr)

    def test_a_pack_that_lost_its_end_is_refused_there_and_named(self):
        pack, end, _ = self.frames_of("f3")[0]
        lost = {name for name in FILES if any(offset + size > end for _, offset, size in self.frames_of(name))}
        self.mount()
        os.truncate(pack, end)
        self.assertEqual(self.read_all(), lost)
        self.assertIn("f3", lost)
        self.assertIn("f3", self.node.log("fuse"))

    def test_a_damaged_layer_index_is_noticed_and_made_anew(self):
        self.assert_made_anew("index/*.layer")

    def test_a_damaged_image_index_is_noticed_and_made_anew(self):
        self.assert_made_anew("index/*.image")

    def test_a_damaged_locator_table_is_noticed_and_made_anew(self):
        self.assert_made_anew("index/*.locators", offset=8)

    def assert_made_anew(self, pattern, offset=None):
        self.mount()
        self.node.varve("umount", str(self.place))
        path = self.stored(pattern)
        self.node.varve("system", "stop")
        before = path.read_bytes()
        flip(path, len(before) // 2 if offset is None else offset)
        self.mount()
        self.assertEqual(self.read_all(), set())
        self.assertEqual(self.stored(pattern).read_bytes(), before)
        self.assertIn(path.stem, self.node.log("cached"))

    def test_locator_words_that_lie_cost_a_question_and_never_a_wrong_byte(self):
        self.mount()
        table = self.stored("index/*.locators")
        data = table.read_bytes()
        words = data[-8 * (len(data) // 8 - 16):]
        with open(table, "r+b") as file:  # in place: varve-fuse has it mapped
            file.seek(len(data) - len(words))
            file.write(words[8:] + words[:8])
        self.assertEqual(self.read_all(), set())

    def test_an_index_that_shrinks_under_varve_fuse_is_named_and_the_next_command_mounts_anew(self):
        self.mount()
        index = self.stored("index/*.image")
        os.truncate(index, 0)
        with self.assertRaises(OSError):
            (self.place / "f1").stat()
        self.assertIn(index.stem, self.node.log("fuse"))
        self.assertIn("mounted anew", self.node.run("varve", "images").stderr)
        self.assertEqual(self.read_all(), set())


class RepairTest(DamagedNodeTest):
    def pull(self, made):
        self.registry = registry.Registry()
        self.addCleanup(self.registry.close)
        self.made = made
        self.blob, = made.layers
        self.reference = self.registry.publish("test/image", made)
        self.node.varve("pull", self.reference)

    def damage(self, *names):
        for name in names:
            pack, offset, size = self.frames_of(name)[0]
            flip(pack, offset + size // 2)

    def repair(self):
        return self.node.run("varve", "store", "verify", "--repair-from-registry")

    def test_verify_names_what_is_damaged_and_a_repair_makes_the_tree_equal_again(self):
        self.damage("f1", "f4")
        said = self.node.run("varve", "store", "verify")
        self.assertEqual(said.returncode, 1)
        self.assertIn(images.digest_of(LAYER), said.stderr)
        self.assertIn("test/image", said.stderr)
        self.mount()
        self.assertEqual(self.read_all(), {"f1", "f4"})
        repaired = self.repair()
        self.assertEqual(repaired.returncode, 0, repaired.stderr)
        self.assertIn(f"layer {images.digest_of(LAYER)}: repaired: fetched again from {self.registry.host}/test/image",
                      repaired.stdout)
        self.assertEqual(self.read_all(), set())  # on the mount that had refused them
        self.node.varve("umount", str(self.place))
        self.mount()
        self.assertEqual(self.read_all(), set())
        self.assertEqual(self.node.varve("store", "verify"), "0 problems found\n")

    def test_a_repair_without_its_registry_says_so_and_loses_nothing(self):
        self.damage("f1")
        self.node.varve("system", "stop")  # which keeps a connection
        self.registry.close()
        refused = self.repair()
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"layer {images.digest_of(LAYER)}: not repaired: ", refused.stderr)
        self.assertIn(self.registry.host, refused.stderr)
        self.mount()
        self.assertEqual(self.read_all(), {"f1"})

    def test_a_repair_from_a_registry_that_lost_the_layer_or_holds_another_loses_nothing(self):
        self.damage("f1")
        path = f"/v2/test/image/blobs/{self.blob}"
        self.registry.answer(path, 404, b'{"errors":[]}', "application/json")
        refused = self.repair()
        self.assertEqual(refused.returncode, 1)
        self.assertIn("not found", refused.stderr)
        self.registry.answer(path, 200, gzip.compress(LAYER, 1, mtime=1))  # of the same content
        refused = self.repair()
        self.assertEqual(refused.returncode, 1)
        self.assertIn("digest mismatch", refused.stderr)
        self.mount()
        self.assertEqual(self.read_all(), {"f1"})
        self.registry.answer(path, 200, self.made.blobs[self.blob])
        self.assertEqual(self.repair().returncode, 0)
        self.assertEqual(self.read_all(), set())


if __name__ == "__main__":
    unittest.main()
