"""Registries on loopback: one that misbehaves as a test tells it to, and a real docker-registry."""

import base64
import http.server
import pathlib
import socket
import ssl
import subprocess
import threading
import time

import images


class Registry:
    """Serves images of images.py under repository names; any path can be made to answer something else."""

    def __init__(self, login=None, certificate=None):
        self._answers = {"/v2/": (200, "application/json", b"{}")}
        self.asked = []  # paths, in order
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.asked.append(self.path)
                if login and self.headers["Authorization"] != "Basic " + base64.b64encode(login.encode()).decode():
                    return self._send(401, "application/json", b"{}", ("WWW-Authenticate", 'Basic realm="test"'))
                answer = registry._answers.get(self.path, (404, "application/json", b'{"errors":[]}'))
                if callable(answer):
                    answer(self)
                else:
                    self._send(*answer)

            def _send(self, status, kind, body, *headers):
                self.send_response(status)
                for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *headers]:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):  # a client that goes away is part of the tests
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def publish(self, name, image):
        """Its reference."""
        self.answer(f"/v2/{name}/manifests/latest", 200, image.manifest, images.MANIFEST)
        for digest, data in image.blobs.items():
            self.answer(f"/v2/{name}/blobs/{digest}", 200, data)
        return f"{self.host}/{name}:latest"

    def answer(self, path, status, body, kind="application/octet-stream"):
        self._answers[path] = (status, kind, body)

    def act(self, path, action):
        """`action` gets the request handler."""
        self._answers[path] = action

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class BreakingProxy:
    """Passes TCP on to a server, and closes the first `times` connections that have sent it more than `after_bytes`."""

    def __init__(self, server, after_bytes, times):
        self._server, self._after_bytes, self._times, self.broken = server.split(":"), after_bytes, times, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection((self._server[0], int(self._server[1])))
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source, target, may_break):
        sent = 0
        try:
            while data := source.recv(65536):
                target.sendall(data)
                sent += len(data)
                if may_break and sent > self._after_bytes and self.broken < self._times:
                    self.broken += 1
                    break
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()

    def close(self):
        self._listener.close()


def certificate(directory):
    """A self-signed certificate for 127.0.0.1, with its key, as one PEM file."""
    pem = pathlib.Path(directory) / "registry.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(pem), "-out",
                    f"{pem}.crt"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + pathlib.Path(f"{pem}.crt").read_text())
    return str(pem)


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def start_docker_registry(node, name="registry", readonly=False):
    """host:port of an empty one, which ends with the node."""
    host = f"127.0.0.1:{free_port()}"
    config = node.directory / f"{name}.yml"
    config.write_text(f'version: 0.1\nstorage: {{filesystem: {{rootdirectory: {node.directory}/{name}}}, '
                      f'maintenance: {{readonly: {{enabled: {str(readonly).lower()}}}}}}}\n'
                      f'http: {{addr: "{host}"}}\n')
    node.start("docker-registry", "serve", str(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while node.run("curl", "-fs", f"http://{host}/v2/").returncode != 0:
        if time.monotonic() > deadline:
            raise AssertionError("docker-registry does not answer")
        time.sleep(0.05)
    return host
