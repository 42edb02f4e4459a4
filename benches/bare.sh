#!/usr/bin/env bash
# bare.sh OLD JOB NEW CLASS SLOTS: moves a job from one Flink cluster that is up to another: stop and submit by REST, nothing else.
# bare.sh - - NEW CLASS SLOTS: starts it. Prints the id of the job that runs then; the phases on stderr.
source "${BASH_SOURCE%/*}/rest.sh"
old=$1 job=$2 new=$3 class=$4 slots=$5

says "$new" /overview "\"slots-total\":$slots" >/dev/null
rest POST "$new" "/jars/${new}_counter.jar/plan" "$(program "$class")}" >/dev/null
phase 'the new cluster is up and has planned the job once'
path=
if [ "$old" != - ]; then
  path=$(stop "$old" "$job")
  phase 'stopped with a savepoint'
fi
job=$(start "$new" "$class" "$path")
phase 'started'
says "$new" "/jobs/$job" '"state":"RUNNING"' >/dev/null
phase 'running'
printf '%s\n' "$job"
