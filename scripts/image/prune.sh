#!/bin/sh
# Removes files that a server never reads from a folder of dependencies: prune NODE_MODULES
set -eu
modules=$1
architecture=$(node -p process.arch)
# The engine's libraries for other systems and processors.
find "$modules/onnxruntime-node/bin" -mindepth 2 -maxdepth 2 ! -name linux -exec rm -rf {} +
find "$modules/onnxruntime-node/bin" -mindepth 3 -maxdepth 3 ! -name "$architecture" -exec rm -rf {} +
find "$modules" -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '*.md' \) \
  ! -iname 'license*' -delete
find "$modules" -type d \( -name test -o -name tests -o -name benchmark -o -name benchmarks -o -name examples \
  -o -name docs -o -name .github \) -prune -exec rm -rf {} +
find "$modules" -depth -type d -empty -delete
test -s "$modules/onnxruntime-node/bin/"*"/linux/$architecture/onnxruntime_binding.node"
