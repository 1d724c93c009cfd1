"""Images that tests make up: layers as tars, compressed or not, with a manifest and a config that fit, or not."""

import dataclasses
import gzip
import hashlib
import io
import json
import pathlib
import re
import shutil
import subprocess
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file(name, content=b"", mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    return entry, content


def entry_of(name, kind, target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, target, 0o755
    return entry, b""


def directory(name):
    return entry_of(name, tarfile.DIRTYPE)


def symlink(name, target):
    return entry_of(name, tarfile.SYMTYPE, target)


def hard_link(name, target):
    return entry_of(name, tarfile.LNKTYPE, target)


def tar(*entries):
    """A PAX tar of entries as the functions above make them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def programs(*names):
    """Entries of this machine's programs with the libraries that they need."""
    entries = {}
    for name in names:
        path = shutil.which(name)
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        entries[f"bin/{name}"] = pathlib.Path(path).read_bytes()
        for library in re.findall(r"/\S+", linked):
            entries[library[1:]] = pathlib.Path(library).read_bytes()
    return [file(name, content, mode=0o755) for name, content in entries.items()]


@dataclasses.dataclass
class Image:
    manifest: bytes
    blobs: dict  # digest → bytes: config and layers
    layers: list  # digests, lowest first


def image(*tars, diff_ids=None, blobs=None, compress=True, history=None):
    """An image of these layers. `diff_ids` and `blobs` (compressed layers) stand in for what would fit."""
    blobs = blobs or [gzip.compress(data, 1, mtime=0) if compress else data for data in tars]
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids or [digest_of(data) for data in tars]},
    } | ({"history": history} if history else {})).encode()
    layer_type = LAYER + ("+gzip" if compress else "")
    descriptor = lambda data, kind: {"mediaType": kind, "digest": digest_of(data), "size": len(data)}
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(config, CONFIG),
        "layers": [descriptor(blob, layer_type) for blob in blobs],
    }).encode()
    return Image(manifest, {digest_of(data): data for data in [config, *blobs]}, [digest_of(blob) for blob in blobs])


def write_layout(made, path):
    """Writes an image as an OCI layout; `varve pull oci:PATH` takes it."""
    path = pathlib.Path(path)
    (path / "blobs" / "sha256").mkdir(parents=True)
    for digest, data in [*made.blobs.items(), (digest_of(made.manifest), made.manifest)]:
        (path / "blobs" / "sha256" / digest.removeprefix("sha256:")).write_bytes(data)
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": MANIFEST, "digest": digest_of(made.manifest), "size": len(made.manifest)}]}))
    return f"oci:{path}"
