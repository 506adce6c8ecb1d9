#!/bin/sh
# Builds the base image of the Dockerfile, for machines that reach no registry of images: scripts/image/base.sh NAME
# It has what a build needs of the official image: minimal Debian, Node 24 and npm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
name=$1
suite=$(echo "$name" | sed -n 's|.*:24-\([a-z]*\)-slim$|\1|p')
case $(uname -m) in
  x86_64) architecture=x64 ;;
  aarch64) architecture=arm64 ;;
  *) echo "base.sh: npm has no Node for $(uname -m)" >&2; exit 1 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Certificates that this machine trusts, such as that of a proxy.
certificates=/etc/ssl/certs/ca-certificates.crt
set -- --variant=minbase
if [ -d /usr/local/share/ca-certificates ] && [ -f "$certificates" ]; then
  set -- "$@" --include=ca-certificates \
    "--customize-hook=cp $certificates \"\$1/etc/ssl/certs/\""
fi
for file in /etc/apt/apt.conf.d/*; do
  case $file in *proxy* | *registry*) set -- "$@" "--aptopt=$file" ;; esac
done
mmdebstrap "$@" "$suite" "$work/root.tar"

(cd "$work" && npm pack --silent "node-linux-$architecture@24" npm@11 > /dev/null)
mkdir "$work/node" "$work/npm"
tar -xzf "$work"/node-linux-*.tgz -C "$work/node"
tar -xzf "$work"/npm-*.tgz -C "$work/npm"

cat > "$work/Dockerfile" <<'END'
FROM scratch
ADD root.tar /
COPY node/package/bin/node /usr/local/bin/node
COPY npm/package /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && \
    chmod +x /usr/local/lib/node_modules/npm/bin/npm-cli.js && \
    useradd --uid 1000 --user-group --shell /bin/bash --create-home node
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
CMD ["node"]
END
"$here/engine.sh" buildah build --format docker --tag "$name" "$work"
