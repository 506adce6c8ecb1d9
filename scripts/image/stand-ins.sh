#!/bin/sh
# Builds the images of docker-compose.yml from Debian's packages, for machines that reach no registry of images:
# scripts/image/stand-ins.sh   (as root, with Debian's packages buildah and mmdebstrap)
# Grafana is left out, since Debian does not package it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nameOf() { sed -n "s|^ *image: \(\(.*/\)\{0,1\}$1:.*\)\$|docker.io/\1|p" "$here/../../docker-compose.yml" | sed 's|docker.io/\([^/]*\)$|docker.io/library/\1|'; }

set -- --variant=minbase --include=nginx-light,redis-server,redis-tools,prometheus,curl,wget
for file in /etc/apt/apt.conf.d/*; do
  case $file in *proxy* | *registry*) set -- "$@" "--aptopt=$file" ;; esac
done
# The Debian suite must have nginx 1.27.3 or newer.
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
