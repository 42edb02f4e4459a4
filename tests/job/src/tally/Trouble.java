package tally;

import java.nio.file.Files;
import java.nio.file.Paths;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

/**
 * What can go wrong in a job, on request. It stands behind {@link Emitted} and before the committed sink: a job that
 * fails has then emitted something that it never committed.
 */
final class Trouble extends RichMapFunction<String, String>
        implements CheckpointedFunction, CheckpointListener {
    private static final long serialVersionUID = 1L;
    private static final long SLOW_MILLIS = 60_000;
    private final Options options;
    private transient long passed;
    private transient boolean completed;

    Trouble(Options options) {
        this.options = options;
    }

    @Override
    public String map(String line) {
        if (completed || !options.failCommits) {
            passed++;
        }
        if (passed >= options.failAfter) {
            failUntilHealed();
        }
        return line;
    }

    private void failUntilHealed() {
        if (!options.failUntil.isEmpty() && !exists(options.failUntil)) {
            throw new IllegalStateException("told to fail until " + options.failUntil + " exists");
        }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws InterruptedException {
        Thread.sleep(options.snapshotMillis);
        long begun = System.nanoTime();
        while (isThere(options.slowSnapshotWhile) && (System.nanoTime() - begun) / 1_000_000 < SLOW_MILLIS) {
            Thread.sleep(50);
        }
        if (!options.failCommits) {
            failUntilHealed();
        }
        if (isThere(options.failSnapshotWhile)) {
            throw new IllegalStateException("told to fail snapshots while " + options.failSnapshotWhile + " exists");
        }
    }

    @Override
    public void notifyCheckpointComplete(long checkpoint) {
        completed = true;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) {}

    /** A task that was stopped comes here after its savepoint was complete; one that failed before fails no more for it. */
    @Override
    public void close() {
        if (isThere(options.failStopWhile)) {
            throw new IllegalStateException("told to fail as it stops while " + options.failStopWhile + " exists");
        }
    }

    private static boolean isThere(String path) {
        return !path.isEmpty() && exists(path);
    }

    private static boolean exists(String path) {
        return Files.exists(Paths.get(path));
    }
}
