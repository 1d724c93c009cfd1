#!/usr/bin/env bash
# Acceptance of images in and out as archives, from outside, on real images; in the form of the acceptance scripts, whose lib.sh it uses.
# Debian packages: docker-registry curl skopeo umoci podman jq xz-utils bzip2 zstd python3 util-linux
. "$(dirname "$0")/../../../shared/accept/lib.sh"
id_of() { skopeo inspect --raw --config "oci:$IMAGES/oci/$1:latest" | sha256sum | cut -d' ' -f1; }
ids() { varve images -aq --no-trunc | sort -u; }
has() { ids | grep -qx "sha256:$(id_of "$1")" || { ids; return 1; }; }
forget() { local i; for i in $(ids); do varve rmi -f "$i"; done; varve system prune -f; }
podman_() { podman --root "$scratch/podman/root" --runroot "$scratch/podman/run" --storage-driver vfs --events-backend none "$@"; }

# -- out
for image in debian python torture; do check "pull $image" bash -c "varve pull oci:$IMAGES/oci/$image:latest && varve tag localhost/$image example.org/$image:1 && varve rmi localhost/$image"; done
check "save three images that share a base" varve save -o "$scratch/all.tar" example.org/debian:1 example.org/python:1 example.org/torture:1
check "a layer is there once" bash -c "! tar -tf $scratch/all.tar | sort | uniq -d | grep ."
check "save to a pipe gives the same bytes" bash -c "varve save example.org/debian:1 example.org/python:1 example.org/torture:1 | cmp - $scratch/all.tar"
check "save of an unknown image leaves no file" bash -c "! varve save -o $scratch/none.tar absent && ! ls $scratch/none.tar*"
for image in debian python torture; do
  check "save $image" varve save -o "$scratch/$image.tar" "example.org/$image:1"
  check "skopeo reads $image as an OCI archive, and its id stays" prints "$(id_of $image)" bash -c "skopeo inspect --raw --config oci-archive:$scratch/$image.tar:1 | sha256sum | cut -d' ' -f1"
  check "skopeo reads $image as a docker archive, and its id stays" prints "$(id_of $image)" bash -c "skopeo inspect --raw --config docker-archive:$scratch/$image.tar:example.org/$image:1 | sha256sum | cut -d' ' -f1"
  check "umoci unpacks what was saved of $image to the same tree" bash -c "skopeo copy --quiet oci-archive:$scratch/$image.tar:1 oci:$scratch/layout-$image:1 && umoci unpack --image $scratch/layout-$image:1 $scratch/bundle-$image && $here/treecmp.py --ignore-root $IMAGES/rootfs/$image $scratch/bundle-$image/rootfs"
done
check "podman loads it under its name and id" bash -c "$(declare -f podman_); scratch=$scratch; podman_ load -i $scratch/python.tar && podman_ images -q --no-trunc | grep -qx sha256:$(id_of python)"
podman_ save -q --format docker-archive -o "$scratch/podman-docker.tar" example.org/python:1
podman_ save -q --format oci-archive -o "$scratch/podman-oci.tar" example.org/python:1
skopeo copy --quiet "oci:$IMAGES/oci/torture:latest" "docker-archive:$scratch/skopeo-docker.tar:example.org/torture:2"
skopeo copy --quiet "oci:$IMAGES/oci/torture:latest" "oci-archive:$scratch/skopeo-oci.tar:2"

# -- in
forget >/dev/null 2>&1
check "load says docker's lines" prints $'Loaded image: example.org/debian:1\nLoaded image: example.org/python:1\nLoaded image: example.org/torture:1' varve load -i "$scratch/all.tar"
for image in debian python torture; do
  check "$image has come back with its id" has $image
  check "and is the tree that umoci unpacked" tree "example.org/$image:1" $image
done
check "store verify finds nothing wrong" varve store verify
for archive in podman-docker podman-oci skopeo-docker skopeo-oci; do
  forget >/dev/null 2>&1
  check "load of $archive" varve load -q -i "$scratch/$archive.tar"
  case $archive in podman*) image=python ;; *) image=torture ;; esac
  check "is the image that it was" bash -c "$(declare -f has ids id_of); IMAGES=$IMAGES; has $image"
  check "in its tree too" tree "$(id_of $image)" $image
done
for tool in "gzip -1" "bzip2 -1" "xz -0" "zstd -q"; do
  forget >/dev/null 2>&1
  check "load from a pipe through $tool" bash -c "$tool -c <$scratch/debian.tar | varve load | grep -qx 'Loaded image: example.org/debian:1'"
