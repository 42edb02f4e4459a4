#!/usr/bin/env bash
# by-hand.sh CLUSTER JOB MANIFESTS CLASS SLOTS
# The order that a person follows by hand to bring out a new version of a job: stop it with a savepoint, apply the changed
# manifests, wait until the new Pods are ready and their slots registered, start it from the savepoint. Prints the id of the
# job that runs then; the phases on stderr.
source "${BASH_SOURCE%/*}/rest.sh"
cluster=$1 job=$2 manifests=$3 class=$4 slots=$5

path=$(stop "$cluster" "$job")
phase 'stopped with a savepoint'
kubectl apply --filename "$manifests" >/dev/null
phase 'manifests applied'
for role in jobmanager taskmanager; do
  kubectl rollout status "deployment/$cluster-$role" --timeout 5m >/dev/null
done
phase 'new Pods ready'
says "$cluster" /overview "\"slots-total\":$slots" >/dev/null
phase 'slots registered'
job=$(start "$cluster" "$class" "$path")
phase 'started from the savepoint'
says "$cluster" "/jobs/$job" '"state":"RUNNING"' >/dev/null
phase 'running'
printf '%s\n' "$job"
