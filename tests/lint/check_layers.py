#!/usr/bin/env python3
"""Fails when a source file includes what its layer may not use (docs/architecture.md).

usage: check_layers.py [--self-test]      prints a line "file:line: ..." for each breach; exit 1 if there is one
Reads #include lines only. tests/ and benchmarks/ may use everything.
"""
import re
import sys
from pathlib import Path

BASE = {"base"}
PURE = BASE | {"content"}
ALLOWED = {  # layer: the layers that it may include, beside itself
    "base": set(),
    "http": BASE,
    "content": BASE,
    "proto": BASE,
    "oci": PURE,
    "pack": PURE,
    "tree": PURE,
    "store": PURE | {"pack", "tree"},
    "ingest": PURE | {"store", "tree", "oci"},
    "registry": PURE | {"oci"},
    "transfer": PURE | {"registry", "ingest", "store", "tree", "oci"},
    "distribution": PURE | {"transfer", "ingest", "store", "tree", "oci"},
    "server": PURE | {"http", "distribution", "transfer", "registry", "ingest", "store", "pack", "tree", "oci", "proto"},
    "client": PURE | {"proto", "oci"},
    "fuse": PURE | {"client", "tree", "pack"},
    "cli": PURE | {"client", "oci", "tree"},
}
ALLOWED["main"] = set(ALLOWED) - {"fuse", "cli", "client"}  # cached/main.cc: wiring
ALLOWED_HEADERS = {"cli": {"cached/ingest/tar_writer.h"}}  # beyond the table, one by one
CONFINED = {  # header: where it may be included
    r"rocksdb/": r"cached/store/[^/]+\.cc",
    r"boost/": r"cached/http/.+",
    r"curl/": r"cached/registry/[^/]+\.cc",
    r"grpc(pp)?/": r"(proto|cached/server|cached/client)/.+",
    r"fuse3/|fuse(_|\.h)": r"fuse/.+",
    r"prometheus/": r"cached/server/metrics\.(h|cc)",
    r"archive(_entry)?\.h": r"cli/archive/.+",
    r"nlohmann/|.+_json\.h": r".+_json\.(cc|h)",
    r"toml\+\+/": r"cached/config_values\.h",
    r"cached/config_values\.h": r"cached/config[^/]*\.cc",
}
INCLUDE = re.compile(r'\s*#\s*include\s*["<]([^">]+)[">]')


def layer_of(path):
    """The layer of a path relative to the root, or None where the table does not apply."""
    parts = path.split("/")
    if parts[0] in ("fuse", "cli", "proto"):
        return parts[0]
    if parts[0] != "cached" or len(parts) < 2:
        return None
    return parts[1] if len(parts) > 2 else "main"


def breach(path, header):
    """What is wrong with `path` including `header`, or None."""
    for confined, place in CONFINED.items():
        if re.match(confined, header) and not re.fullmatch(place, path):
            return f"<{header}> belongs into {place} only"
    source, target = layer_of(path), layer_of(header)
    if target is None or target == source:
        return None
    if source not in ALLOWED or target not in ALLOWED:
        return f"layer {source if source not in ALLOWED else target} is not in the table of check_layers.py"
    if target in ALLOWED[source] or header in ALLOWED_HEADERS.get(source, ()):
        return None
    return f"{source} may not include {target} ({header})"


def breaches(root):
    for top in ("cached", "fuse", "cli"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cc"):
                continue
            path = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text().splitlines(), 1):
                include = INCLUDE.match(line)
                what = include and breach(path, include[1])
                if what:
                    yield f"{path}:{number}: {what}"


def self_test():
    assert breach("cached/base/fs.cc", "cached/content/digest.h") == "base may not include content (cached/content/digest.h)"
    assert breach("cached/content/codec.cc", "cached/base/bytes.h") is None
    assert breach("cached/store/index.cc", "rocksdb/db.h") is None
    assert breach("cached/store/index.h", "rocksdb/db.h")
    assert breach("cached/server/v2/routes.cc", "boost/asio/post.hpp")
    assert breach("cached/http/server.cc", "boost/asio/post.hpp") is None
    assert breach("cached/oci/manifest.cc", "nlohmann/json.hpp")
    assert breach("cached/oci/manifest_json.cc", "nlohmann/json.hpp") is None
    assert breach("cached/oci/manifest.cc", "cached/oci/fields_json.h")
    assert breach("fuse/ops.cc", "fuse3/fuse_lowlevel.h") is None
    assert breach("cli/build/snapshot.cc", "cached/ingest/tar_writer.h") is None
    assert breach("cli/build/snapshot.cc", "cached/ingest/tar_reader.h")
    assert breach("cached/main.cc", "cached/server/server.h") is None
    assert breach("cli/commands/load.cc", "archive.h")
    assert breach("cached/config.h", "cached/config_values.h")
    assert breach("cached/config_registry.cc", "cached/config_values.h") is None
    assert breach("cached/new_folder/x.cc", "cached/base/fs.h") == "layer new_folder is not in the table of check_layers.py"


if __name__ == "__main__":
    self_test()
    found = [] if sys.argv[1:] == ["--self-test"] else list(breaches(Path(__file__).resolve().parents[2]))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
