#!/usr/bin/env bash
# The layer with a Flink distribution out of its PyPI packages, laid out as users know it (/opt/flink, user 9999):
# flink.sh OUT VERSION writes OUT/layer.tar. Needs pip and a PyPI index.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); out=$1 version=$2
work=$out/work; mkdir -p "$work/tree/opt/flink"; cd "$work"
pip() { python3 -m pip --quiet --disable-pip-version-check "$@"; }
# The jars: a wheel, or before 2.x a source archive that holds them under deps/.
pip download --no-deps --dest . "apache-flink-libraries==$version"
# The scripts and the configuration: in every platform's wheel the same, and none for every platform.
pip download --no-deps --dest . --only-binary=:all: --python-version 3.10 \
  --platform manylinux1_x86_64 --platform manylinux2014_x86_64 "apache-flink==$version"
for wheel in ./*.whl; do python3 -m zipfile --extract "$wheel" unpacked; done
for archive in ./*.tar.gz; do
  if [ -f "$archive" ]; then tar --extract --gzip --file "$archive" --directory unpacked/pyflink --strip-components=2 --wildcards '*/deps/*'; fi
done
flink=tree/opt/flink
for part in bin conf lib opt plugins licenses; do mv "unpacked/pyflink/$part" "$flink/"; done
# As the official image: reachable from other hosts, and a TaskManager says its own name.
sed -i -E -e 's/^( *(bind-host|bind-address|address)): localhost$/\1: 0.0.0.0/' -e '/^  host: localhost$/d' "$flink/conf/config.yaml"
mkdir -p "$flink/log" "$flink/usrlib"
chmod -R u=rwX,go=rX "$flink"; chmod 755 "$flink"/bin/*
install -m 755 "$here/entrypoint.sh" tree/docker-entrypoint.sh
tar --create --sort=name --mtime=@0 --owner=9999 --group=9999 --numeric-owner --file "$out/layer.tar" --directory tree opt/flink
tar --append --mtime=@0 --owner=0 --group=0 --numeric-owner --file "$out/layer.tar" --directory tree docker-entrypoint.sh
rm -rf "$work"
