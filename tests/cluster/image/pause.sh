#!/usr/bin/env bash
# The layer of the pause image, one static program: pause.sh OUT writes OUT/layer.tar.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); out=$1
gcc -static -O2 -o "$out/pause" "$here/pause.c"
tar --create --mtime=@0 --owner=0 --group=0 --numeric-owner --file "$out/layer.tar" --directory "$out" pause
