#!/usr/bin/env bash
# Starts a Flink container as the official image does: what packages and users rely on of it, no more.
#   jobmanager | taskmanager | standalone-job | history-server | help | COMMAND…
# Read from the environment:
#   FLINK_PROPERTIES                   options, `key: value` a line; ${VARIABLES} in them are replaced
#   ENABLE_BUILT_IN_PLUGINS            jars of opt/ that become plugins, divided by semicolons
#   JOB_MANAGER_RPC_ADDRESS            jobmanager.rpc.address
#   TASK_MANAGER_NUMBER_OF_TASK_SLOTS  taskmanager.numberOfTaskSlots
#   DISABLE_JEMALLOC                   `true`: the C library's own allocator
set -euo pipefail

home=${FLINK_HOME:-/opt/flink}
conf=${FLINK_CONF_DIR:-$home/conf}

fail() { echo "docker-entrypoint.sh: $*" >&2; exit 1; }

# Each of the jars gets a folder of its own in plugins/, and with it a class loader of its own.
enable_plugins() {
  local jars jar
  IFS=';' read -ra jars <<<"${ENABLE_BUILT_IN_PLUGINS:-}"
  for jar in ${jars[@]+"${jars[@]}"}; do
    if [ -z "$jar" ]; then continue; fi
    [ -f "$home/opt/$jar" ] || fail "ENABLE_BUILT_IN_PLUGINS: there is no $home/opt/$jar"
    mkdir -p "$home/plugins/${jar%.jar}"
    ln -fs "$home/opt/$jar" "$home/plugins/${jar%.jar}/$jar"
    echo "plugin enabled: $jar" >&2
  done
}

# The file that Flink reads: config.yaml since 1.19, flink-conf.yaml where only that is there.
config_file() {
  if [ ! -e "$conf/config.yaml" ] && [ -e "$conf/flink-conf.yaml" ]; then echo "$conf/flink-conf.yaml"; else echo "$conf/config.yaml"; fi
}

# A mounted ConfigMap cannot be written, nor can a file in it be replaced: then a copy of the folder is.
conf_is_writable() {
  local file; file=$(config_file)
  [ -w "$conf" ] && { [ -w "$file" ] || [ ! -e "$file" ]; }
}

make_conf_writable() {
  if conf_is_writable; then return; fi
  local copy; copy=$(mktemp -d "${TMPDIR:-/tmp}/flink-conf.XXXXXX") || fail "$conf cannot be written, and no copy of it be made"
  cp -rL "$conf/." "$copy/"; chmod -R u+w "$copy"
  conf=$copy; export FLINK_CONF_DIR=$conf
}

# Sets options, `key: value` a line of the argument. They go to the end, where they win over the nested form of the same key; the same
# flat key must not be there twice.
set_options() {
  local options=$1 file
  if [ -z "${options//[[:space:]]/}" ]; then return; fi
  make_conf_writable; file=$(config_file); touch "$file"
  options=$options awk '
    function key(line) { sub(/:.*/, "", line); return line }
    BEGIN {
      count = split(ENVIRON["options"], lines, "\n")
      for (i = 1; i <= count; i++) if (lines[i] ~ /^[^[:space:]#:]+:/) last[key(lines[i])] = i
    }
    !($0 ~ /^[^[:space:]#:]+:[[:space:]]*[^[:space:]]/ && key($0) in last)
    END {
      for (i = 1; i <= count; i++) if (!(lines[i] ~ /^[^[:space:]#:]+:/) || last[key(lines[i])] == i) print lines[i]
    }' "$file" >"$conf/.configuration.new"
  cat "$conf/.configuration.new" >"$file"; rm "$conf/.configuration.new"
}

# All that the environment asks for.
options() {
  local address=${JOB_MANAGER_RPC_ADDRESS:-}
  # The image's own configuration names nobody; one that was mounted is taken at its word.
  if [ -z "$address" ] && [ "$conf" = "$home/conf" ] && conf_is_writable; then address=$(hostname -f); fi
  if [ -n "$address" ]; then printf 'jobmanager.rpc.address: %s\nblob.server.port: 6124\n' "$address"; fi
  if [ -n "${TASK_MANAGER_NUMBER_OF_TASK_SLOTS:-}" ]; then echo "taskmanager.numberOfTaskSlots: $TASK_MANAGER_NUMBER_OF_TASK_SLOTS"; fi
  if [ -n "${FLINK_PROPERTIES:-}" ]; then envsubst <<<"$FLINK_PROPERTIES"; fi
}

use_jemalloc() {
  local library; library=$(echo /usr/lib/*/libjemalloc.so.2)
  if [ "${DISABLE_JEMALLOC:-false}" != true ] && [ -e "$library" ]; then export LD_PRELOAD=${LD_PRELOAD:+$LD_PRELOAD:}$library; fi
}

# Becomes one of Flink's programs.
start() {
  local program=$1; shift
  enable_plugins
  set_options "$(options)"
  use_jemalloc
  exec "$home/bin/$program" start-foreground "$@"
}

case "${1:-help}" in
  jobmanager) start jobmanager.sh "${@:2}" ;;
  taskmanager) start taskmanager.sh "${@:2}" ;;
  standalone-job) start standalone-job.sh "${@:2}" ;;
  history-server) start historyserver.sh "${@:2}" ;;
  help) echo "usage: docker-entrypoint.sh jobmanager | taskmanager | standalone-job | history-server | help | COMMAND…" ;;
  *) exec "$@" ;;
esac