done
forget >/dev/null 2>&1
check "pull docker-archive:FILE:NAME" prints example.org/torture:2 varve pull -q "docker-archive:$scratch/skopeo-docker.tar:example.org/torture:2"
check "pull oci-archive:FILE:TAG" prints localhost/skopeo-oci:2 varve pull -q "oci-archive:$scratch/skopeo-oci.tar:2"
check "import of a root file system runs" bash -c "tar -C $IMAGES/rootfs/debian -c . | varve import -c 'CMD [\"cat\", \"/etc/debian_version\"]' - rootfs && [ \"\$(varve run --rm rootfs)\" = \"\$(cat $IMAGES/rootfs/debian/etc/debian_version)\" ]"

# -- copies: where bytes stay, digests stay
start_registry; publish python
raw() { skopeo inspect --raw --tls-verify=false "$1"; }
digest=sha256:$(raw "oci:$IMAGES/oci/python:latest" | sha256sum | cut -d' ' -f1)
arrives() { prints "$digest" varve copy -q "$1" "$2" && [ "sha256:$(raw "$2" | sha256sum | cut -d' ' -f1)" = "$digest" ]; }
whole() { rm -rf "$scratch/checked"; skopeo copy --quiet --src-tls-verify=false "$1" "dir:$scratch/checked"; } # skopeo hashes every blob
keeps_id() { varve copy -q "$1" "$2" && skopeo inspect --raw --config --tls-verify=false "$2" | sha256sum | grep -q "^$(id_of python)"; }
stores() { forget; varve copy -q "$1" varve:copied:1 && has python; }
at=docker://$registry/test/python:latest layout=oci:$scratch/copied:1 tar=oci-archive:$scratch/copied.tar:1 docker=docker-archive:$scratch/copied-docker.tar:example.org/copied:1
for target in "docker://$registry/again/python:1" "$layout" "$tar"; do check "copy from a registry to ${target%%:*}, same digest" arrives "$at" "$target"; done
check "copy from a registry to docker-archive, same id" keeps_id "$at" "$docker"
for source in "$layout" "$tar"; do for target in "docker://$registry/from/${source%%:*}:1" "oci:$scratch/from-${source%%:*}:1" "oci-archive:$scratch/from-${source%%:*}.tar:1"; do
  check "copy from ${source%%:*} to ${target%%:*}, same digest" arrives "$source" "$target"
  check "and every blob is what it was" whole "$target"
done; done
for source in "$at" "$layout" "$tar" "$docker"; do check "copy from ${source%%:*} to the store" stores "$source"; done
for target in "docker://$registry/from/store:1" "oci:$scratch/from-store:1" "oci-archive:$scratch/from-store.tar:1" "docker-archive:$scratch/from-store-docker.tar:a/b:1"; do check "copy from the store to ${target%%:*}, same id" keeps_id varve:copied:1 "$target"; done
for target in "docker://$registry/from/docker:1" "oci:$scratch/from-docker:1"; do check "copy from docker-archive to ${target%%:*}, same id" keeps_id "$docker" "$target"; done
check "a list of two images is made, pushed, and copied whole" bash -c "varve manifest create $registry/list:1 $registry/test/python:latest && varve manifest create --amend $registry/list:1 $registry/from/store:1 && varve manifest annotate $registry/list:1 $registry/from/store:1 --arch s390x && pushed=\$(varve manifest push -p $registry/list:1) && [ \$(varve copy -q --all-platforms $registry/list:1 oci:$scratch/list:1) = \$pushed ] && [ \$(jq '.manifests | length' $scratch/list/blobs/sha256/\${pushed#sha256:}) = 2 ]"

# -- bad input
forget >/dev/null 2>&1
head -c 20000000 "$scratch/debian.tar" >"$scratch/cut.tar"
check "a truncated archive is refused" refuses "cut.tar" varve load -i "$scratch/cut.tar"
check "something else is refused" refuses "not a tar" varve load -i /etc/passwd
layer=$(tar -tf "$scratch/debian.tar" | grep blobs/sha256/. | while read -r b; do echo "$(tar -xOf "$scratch/debian.tar" "$b" | wc -c) $b"; done | sort -n | tail -n 1 | cut -d' ' -f2)
check "a missing layer is named" bash -c "tar --delete -f $scratch/debian.tar $layer && ! varve load -i $scratch/debian.tar 2>$scratch/said; grep -q ${layer#blobs/sha256/} $scratch/said"
check "and nothing is half-visible" prints "" varve images -aq
complete=yes
