#!/usr/bin/env bash
# The layer with archives of classes (docs/class-data-sharing.md), for JVMs that start quicker: cds.sh OUT LAYER… writes
# OUT/layer.tar. The layers are those of the image that it comes on top of. Needs root.
set -euo pipefail
out=$1; shift
root=$out/root; mkdir "$root"
for layer in "$@"; do tar --extract --numeric-owner --file "$layer" --directory "$root"; done
mkdir -p "$root/proc" "$root/dev"
echo "127.0.0.1 localhost $(hostname)" >"$root/etc/hosts"
cat >"$root/tmp/train.sh" <<'TRAIN'
# A Flink cluster that runs the test job for some seconds; the JobManager writes down what it has loaded when it ends. It has
# all that a TaskManager needs, too, but for a few classes.
set -euo pipefail
cd /opt/flink
export PATH=/usr/bin:/bin JAVA_HOME=/opt/java/openjdk JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
mkdir -p cds
# wait_for FILE WORDS: until a line of it has them.
wait_for() { for _ in $(seq 600); do if grep -q "$2" "$1"; then return; fi; sleep 0.2; done; tail -n 50 "$1"; return 1; }
options=(-D jobmanager.rpc.address=localhost -D rest.address=localhost -D taskmanager.host=localhost)
options+=(-D taskmanager.numberOfTaskSlots=4 -D taskmanager.memory.process.size=1g)
JVM_ARGS=-XX:ArchiveClassesAtExit=/opt/flink/cds/flink.jsa bin/jobmanager.sh start-foreground "${options[@]}" >/tmp/jobmanager 2>&1 &
jobmanager=$!
bin/taskmanager.sh start-foreground "${options[@]}" >/tmp/taskmanager 2>&1 &
taskmanager=$!
wait_for /tmp/taskmanager 'Successful registration at resource manager'
bin/flink run --detached -Dexecution.checkpointing.interval=1s -Dexecution.checkpointing.dir=file:///tmp/checkpoints \
  --class tally.Counter usrlib/counter.jar --tally /tmp/tally >/tmp/run 2>&1
wait_for /tmp/jobmanager 'Completed checkpoint 3 '
kill "$taskmanager" "$jobmanager"; wait "$jobmanager" || true
# What Flink's scripts start to read the configuration has another class path, and so an archive of its own.
java -XX:ArchiveClassesAtExit=/opt/flink/cds/scripts.jsa -classpath "/opt/flink/bin/bash-java-utils.jar:$(echo /opt/flink/lib/flink-dist*.jar)" \
  org.apache.flink.runtime.util.bash.BashJavaUtils GET_JM_RESOURCE_PARAMS --configDir /opt/flink/conf
TRAIN
# In namespaces of their own: its ports are nobody else's, and whatever happens no process and no mount stays.
unshare --net --mount --pid --fork --kill-child bash -euc '
  ip link set lo up
  mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"
  chroot --userspec=9999:9999 "$1" bash /tmp/train.sh' - "$root"
[ -s "$root/opt/flink/cds/flink.jsa" ] && [ -s "$root/opt/flink/cds/scripts.jsa" ]
tar --create --sort=name --mtime=@0 --owner=9999 --group=9999 --numeric-owner --file "$out/layer.tar" --directory "$root" opt/flink/cds
rm -r "$root"
