#!/usr/bin/env bash
# The layer that all Flink images share, Debian with a Java and Flink's user: base.sh OUT writes OUT/layer.tar.
# Needs root, mmdebstrap and a Debian mirror.
set -euo pipefail
out=$1
export TMPDIR=$out/tmp; mkdir "$TMPDIR" # what a killed run leaves is then where the next one removes it
# dev: the container's runtime makes its own, and unpacking device nodes needs rights that not every machine gives.
mmdebstrap --quiet --variant=minbase --skip=output/dev \
  --include=openjdk-17-jre-headless,procps,gettext-base,libjemalloc2 \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --essential-hook='mkdir -p "$1/usr/share/man/man1"' \
  --customize-hook='chroot "$1" groupadd --gid 9999 flink' \
  --customize-hook='chroot "$1" useradd --uid 9999 --gid 9999 --home-dir /opt/flink flink' \
  --customize-hook='mkdir -p "$1/opt/java" && cd "$1/usr/lib/jvm" && ln -s "/usr/lib/jvm/$(ls -d java-17-openjdk-*)" "$1/opt/java/openjdk"' \
  bookworm "$out/layer.tar"
rm -r "$TMPDIR"
