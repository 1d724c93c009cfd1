#!/usr/bin/env python3
"""What commands print: docker's columns and shapes, for people and for scripts."""

import dataclasses
import json
import re
import unittest

import images
from node import NodeTest

LAYERS = [images.tar(images.file("one", b"1" * 1000)), images.tar(images.file("two", b"2" * 1000))]
LONG = "/bin/sh -c echo äöü and more\tthan docker shows of a command"
HISTORY = [{"created": "2020-01-02T03:04:05.6Z", "created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
           {"created": "2020-01-03T00:00:00Z", "created_by": "/bin/sh -c #(nop) CMD [\"/bin/sh\"]", "empty_layer": True},
           {"created": "2020-01-04T00:00:00Z", "created_by": LONG, "comment": "\x1b[2Jbuildkit"}]
IMAGE = images.image(*LAYERS, history=HISTORY)
CONFIG = json.loads(IMAGE.manifest)["config"]["digest"]


class OutputTest(NodeTest):
    def setUp(self):
        super().setUp()
        layout = images.write_layout(IMAGE, self.node.directory / "layout")
        self.node.varve("pull", layout)
        self.node.varve("tag", CONFIG, "registry.example/team/app:1", "mine")
        self.node.varve("rmi", "localhost/layout")

    def lines(self, *arguments):
        return [line.split() for line in self.node.varve(*arguments).splitlines()]

    def test_images_has_dockers_columns_and_a_row_a_name(self):
        header, *rows = self.lines("images")
        self.assertEqual(header, ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"])
        self.assertCountEqual([row[:3] for row in rows], [["registry.example/team/app", "1", CONFIG[7:19]],
                                                         ["mine", "latest", CONFIG[7:19]]])

    def test_images_for_scripts(self):
        self.assertEqual(set(self.node.varve("images", "-q").split()), {CONFIG[7:19]})
        self.assertEqual(set(self.node.varve("images", "-q", "--no-trunc").split()), {CONFIG})
        rows = [json.loads(line) for line in self.node.varve("images", "--format", "json").splitlines()]
        self.assertCountEqual([(row["Repository"], row["Tag"]) for row in rows],
                              [("registry.example/team/app", "1"), ("mine", "latest")])
        self.assertEqual(self.lines("images", "--digests", "mine")[1][2], images.digest_of(IMAGE.manifest))

    def test_images_can_be_chosen(self):
        self.assertEqual(len(self.lines("images", "mine")), 2)
        self.assertEqual(len(self.lines("images", "-f", "reference=registry.example/team/*")), 2)
        self.assertEqual(len(self.lines("images", "-f", "reference=registry.example/*")), 1)
        self.assertEqual(len(self.lines("images", "-f", "reference=m[a-j]ne:lat?st")), 2)
        self.assertEqual(len(self.lines("images", "-f", "dangling=true")), 1)
        self.assertIn("true or false", self.node.refusal("images", "-f", "dangling=perhaps"))
        self.assertIn("colour", self.node.refusal("images", "-f", "colour=red"))

    def test_mounts_and_disk_usage_by_template(self):
        self.assertEqual(self.lines("mounts"), [["DIRECTORY", "MODE", "CHAIN", "ID"]])
        place = str(self.node.make_directory("place"))
        self.node.varve("mount", "--rw", "mine", place)
        row, = [json.loads(line) for line in self.node.varve("mounts", "--format", "json").splitlines()]
        self.assertEqual((row["Directory"], row["Mode"], len(row["ChainID"])), (place, "rw", 64))
        self.assertEqual(self.lines("mounts")[1], [place, "rw", row["ChainID"][:12]])
        self.node.varve("create", "mine", "true")
        header, *rows = self.lines("system", "df", "--format", "table")
        self.assertEqual(header, ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"])
        self.assertEqual([row[:3] for row in rows], [["Images", "1", "1"], ["Containers", "1", "0"], ["Local", "Volumes", "0"]])
        self.assertEqual(self.node.varve("system", "df", "--format", "{{.Type}} {{.Reclaimable}}").splitlines()[0], "Images 0 B (0%)")
        self.node.varve("umount", place)

    def test_inspect_is_dockers_document(self):
        shown, = json.loads(self.node.varve("inspect", "mine"))
        self.assertEqual(shown["Id"], CONFIG)
        self.assertEqual(shown["Config"]["Cmd"], ["/bin/sh"])
        self.assertEqual(shown["RootFS"], {"Type": "layers", "Layers": [images.digest_of(layer) for layer in LAYERS]})
        self.assertCountEqual(shown["RepoTags"], ["mine:latest", "registry.example/team/app:1"])
        self.assertEqual(shown["Size"], sum(map(len, LAYERS)))

    def test_inspect_of_one_that_is_missing_shows_the_others_and_fails(self):
        done = self.node.run("varve", "inspect", "mine", "absent")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(json.loads(done.stdout)), 1)
        self.assertIn("No such image: absent", done.stderr)

    def columns(self, *arguments):
        """Cells of a table, by where its header's words begin."""
        header, *rows = self.node.varve(*arguments).splitlines()
        starts = [found.start() for found in re.finditer(r"\S+( \S+)*", header)]
        return [[line[start:end].strip() for start, end in zip(starts, [*starts[1:], None])] for line in [header, *rows]]

    def test_history_has_dockers_columns_newest_first(self):
        header, *rows = self.columns("history", "mine")
        self.assertEqual(header, ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"])
        self.assertEqual([row[0] for row in rows], [CONFIG[7:19], "<missing>", "<missing>"])
        self.assertTrue(all(row[1].endswith("years ago") for row in rows))
        self.assertEqual([row[2] for row in rows], [LONG.replace("\t", " ")[:44] + "…", '/bin/sh -c #(nop) CMD ["/bin/sh"]',
                                                    "/bin/sh -c #(nop) ADD file:1 in /"])
        self.assertEqual([row[3] for row in rows], ["10.24 kB", "0 B", "10.24 kB"])
        self.assertEqual(rows[0][4], "[2Jbuildkit")  # nothing that a terminal obeys

    def test_history_whole_for_scripts_and_without_rounding(self):
        whole = self.columns("history", "--no-trunc", "mine")[1]
        self.assertEqual((whole[0], whole[2]), (CONFIG, LONG.replace("\t", " ")))
        self.assertEqual(self.node.varve("history", "-q", "mine").split(), [CONFIG[7:19], "<missing>", "<missing>"])
        header, *rows = self.columns("history", "--human=false", "mine")
        self.assertEqual(header[1], "CREATED AT")
        self.assertEqual([row[1] for row in rows], [entry["created"] for entry in reversed(HISTORY)])
        self.assertEqual([row[3] for row in rows], [str(len(LAYERS[1])), "0", str(len(LAYERS[0]))])
        newest, *_ = [json.loads(line) for line in self.node.varve("history", "--format", "json", "mine").splitlines()]
        self.assertEqual(newest | {"CreatedSince": ""}, {
            "Comment": "\x1b[2Jbuildkit", "CreatedAt": HISTORY[2]["created"], "CreatedBy": LONG, "CreatedSince": "",
            "ID": CONFIG[7:19], "Size": "10.24 kB"})

    def test_lists_and_documents_take_templates(self):
        self.assertEqual(self.node.varve("images", "--format", "{{.Repository}}:{{.Tag}}", "mine"), "mine:latest\n")
        self.assertEqual(self.node.varve("images", "--format", r"table {{.ID}}\t{{.Tag}}", "mine"),
                         f"IMAGE ID       TAG\n{CONFIG[7:19]}   latest\n")
        self.assertIn("no field .Size2", self.node.refusal("images", "--format", "{{.Size2}}", "mine"))
        self.assertEqual(self.node.varve("history", "--format", "{{.Size}}", "mine").splitlines(), ["10.24 kB", "0 B", "10.24 kB"])
        self.assertEqual(self.node.varve("inspect", "-f", '{{.Id}} {{join .Config.Cmd ","}} {{json .Config.Entrypoint}}', "mine"),
                         f"{CONFIG} /bin/sh null\n")
        self.assertEqual(self.node.varve("inspect", "--format", "json", "mine").count("\n"), 1)
        self.assertIn("{{if}} without {{end}}", self.node.refusal("inspect", "-f", "{{if .Id}}", "mine"))

    def test_tree_shows_what_each_layer_adds(self):
        lines = self.node.varve("tree", "mine").splitlines()
        self.assertEqual([line.split()[:2] for line in lines], [["layer", "1"], ["1", "kB"], ["layer", "2"], ["1", "kB"]])
        self.assertEqual([line.split()[-1] for line in lines if not line.startswith("layer")], ["/one", "/two"])
        rows = [json.loads(line) for line in self.node.varve("tree", "--json", "-n", "0", "mine").splitlines()]
        self.assertEqual([(row["layer"], row["files"], row["file_bytes"], row["biggest"]) for row in rows],
                         [(1, 1, 1000, []), (2, 1, 1000, [])])
        self.assertEqual(rows[1]["created_by"], LONG)

    def test_diff_of_two_images_says_what_the_second_has_changed(self):
        def layer(files):
            return images.tar(*(images.file(name, content) for name, content in sorted(files.items())))
        for name, files in {"old": {"etc/a": b"1", "etc/b": b"2", "usr/c": b"3"}, "new": {"etc/a": b"1", "etc/b": b"!", "srv": b"4"}}.items():
            self.node.varve("pull", images.write_layout(images.image(layer(files)), self.node.directory / name))
        self.assertEqual(self.node.varve("diff", "localhost/old", "localhost/new").splitlines(), ["C /etc/b", "A /srv", "D /usr"])
        self.assertEqual(self.node.varve("diff", "localhost/old", "localhost/new", "/usr"), "D /usr\n")
        self.assertEqual(self.node.varve("diff", "localhost/old", "localhost/old"), "")
        self.assertIn("/none: no such path", self.node.refusal("diff", "localhost/old", "localhost/new", "/none"))

    def test_df_counts_what_is_stored(self):
        usage = json.loads(self.node.varve("system", "df", "-v", "--json"))
        self.assertEqual((usage["images"], usage["layers"], usage["chunks"]), (1, 2, 2))
        self.assertEqual(usage["raw_bytes"], sum(map(len, LAYERS)))
        self.assertEqual(usage["layer_bytes"], usage["raw_bytes"])
        self.assertGreater(usage["stored_bytes"], 0)
        self.assertEqual((usage["originals"], usage["original_bytes"]), (0, 0))
        self.assertEqual(len(usage["per_image"]), 1)
        self.assertIn("dedup ratio", self.node.varve("system", "df"))

    def test_rmi_says_what_it_did(self):
        self.assertEqual(self.node.varve("rmi", "mine"), "Untagged: mine:latest\n")
        self.assertEqual(self.node.varve("rmi", "registry.example/team/app:1"),
                         f"Untagged: registry.example/team/app:1\nDeleted: {CONFIG}\n")

    def test_a_bad_command_line_is_named_with_where_its_help_is(self):
        self.assertEqual(self.node.refusal("nonsense"), "Error: unknown command: nonsense; see 'varve --help'\n")
        self.assertEqual(self.node.refusal("images", "--colour"),
                         "Error: The following argument was not expected: --colour; see 'varve images --help'\n")
        self.assertIn("see 'varve system df --help'", self.node.refusal("system", "df", "more"))

    def test_an_error_that_quotes_an_image_tells_the_terminal_nothing(self):
        hostile = dataclasses.replace(IMAGE, manifest=IMAGE.manifest.replace(b"application/vnd.oci.image.manifest.v1+json", b"\\u001b[2J"))
        said = self.node.refusal("pull", images.write_layout(hostile, self.node.directory / "hostile"))
        self.assertIn("[2J", said)
        self.assertNotIn("\x1b", said)

    def test_bad_commands_exit_as_dockers_do(self):
        self.assertEqual(self.node.run("varve", "images", "--no-such-flag").returncode, 125)
        self.assertEqual(self.node.run("varve", "run", "absent.example:1/x").returncode, 125)
        self.assertEqual(self.node.run("varve", "inspect", "absent").returncode, 1)


if __name__ == "__main__":
    unittest.main()
