#!/usr/bin/env python3
"""varve as a registry: clients that know nothing of it push and pull, and what goes wrong in between loses nothing."""

import concurrent.futures
import http.client
import json
import os
import resource
import socket
import ssl
import subprocess
import unittest

import images
from node import NodeTest

TREE = [images.directory("etc"), images.file("etc/name", b"pushed\n"), images.file("big", os.urandom(300_000)),
        *images.programs("cat")]
GOOD = images.image(images.tar(*TREE))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class HostingTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.layout = images.write_layout(GOOD, self.node.directory / "layout")
        self.access_log = self.node.directory / "access.log"

    def serve(self, more=""):
        self.node.root.mkdir(exist_ok=True)
        (self.node.root / "cached.toml").write_text(
            f'[registry]\nlisten = "{self.host}"\naccess_log = "{self.access_log}"\n{more}')
        self.node.varve("system", "start")

    def ask(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def start_upload(self, repository="test/app"):
        status, headers, _ = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        self.assertEqual(status, 202)
        return headers["Location"]

    def push(self, image, name, tag="1"):
        """As a client does that has no sense of humour: every blob by POST and PUT, then the manifest."""
        for digest, data in image.blobs.items():
            status, _, said = self.ask("PUT", f"{self.start_upload(name)}?digest={digest}", data)
            self.assertEqual(status, 201, said)
        status, _, said = self.ask("PUT", f"/v2/{name}/manifests/{tag}", image.manifest,
                                   {"Content-Type": images.MANIFEST})
        self.assertEqual(status, 201, said)

    def succeed(self, *command, **environment):
        done = self.node.run(*command, **environment)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def pull_with_skopeo(self, name):
        place = self.node.directory / f"pulled-{len(list(self.node.directory.iterdir()))}"
        self.succeed("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{self.host}/{name}", f"dir:{place}")
        return place

    def assert_is_good(self, place):
        self.assertEqual((place / "manifest.json").read_bytes(), GOOD.manifest)
        for digest, data in GOOD.blobs.items():
            self.assertEqual((place / digest.removeprefix("sha256:")).read_bytes(), data)

    # Clients

    def test_skopeo_pushes_lists_inspects_deletes(self):
        self.serve()
        for tag in ("1", "2"):
            self.succeed("skopeo", "copy", "-q", "--dest-tls-verify=false", self.layout, f"docker://{self.host}/test/app:{tag}")
        self.assert_is_good(self.pull_with_skopeo("test/app:2"))
        tags = json.loads(self.succeed("skopeo", "list-tags", "--tls-verify=false", f"docker://{self.host}/test/app"))
        self.assertEqual(tags["Tags"], ["1", "2"])
        self.succeed("skopeo", "delete", "--tls-verify=false", f"docker://{self.host}/test/app:1")
        self.assertEqual(self.ask("GET", "/v2/test/app/tags/list")[2], b'{"name":"test/app","tags":[]}')

    def test_podman_and_buildah_push_and_pull(self):
        self.serve()
        storage = ["--root", f"{self.node.directory}/store", "--runroot", f"{self.node.directory}/run", "--storage-driver", "vfs"]
        self.push(GOOD, "test/app")
        self.succeed("podman", *storage, "pull", "-q", "--tls-verify=false", f"{self.host}/test/app:1")
        self.succeed("podman", *storage, "push", "-q", "--tls-verify=false", f"{self.host}/test/app:1", f"{self.host}/by/podman:1")
        self.succeed("buildah", *storage, "push", "-q", "--tls-verify=false", f"{self.host}/test/app:1",
                     f"docker://{self.host}/by/buildah:1")
        for name in ("by/podman:1", "by/buildah:1"):
            self.assertEqual(self.node.varve("run", "--rm", "--network", "none", f"{self.host}/{name}", "/bin/cat", "/etc/name"), "pushed\n")

    def start_docker(self):
        """Debian's dockerd with roots of its own, and the containerd that it starts; the command line of its client."""
        place = self.node.make_directory("docker")
        (place / "daemon.json").write_text(json.dumps({"deprecated-key-path": f"{place}/key.json"}))  # no option says it
        client = ["/usr/bin/docker", "--host", f"unix://{place}/socket"]
        daemon = self.node.start("/usr/sbin/dockerd", "--host", f"unix://{place}/socket", "--config-file", f"{place}/daemon.json",
                                 "--data-root", f"{place}/data", "--exec-root", f"{place}/exec", "--pidfile", f"{place}/pid",
                                 "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def stop():  # by its own way, so that its containerd ends too
            daemon.terminate()
            daemon.wait(timeout=60)
        self.addCleanup(stop)
        while self.node.run(*client, "version").returncode != 0:
            self.assertIsNone(daemon.poll(), "dockerd has ended")
        return client, f"{place}/exec/containerd/containerd.sock"

    def test_docker_and_containerd_push_and_pull(self):
        self.serve()
        self.push(GOOD, "test/app")
        docker, containerd = self.start_docker()
        self.succeed(*docker, "pull", "-q", f"{self.host}/test/app:1")
        self.succeed(*docker, "tag", f"{self.host}/test/app:1", f"{self.host}/by/docker:1")
        self.succeed(*docker, "push", "-q", f"{self.host}/by/docker:1")
        ctr = ["ctr", "--address", containerd, "--namespace", "test", "images"]
        self.succeed(*ctr, "pull", "--plain-http", f"{self.host}/test/app:1")
        self.succeed(*ctr, "push", "--plain-http", f"{self.host}/by/containerd:1", f"{self.host}/test/app:1")
        self.assert_is_good(self.pull_with_skopeo("by/containerd:1"))
        for name in ("by/docker:1", "by/containerd:1"):
            self.assertEqual(self.node.varve("run", "--rm", "--network", "none", f"{self.host}/{name}", "/bin/cat", "/etc/name"), "pushed\n")

    def test_varve_pulls_runs_and_pushes_what_others_pushed_without_moving_a_layer(self):
        self.serve()
        self.push(GOOD, "test/app")
        self.succeed("varve", "run", "--rm", "--network", "none", f"{self.host}/test/app:1", "/bin/cat", "/etc/name")
        self.node.varve("rmi", f"{self.host}/test/app:1")
        self.access_log.write_text("")
        self.node.varve("pull", f"{self.host}/test/app:1")
        self.assertNotIn(GOOD.layers[0], self.access_log.read_text())
        self.node.varve("tag", f"{self.host}/test/app:1", f"{self.host}/again/app:1")
        self.node.varve("push", f"{self.host}/again/app:1")
        self.assert_is_good(self.pull_with_skopeo("again/app:1"))

    def test_what_was_pushed_can_be_pulled_while_nobody_else_is_reachable(self):
        """A restart forgets nothing, and finishes the chunking that it interrupted."""
        self.serve()
        self.push(GOOD, "test/app")
        self.node.kill("cached")
        self.node.varve("system", "start")
        self.assert_is_good(self.pull_with_skopeo("test/app:1"))
        self.assertEqual(self.node.varve("run", "--rm", "--network", "none", f"{self.host}/test/app:1", "/bin/cat", "/etc/name"), "pushed\n")

    def test_deletes_and_a_prune_give_the_space_back(self):
        self.serve()
        self.push(GOOD, "test/app")
        stored = lambda: json.loads(self.node.varve("system", "df", "--json"))["stored_bytes"]
        full = stored()
        digest = images.digest_of(GOOD.manifest)
        self.node.varve("system", "prune", "-f")
        self.assert_is_good(self.pull_with_skopeo("test/app:1"))
        self.assertEqual(self.ask("DELETE", f"/v2/test/app/manifests/{digest}")[0], 202)
        self.node.varve("system", "prune", "-f")
        self.assertLess(stored(), full - len(GOOD.blobs[GOOD.layers[0]]) // 2)
        self.assertEqual(self.ask("GET", f"/v2/test/app/blobs/{GOOD.layers[0]}")[0], 404)

    def test_blobs_that_no_manifest_names_go_after_their_grace(self):
        self.serve('[gc]\nupload_grace = "0s"\n')
        blob = os.urandom(100_000)
        digest = images.digest_of(blob)
        self.assertEqual(self.ask("PUT", f"{self.start_upload()}?digest={digest}", blob)[0], 201)
        self.node.varve("system", "prune", "-f")
        self.assertEqual(self.ask("GET", f"/v2/test/app/blobs/{digest}")[0], 404)

    # Faults

    def test_a_push_goes_on_where_the_daemon_was_killed(self):
        self.serve()
        self.push(GOOD, "test/app")
        blob = os.urandom(8_000_000)
        digest = images.digest_of(blob)
        upload = self.start_upload()
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(f"PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(blob)}\r\n\r\n".encode() + blob[:5_000_000])
            files = self.node.root / "blobs" / "uploads"
            while not any(entry.stat().st_size >= 4_000_000 for entry in files.iterdir()):
                pass  # the daemon writes what it has read
            self.node.kill("cached")
        self.node.varve("system", "start")
        self.assert_is_good(self.pull_with_skopeo("test/app:1"))
        status, headers, _ = self.ask("GET", upload)
        self.assertEqual(status, 204)
        come = int(headers["Range"].split("-")[1]) + 1
        self.assertGreaterEqual(come, 4_000_000)
        self.assertEqual(self.ask("PUT", f"{upload}?digest={digest}", blob[come:])[0], 201)
        self.assertEqual(self.ask("GET", f"/v2/test/app/blobs/{digest}")[2], blob)

    def test_a_full_disk_is_said_and_what_was_there_stays(self):
        self.node.root.mkdir()
        self.assertEqual(self.node.run("mount", "-t", "tmpfs", "-o", "size=100m", "none", str(self.node.root)).returncode, 0)
        self.serve()
        self.push(GOOD, "test/app")
        blob = os.urandom(120_000_000)
        upload = self.start_upload()
        with concurrent.futures.ThreadPoolExecutor() as threads:
            asked = threads.submit(self.ask, "PUT", f"{upload}?digest={images.digest_of(blob)}", blob)
            try:
                self.assertEqual(asked.result()[0], 507)
            except (BrokenPipeError, ConnectionResetError):  # the answer came while we still sent
                pass
        self.assertEqual(self.ask("GET", f"/v2/test/app/blobs/{images.digest_of(blob)}")[0], 404)
        self.assertEqual(self.ask("DELETE", upload)[0], 204)
        self.assert_is_good(self.pull_with_skopeo("test/app:1"))
        self.push(images.image(images.tar(images.file("more", os.urandom(1_000_000)))), "test/more")

    def test_clients_that_do_nothing_and_garbage_disturb_nobody(self):
        self.serve()
        self.push(GOOD, "test/app")
        connections = min(5000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        idle = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(connections)]
        try:
            for client in idle[:connections // 5]:
                client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n")
            for client in idle[connections // 5:connections // 2]:
                client.sendall(b"GET /v2/ HTT")
            self.assert_is_good(self.pull_with_skopeo("test/app:1"))
        finally:
            for client in idle:
                client.close()

    # Refusals

    def test_other_machines_are_not_served_in_plain_text_unasked(self):
        self.node.root.mkdir()
        (self.node.root / "cached.toml").write_text(f'[registry]\nlisten = "0.0.0.0:{self.port}"\n')
        said = self.node.refusal("system", "start") + self.node.log("cached")
        self.assertIn("registry.insecure = true", said)
        self.assertIn("tls_certificate", said)

    def test_metrics_and_health_are_served(self):
        self.serve()
        self.push(GOOD, "test/app")
        self.assertEqual(self.ask("GET", "/healthz")[::2], (200, b"ok\n"))
        said = self.ask("GET", "/metrics")[2].decode()
        self.assertIn('varve_registry_requests_total{method="PUT",status="201"} 3', said)
        self.assertIn("varve_registry_received_bytes_total", said)

    def test_passwords_are_asked_for_and_never_logged(self):
        self.node.run("htpasswd", "-Bbc", str(self.node.directory / "users"), "user", "very-secret")
        self.serve(f'htpasswd = "{self.node.directory}/users"\n')
        self.assertEqual(self.ask("GET", "/v2/")[0], 401)
        self.assertEqual(self.ask("GET", "/metrics")[0], 401)
        self.succeed("skopeo", "copy", "-q", "--dest-tls-verify=false", "--dest-creds", "user:very-secret", self.layout,
                     f"docker://{self.host}/test/app:1")
        logged = self.access_log.read_text() + self.node.log("cached")
        self.assertIn('"user" "PUT /v2/test/app/manifests/1" 201', logged)
        self.assertNotIn("very-secret", logged)
        self.assertNotIn("dXNlcjp2ZXJ5LXNlY3JldA", logged)

    def test_where_anonymous_reads_users_still_push(self):
        self.node.run("htpasswd", "-Bbc", str(self.node.directory / "users"), "user", "secret")
        self.serve(f'htpasswd = "{self.node.directory}/users"\nanonymous = "read"\n')
        push = ["skopeo", "copy", "-q", "--dest-tls-verify=false", self.layout, f"docker://{self.host}/test/app:1"]
        self.assertNotEqual(self.node.run(*push).returncode, 0)
        self.succeed(*push, "--dest-creds", "user:secret")
        self.assert_is_good(self.pull_with_skopeo("test/app:1"))
        self.node.varve("pull", f"{self.host}/test/app:1")

    def test_tls_is_served_and_plain_text_is_not(self):
        key, certificate = self.node.directory / "key.pem", self.node.directory / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self.serve(f'tls_certificate = "{certificate}"\ntls_key = "{key}"\n')
        context = ssl.create_default_context(cafile=certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        connection.request("GET", "/v2/")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        with self.assertRaises(OSError):
            self.ask("GET", "/v2/")


if __name__ == "__main__":
    unittest.main()
