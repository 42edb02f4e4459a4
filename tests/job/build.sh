#!/usr/bin/env bash
# Builds the test job: build.sh OUTDIR [FLINK_VERSION] → OUTDIR/usrlib/counter.jar, two.jar (the same classes, another
# Main-Class). Compiled against 2.3.0 it runs on 1.20 as well, so one build serves every image.
# Flink's jars come from FLINK_LIB (a lib folder that is already there) or else from PyPI, kept in the user's cache folder.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 OUTDIR [FLINK_VERSION]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1/usrlib" && cd "$1/usrlib" && pwd)
version=${2:-2.3.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! command -v javac >/dev/null || ! command -v jar >/dev/null; then
  install="apt-get update && apt-get install -y --no-install-recommends openjdk-17-jdk-headless"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "no JDK: $install" >&2
    (export DEBIAN_FRONTEND=noninteractive; eval "$install") >"$work/apt" 2>&1 || { tail -n 20 "$work/apt" >&2; exit 1; }
  else
    echo "no JDK; as root: $install" >&2
    exit 1
  fi
fi

lib=${FLINK_LIB:-}
if [ -z "$lib" ]; then
  lib=${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-flink/flink-lib-$version
  if [ ! -d "$lib" ]; then
    pip download --quiet --disable-pip-version-check --no-deps -d "$work" "apache-flink-libraries==$version"
    # A wheel from 2.x on, a source archive with the jars under deps/ before.
    for archive in "$work"/*.whl "$work"/*.tar.gz; do
      [ -f "$archive" ] || continue
      python3 - "$archive" "$work/lib" <<'PY'
import os, re, sys, tarfile, zipfile
archive, out = sys.argv[1:]
os.makedirs(out)
def keep(name, read):
    if re.search(r"(^|/)(pyflink|deps)/lib/[^/]+\.jar$", name):
        with open(os.path.join(out, os.path.basename(name)), "wb") as f:
            f.write(read())
if archive.endswith(".whl"):
    with zipfile.ZipFile(archive) as z:
        for name in z.namelist():
            keep(name, lambda: z.read(name))
else:
    with tarfile.open(archive) as t:
        for m in t:
            if m.isfile():
                keep(m.name, lambda: t.extractfile(m).read())
PY
    done
    mkdir -p "$(dirname "$lib")"
    # A rename: a killed run leaves no half of it behind. Another run may have been first.
    mv -T "$work/lib" "$lib" 2>/dev/null || [ -d "$lib" ]
  fi
fi

javac --release 11 -Xlint:all,-processing,-classfile,-serial,-path -Werror -d "$work/classes" -cp "$lib/*" "$here"/src/tally/*.java
# A fixed date and order: the same source gives the same bytes, so caches by hash and recorded digests hold.
cd "$work/classes"
mapfile -t classes < <(find . -name '*.class' | LC_ALL=C sort)
jar --create --date 2000-01-01T00:00:00Z --file "$out/counter.jar" --main-class tally.Counter "${classes[@]}"
jar --create --date 2000-01-01T00:00:00Z --file "$out/two.jar" --main-class tally.Two "${classes[@]}"
