"""The row `hosting` of benchmarks/peers/run: varve as a registry beside docker-registry, both on loopback and without TLS.

skopeo pushes and pulls the large image, alone and eight at once, each to a repository of its own; the eight know from the first push
that the blobs are there, and mount them. A pull comes while varve takes in, behind the push, what was pushed. wrk then asks for one manifest, its
config, 64 KiB of a layer and the largest layer, over 1, 16 and 128 connections of which each asks again as soon as it is answered.
"""
import concurrent.futures, json, os, re, shutil, signal, subprocess, sys, time, urllib.request

CLIENTS = 1, 8
CONNECTIONS = 1, 16, 128
SECONDS = 3  # that wrk asks
RANGE_BYTES = 64 << 10


def sh(*command, **kwargs):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)
    if done.returncode != 0:
        sys.exit(f"hosting: {' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class VarveHub:
    name = "varve"

    def __init__(self, binary, scratch, port):
        self.binary, self.root, self.address = binary, f"{scratch}/hub", f"127.0.0.1:{port}"

    def varve(self, *arguments):
        return sh(self.binary, *arguments, env=dict(os.environ, VARVE_ROOT=self.root))

    def start(self):
        os.makedirs(self.root)
        with open(f"{self.root}/cached.toml", "w") as out:
            out.write(f'[registry]\nlisten = "{self.address}"\n')
        self.varve("system", "start")
        self.pid = int(open(f"{self.root}/run/cached.pid").read())

    def stop(self):
        if os.path.exists(self.root):
            self.varve("system", "stop", "--force")
            shutil.rmtree(self.root)


class DockerRegistry:
    name = "docker-registry"

    def __init__(self, scratch, port):
        self.root, self.address, self.process = f"{scratch}/hub-of-docker", f"127.0.0.1:{port}", None

    def start(self):
        os.makedirs(self.root)
        config = f"{self.root}/config.yml"
        with open(config, "w") as out:
            out.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                      f"storage: {{filesystem: {{rootdirectory: {self.root}/data}}, cache: {{blobdescriptor: inmemory}}}}\n"
                      f"http: {{addr: {self.address}}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        for _ in range(100):
            try:
                return urllib.request.urlopen(f"http://{self.address}/v2/").read()
            except OSError:
                time.sleep(0.1)
        sys.exit("hosting: docker-registry does not answer")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None
        shutil.rmtree(self.root, ignore_errors=True)


def peak_rss_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1e3


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def wrk(url, connections, *headers):
    """Requests a second, bytes a second, and the median and 99th percentile of the time to an answer in ms."""
    options = [word for header in headers for word in ("-H", header)]
    said = sh("wrk", "-t", str(min(connections, 2)), "-c", str(connections), "-d", f"{SECONDS}s", "--latency", *options, url)
    if re.search(r"Non-2xx|Socket errors", said):
        sys.exit(f"hosting: {url}\n{said}")
    number, unit = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", said).groups()
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), float(number) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[unit],
            *(milliseconds(re.search(rf"{share}%\s+(\S+)", said)[1]) for share in (50, 99)))


class Hosting:
    def __init__(self, binary, images, scratch, ports, table):
        self.layout, self.scratch, self.table = f"oci:{images}/oci/large:latest", scratch, table
        self.hubs = [VarveHub(binary, scratch, ports[0]), DockerRegistry(scratch, ports[1])]

    def at_once(self, clients, action):
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(clients) as callers:
            list(callers.map(action, range(clients)))
        return time.monotonic() - start

    def push_and_pull(self, hub):
        for clients in CLIENTS:
            name = lambda client: f"docker://{hub.address}/bench/of-{clients}-{client}:1"
            push = lambda client: sh("skopeo", "copy", "-q", "--dest-tls-verify=false", self.layout, name(client))
            pull = lambda client: sh("skopeo", "copy", "-q", "--src-tls-verify=false", name(client), f"dir:{self.scratch}/out-{client}")
            who = f"{clients} skopeo" if clients > 1 else "skopeo"
            self.table.add(f"push to the registry by {who}, s", hub.name, self.at_once(clients, push))
            self.table.add(f"pull from the registry by {who}, s", hub.name, self.at_once(clients, pull))
            for client in range(clients):
                shutil.rmtree(f"{self.scratch}/out-{client}")

    def ask(self, hub):
        base = f"http://{hub.address}/v2/bench/of-1-0"
        accept = "Accept: application/vnd.oci.image.manifest.v1+json"
        manifest = json.load(urllib.request.urlopen(urllib.request.Request(f"{base}/manifests/1", headers=dict([accept.split(": ")]))))
        layer = max(manifest["layers"], key=lambda layer: layer["size"])
        for connections in CONNECTIONS:
            over = f"over {connections} connection{'s' if connections > 1 else ''}"
            requests, _, median, slow = wrk(f"{base}/manifests/1", connections, accept)
            self.table.add(f"manifests a second {over}", hub.name, requests)
            self.table.add(f"a manifest {over}, median ms", hub.name, median)
            self.table.add(f"a manifest {over}, 99th percentile ms", hub.name, slow)
            self.table.add(f"configs a second {over}", hub.name, wrk(f"{base}/blobs/{manifest['config']['digest']}", connections)[0])
            self.table.add(f"64 KiB of a layer, a second {over}", hub.name,
                           wrk(f"{base}/blobs/{layer['digest']}", connections, f"Range: bytes=1000000-{1000000 + RANGE_BYTES - 1}")[0])
        self.table.add("a layer over 1 connection, MB/s", hub.name, wrk(f"{base}/blobs/{layer['digest']}", 1)[1] / 1e6)
        self.table.add("the registry's peak RSS under all of this, MB", hub.name, peak_rss_mb(hub.pid))

    def measure(self, runs):
        for _ in range(runs):
            for hub in self.hubs:
                hub.start()
                self.push_and_pull(hub)
                self.ask(hub)
                hub.stop()

    def stop(self):
        for hub in self.hubs:
            hub.stop()
