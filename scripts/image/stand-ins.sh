#!/bin/sh
# Makes the images that docker-compose.yml takes from a registry, where none can be asked, out of Debian's own packages
# of the same programs: scripts/image/stand-ins.sh   (as root, with Debian's packages buildah and mmdebstrap)
# There is none for Grafana, which Debian does not have.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nameOf() { sed -n "s|^ *image: \(\(.*/\)\{0,1\}$1:.*\)\$|docker.io/\1|p" "$here/../../docker-compose.yml" | sed 's|docker.io/\([^/]*\)$|docker.io/library/\1|'; }

set -- --variant=minbase --include=nginx-light,redis-server,redis-tools,prometheus,curl,wget
for file in /etc/apt/apt.conf.d/*; do
  case $file in *proxy* | *registry*) set -- "$@" "--aptopt=$file" ;; esac
done
# The suite with an nginx of at least 1.27.3.
mmdebstrap "$@" forky "$work/root.tar"

build() {
  cat > "$work/Dockerfile"
  "$here/engine.sh" buildah build --format docker --layers --tag "$(nameOf "$1")" "$work"
}
build nginx <<'END'
FROM scratch
ADD root.tar /
CMD ["nginx", "-g", "daemon off;"]
END
build redis <<'END'
FROM scratch
ADD root.tar /
RUN mkdir -p /data && chown 999:999 /data
WORKDIR /data
CMD ["redis-server"]
END
build prometheus <<'END'
FROM scratch
ADD root.tar /
RUN mkdir -p /prometheus && chown 65534:65534 /prometheus
USER 65534:65534
ENTRYPOINT ["/usr/bin/prometheus"]
END
