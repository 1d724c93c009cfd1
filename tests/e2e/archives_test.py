#!/usr/bin/env python3
"""Images that leave as archives and come in from them: what other tools make of ours, what we make of theirs, and what is said of
archives that are broken or mean harm."""

import bz2
import gzip
import io
import json
import lzma
import os
import pathlib
import stat
import subprocess
import tarfile
import unittest

import images
import registry
from node import NodeTest

BASE = images.tar(images.directory("etc"), images.file("etc/name", b"base\n"), images.file("etc/gone", b"gone\n"),
                  images.file("big", bytes(range(256)) * 2000), images.symlink("link", "etc/name"))
TOP = images.tar(images.file("etc/.wh.gone"), images.file("etc/name", b"top\n"), images.hard_link("same", "big"),
                 images.file("tool", b"#!/bin/sh\n", mode=0o4755))
OTHER = images.tar(images.file("other", b"other\n"))
COMPRESSORS = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
               "zst": lambda data: subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout}


def config_of(made):
    return made.blobs[json.loads(made.manifest)["config"]["digest"]]


def identity_of(made):
    return images.digest_of(config_of(made))


def member(name, content=b"", **attributes):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for key, value in attributes.items():
        setattr(entry, key, value)
    return entry, content


def link(name, target):
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def docker_archive(*listed, extra=()):
    """What docker before 25 saved: (image, names, layers) with the layers as they are to lie in it."""
    members, manifest = [], []
    for made, names, layers in listed:
        config = config_of(made)
        identity = images.digest_of(config).removeprefix("sha256:")
        paths = []
        for number, layer in enumerate(layers):
            directory = f"{identity[:60]}{number:04}"
            members += [member(directory + "/", type=tarfile.DIRTYPE), member(directory + "/VERSION", b"1.0"),
                        member(directory + "/json", b"{}")]
            members.append(link(directory + "/layer.tar", layer) if isinstance(layer, str)
                           else member(directory + "/layer.tar", layer))
            paths.append(directory + "/layer.tar")
        members.append(member(identity + ".json", config))
        manifest.append({"Config": identity + ".json", "RepoTags": names, "Layers": paths})
    return images.tar(*members, *extra, member("manifest.json", json.dumps(manifest).encode()))


def ancient_archive(repositories, *layers):
    """What docker before 1.10 saved: layers are (id, parent, tar, what else is in their "json")."""
    members = []
    for identity, parent, tar, more in layers:
        about = {"id": identity, "created": "2015-10-01T00:00:00Z", "architecture": "amd64", "os": "linux", "Size": len(tar),
                 "container_config": {"Cmd": ["/bin/sh", "-c", f"make {identity[0]}"]}} | ({"parent": parent} if parent else {}) | more
        members += [member(identity + "/", type=tarfile.DIRTYPE), member(identity + "/VERSION", b"1.0"),
                    member(identity + "/json", json.dumps(about).encode()), member(identity + "/layer.tar", tar)]
    return images.tar(*members, member("repositories", json.dumps(repositories).encode()))


class ArchivesTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.app = images.image(BASE, TOP)
        self.other = images.image(BASE, OTHER)
        self.file = self.node.directory / "images.tar"

    def pull(self, made, name):
        layout = self.node.directory / f"layout-{identity_of(made)[7:19]}"
        reference = f"localhost/{layout.name}"
        if not layout.exists():
            images.write_layout(made, layout)
        self.node.varve("pull", f"oci:{layout}")
        self.node.varve("tag", reference, name)
        self.node.varve("rmi", reference)

    def load(self, data, *arguments):
        self.file.write_bytes(data)
        return self.node.varve("load", "-i", str(self.file), *arguments)

    def ids(self):
        return set(self.node.varve("images", "-aq", "--no-trunc").split())

    def forget(self):
        for identity in self.ids():
            self.node.varve("rmi", "-f", identity)
        self.node.varve("system", "prune", "-f")

    def tool(self, *command):
        done = self.node.run(*command)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def podman(self, *arguments):
        store = self.node.directory / "podman"
        return self.tool("podman", "--root", f"{store}/root", "--runroot", f"{store}/run", "--storage-driver", "vfs",
                         "--events-backend", "none", *arguments)

    def tree(self, root):
        """Each path below `root`, with all that an image says of it."""
        tree = {}
        for path in sorted(pathlib.Path(root).rglob("*")):
            info = path.lstat()
            content = (os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None)
            mode = "link" if path.is_symlink() else stat.filemode(info.st_mode)
            tree[str(path.relative_to(root))] = (mode, info.st_uid, info.st_gid, content,
                                                 info.st_nlink if not path.is_dir() else None)
        return tree

    def mounted_tree(self, reference):
        place = self.node.directory / "mnt"
        place.mkdir(exist_ok=True)
        self.node.varve("mount", reference, str(place))
        tree = self.tree(place)
        self.node.varve("umount", str(place))
        return tree

    def layout_of(self, source):
        layout = self.node.directory / "copied"
        self.tool("skopeo", "copy", "--quiet", source, f"oci:{layout}:it")
        return layout

    # -- out

    def test_what_is_saved_other_tools_read_and_it_comes_back_equal(self):
        self.pull(self.app, "example.org/app:1")
        before = self.mounted_tree("example.org/app:1")
        self.node.varve("save", "-o", str(self.file), "example.org/app:1")
        for source in (f"oci-archive:{self.file}:1", f"docker-archive:{self.file}:example.org/app:1"):
            config = self.node.run("skopeo", "inspect", "--raw", "--config", source).stdout
            self.assertEqual(config.encode(), config_of(self.app), source)
        layout = self.layout_of(f"oci-archive:{self.file}:1")
        self.tool("oci-image-tool", "validate", "--type", "image", "--ref", "name=it", str(layout))
        self.tool("umoci", "unpack", "--image", f"{layout}:it", str(self.node.directory / "bundle"))
        self.assertEqual(self.tree(self.node.directory / "bundle" / "rootfs"), before)
        self.assertIn("example.org/app:1", self.podman("load", "-i", str(self.file)))
        self.assertEqual(self.podman("images", "-q", "--no-trunc").split(), [identity_of(self.app)])
        self.forget()
        self.assertEqual(self.node.varve("load", "-i", str(self.file)), "Loaded image: example.org/app:1\n")
        self.assertEqual(self.ids(), {identity_of(self.app)})
        self.assertEqual(self.mounted_tree("example.org/app:1"), before)
        self.assertEqual(self.node.run("varve", "store", "verify").returncode, 0)

    def test_the_same_images_give_the_same_bytes_with_each_layer_once(self):
        self.pull(self.app, "app:1")
        self.pull(self.other, "other:1")
        self.node.varve("tag", "app:1", "app:2")
        self.node.varve("save", "-o", str(self.file), "app", "other:1", identity_of(self.other))
        first = self.file.read_bytes()
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        with tarfile.open(self.file) as archive:
            names = archive.getnames()
            listed = json.load(archive.extractfile("manifest.json"))
            layers = [archive.extractfile(f"blobs/sha256/{images.digest_of(tar)[7:]}").read() for tar in (BASE, TOP, OTHER)]
            self.assertEqual({entry.mtime for entry in archive}, {0})
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(layers, [BASE, TOP, OTHER])
        self.assertEqual([image["RepoTags"] for image in listed], [["app:1", "app:2"], ["other:1"]])
        self.forget()
        self.assertEqual(self.node.varve("load", "-i", str(self.file)),
                         "Loaded image: app:1\nLoaded image: app:2\nLoaded image: other:1\n")
        piped = subprocess.run(["varve", "save", "app", "other:1"], env=self.node.environment, stdout=subprocess.PIPE, check=True)
        self.assertEqual(piped.stdout, first)

    def test_what_cannot_be_saved_leaves_no_file(self):
        self.pull(self.app, "app:1")
        self.file.write_text("what was here")
        self.assertIn("No such image: absent", self.node.refusal("save", "-o", str(self.file), "app:1", "absent"))
        self.assertEqual(self.file.read_text(), "what was here")
        self.assertIn("whole images", self.node.refusal("save", "-o", str(self.file), "app:1@layer:1"))
        self.assertIn("no regular file", self.node.refusal("save", "-o", str(self.node.directory), "app:1"))
        self.assertIn("nowhere", self.node.refusal("save", "-o", str(self.node.directory / "nowhere" / "x"), "app:1"))
        with open("/dev/full", "w") as full:
            done = subprocess.run(["varve", "save", "app:1"], env=self.node.environment, stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)
        self.assertEqual([path.name for path in self.node.directory.glob("images.tar*")], ["images.tar"])

    def test_a_terminal_gets_no_archive_and_gives_none(self):
        self.pull(self.app, "app:1")
        for arguments in (("save", "app:1"), ("load",)):
            done = self.node.run("script", "-qec", f"varve {' '.join(arguments)}", "/dev/null")
            self.assertEqual(done.returncode, 1)
            self.assertIn("terminal", done.stdout)

    # -- in

    def test_the_archive_may_be_compressed_and_may_be_a_pipe(self):
        data = docker_archive((self.app, ["app:1"], [BASE, TOP]))
        for name, compress in COMPRESSORS.items():
            with self.subTest(name):
                self.assertEqual(self.load(compress(data)), "Loaded image: app:1\n")
                self.forget()
                piped = subprocess.run(["varve", "load"], env=self.node.environment, input=compress(data), capture_output=True)
                self.assertEqual(piped.stdout, b"Loaded image: app:1\n", piped.stderr)
                self.assertEqual(self.ids(), {identity_of(self.app)})
                self.forget()

    def test_layers_may_be_compressed_each_in_its_own_way(self):
        tars = [BASE, TOP, OTHER, images.tar(images.file("four", b"4")), images.tar(images.file("five", b"5"))]
        made = images.image(*tars)
        layers = [compress(tar) for compress, tar in zip(COMPRESSORS.values(), tars)]
        self.assertEqual(self.load(docker_archive((made, ["all:1"], layers))), "Loaded image: all:1\n")
        self.assertEqual(self.ids(), {identity_of(made)})
        self.assertIn("five", self.mounted_tree("all:1"))

    def test_old_archives_have_links_for_layers_that_are_shared_and_images_without_names(self):
        identity = identity_of(self.app)[7:]
        data = docker_archive((self.app, ["app:1", "registry.example/app:2"], [BASE, TOP]),
                              (self.other, None, [f"../{identity[:60]}0000/layer.tar", OTHER]))
        self.assertEqual(self.load(data), "Loaded image: app:1\nLoaded image: registry.example/app:2\n"
                                          f"Loaded image ID: {identity_of(self.other)}\n")
        self.assertEqual(self.ids(), {identity_of(self.app), identity_of(self.other)})
        self.assertEqual(self.load(data, "-q").count("Loaded"), 3)  # again: it is all here

    def test_archives_of_docker_before_1_10_have_no_configs_and_are_taken(self):
        data = ancient_archive({"old/app": {"1": "b" * 64, "2": "a" * 64}}, ("a" * 64, "", BASE, {}),
                               ("b" * 64, "a" * 64, TOP, {"config": {"Cmd": ["/bin/run"]}, "comment": "top"}))
        self.assertCountEqual(self.load(data).splitlines(), ["Loaded image: old/app:1", "Loaded image: old/app:2"])
        image = json.loads(self.node.varve("inspect", "old/app:1"))[0]
        self.assertEqual(image["RootFS"]["Layers"], [images.digest_of(BASE), images.digest_of(TOP)])
        self.assertEqual((image["Config"]["Cmd"], image["Architecture"], image["Created"]), (["/bin/run"], "amd64", "2015-10-01T00:00:00Z"))
        self.assertIn("make b", self.node.varve("history", "--no-trunc", "old/app:1"))
        self.assertIn("link", self.mounted_tree("old/app:1"))
        self.node.varve("rmi", "old/app:1", "old/app:2")
        self.assertIn("old/app:1", self.node.varve("pull", f"docker-archive:{self.file}:old/app:1"))

    def test_an_archive_of_docker_before_1_10_that_leads_nowhere_is_refused(self):
        name, top = {"app": {"1": "b" * 64}}, ("b" * 64, "a" * 64, TOP, {})
        self.assert_refused(ancient_archive(name, top), "a" * 64 + "/json is missing")
        self.assert_refused(ancient_archive(name, top, ("a" * 64, "b" * 64, BASE, {})), "circle")
        self.assert_refused(ancient_archive(name, ("b" * 64, "../" * 21 + "x", TOP, {})), "no id of a layer")
        self.assert_refused(ancient_archive({"app": {"1": 5}}, top), "repositories")
        self.assert_refused(ancient_archive({"app": "1"}, top), "repositories")
        self.file.write_bytes(ancient_archive(name, ("b" * 64, "", gzip.compress(TOP), {})))
        self.assertIn("diff ID mismatch", self.node.refusal("load", "-i", str(self.file)))
        self.assertEqual(self.ids(), set())

    def test_what_skopeo_and_podman_write_is_the_image_that_it_was(self):
        layout = images.write_layout(self.app, self.node.directory / "layout")
        for kind, name in (("docker-archive", "example.org/app:1"), ("oci-archive", "1"), ("oci-archive", None)):
            with self.subTest(f"{kind} {name}"):
                archive = self.node.directory / (f"{kind}.tar" if name else f"{kind}-nameless.tar")
                self.tool("skopeo", "copy", "--quiet", layout, f"{kind}:{archive}" + (f":{name}" if name else ""))
                self.node.varve("load", "-i", str(archive))
                self.assertEqual(self.ids(), {identity_of(self.app)})
                self.forget()
                said = self.node.varve("pull", "-q", f"{kind}:{archive}" + (f":{name}" if name else ""))
                self.assertTrue(said.startswith("example.org/app:1" if kind == "docker-archive" else "localhost/oci-archive"), said)
                self.assertEqual(self.ids(), {identity_of(self.app)})
                self.forget()
        for form in ("docker-archive", "oci-archive"):
            loaded = self.podman("load", "-q", "-i", str(self.node.directory / f"{form}.tar")).split()[-1]
            saved = self.node.directory / f"podman-{form}.tar"
            self.podman("save", "-q", "--format", form, "-o", str(saved), loaded)
            self.podman("rmi", loaded)
            self.node.varve("load", "-i", str(saved))
            self.assertEqual(self.ids(), {identity_of(self.app)})
            self.forget()

    def test_a_directory_with_a_layout_is_loaded_too(self):
        layout = images.write_layout(self.app, self.node.directory / "layout").removeprefix("oci:")
        self.assertEqual(self.node.varve("load", "-i", layout), f"Loaded image ID: {identity_of(self.app)}\n")

    def test_of_several_images_one_is_pulled_by_its_name(self):
        self.file.write_bytes(docker_archive((self.app, ["app:1"], [BASE, TOP]), (self.other, ["other:1"], [BASE, OTHER])))
        self.assertIn("2 images", self.node.refusal("pull", f"docker-archive:{self.file}"))
        self.assertIn("no image named app:2", self.node.refusal("pull", f"docker-archive:{self.file}:app:2"))
        self.node.varve("pull", f"docker-archive:{self.file}:other:1")
        self.assertEqual(self.ids(), {identity_of(self.other)})

    # -- bad input

    def assert_refused(self, data, *texts):
        self.file.write_bytes(data)
        said = self.node.refusal("load", "-i", str(self.file))
        for text in (str(self.file), *texts):
            self.assertIn(text, said)
        self.assertEqual(self.node.varve("images", "-aq"), "")

    def assert_layer_refused(self, data, *texts):
        self.file.write_bytes(data)
        said = self.node.refusal("load", "-i", str(self.file))
        for text in ("load: ", "layer sha256:", *texts):
            self.assertIn(text, said)
        self.assertEqual(self.node.varve("images", "-aq"), "")

    def test_what_is_no_archive_is_refused_by_name(self):
        self.assert_refused(b"no tar at all\n" * 100, "not a tar archive")
        self.assert_refused(b"", "empty")
        self.assert_refused(gzip.compress(b"no tar at all\n" * 100), "not a tar archive")
        self.assert_refused(OTHER, "no index.json, manifest.json or repositories")
        self.assert_refused(images.tar(member("repositories", b"{}")), "no images")
        self.assert_refused(images.tar(member("manifest.json", b"[{]")), "manifest.json", "not JSON")
        self.assert_refused(images.tar(member("manifest.json", b"{}")), "manifest.json", "not a JSON list")
        self.assert_refused(images.tar(member("manifest.json", b"[]")), "no images")
        self.assertIn("nowhere", self.node.refusal("load", "-i", str(self.node.directory / "nowhere")))

    def test_a_truncated_archive_is_refused_wherever_it_ends(self):
        data = docker_archive((self.app, ["app:1"], [BASE, TOP]))
        packed = gzip.compress(data)
        for whole in (data, packed):
            for part in (0.2, 0.5, 0.9):
                with self.subTest(part=part, gzip=whole is packed):
                    self.assert_refused(whole[:int(len(whole) * part)])

    def test_layers_that_are_missing_swapped_or_too_few_are_told(self):
        self.assert_refused(docker_archive((self.app, ["app:1"], [BASE, "../nowhere/layer.tar"])), "is missing")
        self.assert_layer_refused(docker_archive((self.app, ["app:1"], [TOP, BASE])), images.digest_of(BASE), "mismatch")
        self.assert_layer_refused(docker_archive((self.app, ["app:1"], [gzip.compress(OTHER), TOP])), "diff ID mismatch")
        self.assert_refused(docker_archive((self.app, ["app:1"], [BASE])), "lists 1 layers", "2 diff IDs")

    def test_a_layout_whose_blobs_are_renamed_or_missing_is_refused(self):
        for name in (images.digest_of(self.app.manifest), identity_of(self.app), self.app.layers[1]):
            for change in ("missing", "renamed"):
                with self.subTest(name=name, change=change):
                    layout = self.node.directory / f"{name[7:19]}{change}"
                    images.write_layout(self.app, layout)
                    blob = layout / "blobs" / "sha256" / name[7:]
                    blob.unlink()
                    if change == "renamed":
                        blob.write_bytes((layout / "blobs" / "sha256" / self.app.layers[0][7:]).read_bytes())
                    self.tool("tar", "-cf", str(self.file), "-C", str(layout), ".")
                    for source in (self.file, layout):
                        said = self.node.refusal("load", "-i", str(source))
                        self.assertIn(name[7:19], said)
                        self.assertEqual(self.node.varve("images", "-aq"), "")

    def test_no_name_in_an_archive_reaches_the_host(self):
        secret = self.node.directory / "secret"
        secret.write_bytes(config_of(self.app))
        up = "../" * 20 + str(secret)[1:]
        for target in (str(secret), up):
            listed = json.dumps([{"Config": target, "RepoTags": None, "Layers": []}]).encode()
            self.assert_refused(images.tar(member("manifest.json", listed)), "is missing")
            listed = json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": []}]).encode()
            self.assert_refused(images.tar(link("c.json", target), member("manifest.json", listed)), "is missing")
            self.assert_refused(docker_archive((self.app, None, [target, TOP])), "is missing")
        loop = images.tar(link("a", "b"), link("b", "a"), member("manifest.json", b'[{"Config": "a", "Layers": []}]'))
        self.assert_refused(loop, "is missing")
        self.assert_refused(docker_archive((self.app, ["no/Such:::name"], [BASE, TOP])), "reference")

    def test_bombs_stop_at_a_limit(self):
        zeros = io.BytesIO()
        with gzip.open(zeros, "wb", 9) as out:
            for _ in range(64):
                out.write(bytes(1 << 20))
        self.assert_refused(bz2.compress(bytes(256 << 20)), "1100 to 1")
        self.assert_refused(gzip.compress(zeros.getvalue()), "1100 to 1")  # one in the other
        self.assert_refused(images.tar(member("manifest.json", b"[" * (5 << 20))), "limit of 4194304 bytes")
        self.assert_refused(docker_archive((self.app, None, [BASE, TOP]), extra=[member("d/" * 4000, b"")]), "4096 bytes")
        self.assert_refused(docker_archive((self.app, None, [BASE, TOP]), extra=[link("l", "d/" * 4000)]), "4096 bytes")
        many = b"".join(tarfile.TarInfo(f"f{number}").tobuf() for number in range(100_001))
        self.assert_refused(many + bytes(1024), "100000 members")

    # -- import

    def test_import_makes_an_image_of_a_tar(self):
        self.file.write_bytes(BASE)
        identity = self.node.varve("import", str(self.file), "rootfs:1", "-m", "made by hand", "-c", "CMD [\"/bin/x\", \"y\"]",
                                   "-c", "ENTRYPOINT run it", "-c", 'ENV A=1 B="two words"', "-c", "env C  three four",
                                   "-c", "EXPOSE 80 90-91/udp", "-c", "LABEL k=v", "-c", "USER 1:2", "-c", 'VOLUME ["/a", "/b"]',
                                   "-c", "WORKDIR /x", "-c", "WORKDIR y", "-c", "STOPSIGNAL SIGINT", "-c", "ONBUILD RUN true").strip()
        self.assertEqual(self.ids(), {identity})
        image = json.loads(self.node.varve("inspect", "rootfs:1"))[0]
        self.assertEqual(image["RootFS"]["Layers"], [images.digest_of(BASE)])
        self.assertEqual(image["Config"], {
            "Cmd": ["/bin/x", "y"], "Entrypoint": ["/bin/sh", "-c", "run it"], "Env": ["A=1", "B=two words", "C=three four"],
            "ExposedPorts": {"80/tcp": {}, "90/udp": {}, "91/udp": {}}, "Labels": {"k": "v"}, "User": "1:2",
            "Volumes": {"/a": {}, "/b": {}}, "WorkingDir": "/x/y", "StopSignal": "SIGINT", "OnBuild": ["RUN true"]})
        self.assertIn("made by hand", self.node.varve("history", "rootfs:1"))
        self.node.varve("save", "-o", str(self.file), "rootfs:1")
        layout = self.layout_of(f"oci-archive:{self.file}:1")
        self.tool("umoci", "unpack", "--image", f"{layout}:it", str(self.node.directory / "bundle"))
        self.assertEqual(self.mounted_tree("rootfs:1"), self.tree(self.node.directory / "bundle" / "rootfs"))

    def test_import_takes_a_compressed_pipe_and_names_what_it_refuses(self):
        piped = subprocess.run(["varve", "import", "-"], env=self.node.environment, input=lzma.compress(BASE), capture_output=True)
        self.assertEqual(piped.stdout.decode().strip(), *self.ids())
        self.forget()
        self.file.write_bytes(BASE)
        for change, text in (("RUN x", "RUN x"), ("EXPOSE 70000", "no port"), ("ENV A", "without a value"), ("CMD", "no argument"),
                             ('LABEL a="b', "not closed"), ("ONBUILD FROM x", "FROM"), ("CMD [1]", "strings")):
            self.assertIn(text, self.node.refusal("import", str(self.file), "-c", change))
        self.file.write_bytes(images.tar(images.file("../../etc/passwd", b"x")))
        self.assertIn("..", self.node.refusal("import", str(self.file)))
        self.file.write_bytes(b"no tar\n" * 1000)
        self.assertIn("import", self.node.refusal("import", str(self.file)))
        self.assertEqual(self.ids(), set())

    def test_import_fetches_what_is_named_by_a_url(self):
        server = registry.Registry()
        self.addCleanup(server.close)
        server.answer("/roots/base.tar.gz", 200, gzip.compress(BASE))
        self.node.varve("import", f"http://{server.host}/roots/base.tar.gz", "fetched:1")
        image = json.loads(self.node.varve("inspect", "fetched:1"))[0]
        self.assertEqual(image["RootFS"]["Layers"], [images.digest_of(BASE)])
        self.assertIn("404", self.node.refusal("import", f"http://{server.host}/roots/absent.tar"))
        server.answer("/empty.tar", 200, b"")
        self.assertIn("empty", self.node.refusal("import", f"http://{server.host}/empty.tar"))
        self.assertIn("refused", self.node.refusal("import", f"http://127.0.0.1:{registry.free_port()}/x.tar"))


if __name__ == "__main__":
    unittest.main()
