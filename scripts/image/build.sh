#!/bin/sh
# Builds the image: scripts/image/build.sh [NAME]   (by default sardonyx:VERSION)
#
# Uses docker if its engine runs. Otherwise uses buildah without a registry of images: base.sh builds the base image from
# Debian's packages and from Node in npm. That needs root, and Debian's packages buildah and mmdebstrap.
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
name=${1:-sardonyx:$version}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
set -- --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created" --tag "$name" .

if docker info > /dev/null 2>&1; then
  exec docker build "$@"
fi
base=$(sed -n 's/^ARG NODE_IMAGE=//p' Dockerfile)
engine=scripts/image/engine.sh
"$engine" buildah inspect --type image "$base" > /dev/null 2>&1 || scripts/image/base.sh "$base"
exec "$engine" buildah build --format docker --pull-never --network host "$@"
