package tally;

import java.io.Serializable;
import java.util.HashMap;
import java.util.Map;

/** The job's arguments, {@code --name value} each; README.md in tests/job lists them. An unknown one is an error. */
final class Options implements Serializable {
    private static final long serialVersionUID = 1L;

    String name = "counter";
    /** A path that every Pod of the release mounts: what is written there outlives all of them. */
    String tally = "/flink-storage/tally";
    int keys = 4;
    /** Numbers a second, for each key. */
    int rate = 20;
    /** Numbers for each key before the job finishes by itself; 0: it goes on forever. */
    long count;
    /** While this file is missing, each attempt fails once a subtask has emitted {@link #failAfter} numbers. */
    String failUntil = "";
    long failAfter = 1;
    /** Whether an attempt that is going to fail completes a checkpoint first, and counts from there; without, nothing it emits is committed. */
    boolean failCommits;
    /** While this file exists every checkpoint and savepoint fails. */
    String failSnapshotWhile = "";
    /** While this file exists a task fails as it ends, after the savepoint that it was stopped with. */
    String failStopWhile = "";
    /** While this file exists every checkpoint and savepoint waits for its end, at most a minute. */
    String slowSnapshotWhile = "";
    /** How long each checkpoint and savepoint takes at least, in milliseconds. */
    long snapshotMillis;
    /** Extra keyed state, in KiB for each key. */
    int stateKib;

    static Options parse(String[] args, String... defaults) {
        Map<String, String> given = new HashMap<>();
        for (String[] part : new String[][] {defaults, args}) {
            if (part.length % 2 != 0) {
                throw new IllegalArgumentException("arguments come in pairs, --name value: " + String.join(" ", part));
            }
            for (int i = 0; i < part.length; i += 2) {
                given.put(part[i], part[i + 1]);
            }
        }
        Options o = new Options();
        for (Map.Entry<String, String> e : given.entrySet()) {
            String value = e.getValue();
            switch (e.getKey()) {
                case "--name": o.name = value; break;
                case "--tally": o.tally = value.replaceFirst("^file:(//)?(?=/)", ""); break;
                case "--keys": o.keys = Integer.parseInt(value); break;
                case "--rate": o.rate = Integer.parseInt(value); break;
                case "--count": o.count = Long.parseLong(value); break;
                case "--fail-until": o.failUntil = value; break;
                case "--fail-after": o.failAfter = Long.parseLong(value); break;
                case "--fail-commits": o.failCommits = Boolean.parseBoolean(value); break;
                case "--fail-snapshot-while": o.failSnapshotWhile = value; break;
                case "--fail-stop-while": o.failStopWhile = value; break;
                case "--slow-snapshot-while": o.slowSnapshotWhile = value; break;
                case "--snapshot-millis": o.snapshotMillis = Long.parseLong(value); break;
                case "--state-kib": o.stateKib = Integer.parseInt(value); break;
                default: throw new IllegalArgumentException("unknown argument " + e.getKey());
            }
        }
        if (o.keys < 1 || o.rate < 1 || o.rate > 1000) {
            throw new IllegalArgumentException("--keys must be at least 1, --rate within 1..1000");
        }
        return o;
    }
}
