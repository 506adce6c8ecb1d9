#!/bin/sh
# Runs a command such as `podman run …` or `buildah images` with an image store of this project's own, and with settings
# that need neither systemd nor overlay file systems: scripts/image/engine.sh COMMAND ARGUMENT…
set -eu
store=${SARDONYX_IMAGES:-/var/tmp/sardonyx-images}
mkdir -p "$store"
cat > "$store/storage.conf.$$" <<END
[storage]
driver = "vfs"
runroot = "$store/run"
graphroot = "$store/graph"
END
cat > "$store/containers.conf.$$" <<END
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
END
mv "$store/storage.conf.$$" "$store/storage.conf"
mv "$store/containers.conf.$$" "$store/containers.conf"
export CONTAINERS_STORAGE_CONF="$store/storage.conf" CONTAINERS_CONF="$store/containers.conf" BUILDAH_ISOLATION=chroot
exec "$@"
