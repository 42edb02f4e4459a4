#!/usr/bin/env bash
# build.sh FLINK_LIB: compiles WarmUp.java against the jars of a Flink (1.20 and 2.3 give the same classes) and packs
# warm-up.jar. A fixed date and order: the same source and compiler give the same bytes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lib=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
javac --release 11 -Xlint:all,-processing,-classfile,-serial,-path -Werror -d "$work" -cp "$lib/*" "$here/WarmUp.java"
cd "$work"
mapfile -t classes < <(find . -name '*.class' | LC_ALL=C sort)
jar --create --date 2000-01-01T00:00:00Z --file "$here/warm-up.jar" --main-class flink.kubectl.WarmUp "${classes[@]}"
cd "$here"
sha256sum WarmUp.java warm-up.jar >warm-up.sha256
