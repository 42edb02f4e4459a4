package tally;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * For each key the numbers 0, 1, 2 …, paced. A key is a split and its next number is the split's state, so the numbers
 * go on exactly where a checkpoint or savepoint left them, at any parallelism. Written here rather than taken from a
 * connector: the test job then needs nothing that is not in Flink's own lib folder.
 */
final class Numbers implements Source<Event, Numbers.Key, List<Numbers.Key>> {
    private static final long serialVersionUID = 1L;
    private final Options options;

    Numbers(Options options) {
        this.options = options;
    }

    static final class Key implements SourceSplit {
        final int key;
        long next;

        Key(int key, long next) {
            this.key = key;
            this.next = next;
        }

        @Override
        public String splitId() {
            return "key-" + key;
        }
    }

    @Override
    public Boundedness getBoundedness() {
        return options.count > 0 ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    public SplitEnumerator<Key, List<Key>> createEnumerator(SplitEnumeratorContext<Key> context) {
        List<Key> all = new ArrayList<>();
        for (int key = 0; key < options.keys; key++) {
            all.add(new Key(key, 0));
        }
        return new Enumerator(context, all);
    }

    @Override
    public SplitEnumerator<Key, List<Key>> restoreEnumerator(SplitEnumeratorContext<Key> context, List<Key> left) {
        return new Enumerator(context, left);
    }

    @Override
    public SourceReader<Event, Key> createReader(SourceReaderContext context) {
        return new Reader();
    }

    /** Hands the keys out once, evenly, when all readers are there; afterwards only what a failed reader gave back. */
    private static final class Enumerator implements SplitEnumerator<Key, List<Key>> {
        private final SplitEnumeratorContext<Key> context;
        private final List<Key> unassigned;

        Enumerator(SplitEnumeratorContext<Key> context, List<Key> unassigned) {
            this.context = context;
            this.unassigned = new ArrayList<>(unassigned);
        }

        @Override
        public void start() {}

        @Override
        public void handleSplitRequest(int subtask, String host) {}

        @Override
        public void addSplitsBack(List<Key> splits, int subtask) {
            unassigned.addAll(splits);
        }

        @Override
        public void addReader(int subtask) {
            int readers = context.currentParallelism();
            if (context.registeredReaders().size() < readers) {
                return;
            }
            Map<Integer, List<Key>> assignment = new HashMap<>();
            for (Key key : unassigned) {
                assignment.computeIfAbsent(key.key % readers, k -> new ArrayList<>()).add(key);
            }
            unassigned.clear();
            context.assignSplits(new SplitsAssignment<>(assignment));
            context.registeredReaders().keySet().forEach(context::signalNoMoreSplits);
        }

        @Override
        public List<Key> snapshotState(long checkpointId) {
            return new ArrayList<>(unassigned);
        }

        @Override
        public void close() {}
    }

    private final class Reader implements SourceReader<Event, Key> {
        private final List<Key> keys = new ArrayList<>();
        private final Map<Integer, Long> due = new HashMap<>();
        private boolean complete;
        private CompletableFuture<Void> available = new CompletableFuture<>();

        @Override
        public void start() {}

        @Override
        public InputStatus pollNext(ReaderOutput<Event> output) {
            long now = System.nanoTime();
            Key first = earliest();
            if (first == null) {
                return complete && keys.stream().allMatch(this::done)
                        ? InputStatus.END_OF_INPUT
                        : InputStatus.NOTHING_AVAILABLE;
            }
            if (due.get(first.key) > now) {
                return InputStatus.NOTHING_AVAILABLE;
            }
            // From now, not from when it was due: a job that was held up goes on at its pace and does not hurry after.
            due.put(first.key, now + TimeUnit.SECONDS.toNanos(1) / options.rate);
            output.collect(new Event(first.key, first.next++));
            return InputStatus.MORE_AVAILABLE;
        }

        @Override
        public CompletableFuture<Void> isAvailable() {
            Key first = earliest();
            if (first == null && !(complete && keys.stream().allMatch(this::done))) {
                return available;
            }
            long wait = first == null ? 0 : due.get(first.key) - System.nanoTime();
            return wait <= 0
                    ? CompletableFuture.completedFuture(null)
                    : new CompletableFuture<Void>().completeOnTimeout(null, wait, TimeUnit.NANOSECONDS);
        }

        private boolean done(Key key) {
            return options.count > 0 && key.next >= options.count;
        }

        private Key earliest() {
            Key first = null;
            for (Key key : keys) {
                if (!done(key) && (first == null || due.get(key.key) < due.get(first.key))) {
                    first = key;
                }
            }
            return first;
        }

        @Override
        public void addSplits(List<Key> splits) {
            for (Key key : splits) {
                keys.add(key);
                due.put(key.key, System.nanoTime());
            }
            wake();
        }

        @Override
        public void notifyNoMoreSplits() {
            complete = true;
            wake();
        }

        private void wake() {
            CompletableFuture<Void> waiting = available;
            available = new CompletableFuture<>();
            waiting.complete(null);
        }

        @Override
        public List<Key> snapshotState(long checkpointId) {
            List<Key> copy = new ArrayList<>();
            keys.forEach(key -> copy.add(new Key(key.key, key.next)));
            return copy;
        }

        @Override
        public void close() {}
    }

    @Override
    public SimpleVersionedSerializer<Key> getSplitSerializer() {
        return new SimpleVersionedSerializer<Key>() {
            @Override
            public int getVersion() {
                return 1;
            }

            @Override
            public byte[] serialize(Key key) throws IOException {
                return write(List.of(key));
            }

            @Override
            public Key deserialize(int version, byte[] bytes) throws IOException {
                return read(bytes).get(0);
            }
        };
    }

    @Override
    public SimpleVersionedSerializer<List<Key>> getEnumeratorCheckpointSerializer() {
        return new SimpleVersionedSerializer<List<Key>>() {
            @Override
            public int getVersion() {
                return 1;
            }

            @Override
            public byte[] serialize(List<Key> keys) throws IOException {
                return write(keys);
            }

            @Override
            public List<Key> deserialize(int version, byte[] bytes) throws IOException {
                return read(bytes);
            }
        };
    }

    private static byte[] write(List<Key> keys) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        for (Key key : keys) {
            out.writeInt(key.key);
            out.writeLong(key.next);
        }
        return bytes.toByteArray();
    }

    private static List<Key> read(byte[] bytes) throws IOException {
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
        List<Key> keys = new ArrayList<>();
        while (in.available() > 0) {
            keys.add(new Key(in.readInt(), in.readLong()));
        }
        return keys;
    }
}
