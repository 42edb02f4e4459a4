#!/usr/bin/env bash
# Packs a job's tally into one text for tests/tally/: record.sh FOLDER JOB > tests/tally/NAME.txt
# Hidden files (in progress) go along: the checker has to leave them out by itself.
set -euo pipefail
cd "$1"
find "emitted/$2" "committed/$2" -type f | LC_ALL=C sort | while read -r file; do
  echo "== $file"
  cat "$file"
  # A killed writer may have left a torn line; the next heading needs one of its own.
  if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then echo; fi
done
