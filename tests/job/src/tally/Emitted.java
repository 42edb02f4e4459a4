package tally;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.UUID;
import org.apache.flink.api.common.JobInfo;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

/**
 * Writes each number down the moment it passes, as a side effect that Flink knows nothing of: a file of its own for
 * each attempt of each subtask, only ever appended to, never rolled back. So what a restart sends a second time is
 * there a second time, which is the point: a sink that took it back on restore would prove nothing.
 */
final class Emitted extends RichMapFunction<Event, String> implements CheckpointedFunction {
    private static final long serialVersionUID = 1L;
    private final Options options;
    private transient String restored;
    private transient String attempt;
    private transient OutputStream file;

    Emitted(Options options) {
        this.options = options;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) {
        restored = context.getRestoredCheckpointId().isPresent()
                ? Long.toString(context.getRestoredCheckpointId().getAsLong())
                : "-";
    }

    @Override
    public void open(OpenContext context) throws IOException {
        JobInfo job = getRuntimeContext().getJobInfo();
        TaskInfo task = getRuntimeContext().getTaskInfo();
        // Flink counts a job's attempts from zero again after its JobManager was replaced: hence an id of our own.
        attempt = UUID.randomUUID().toString().substring(0, 13);
        String host = InetAddress.getLocalHost().getHostName();
        Path folder = Files.createDirectories(Paths.get(options.tally, "emitted", options.name));
        Path path = folder.resolve(host + "-" + attempt + "-" + task.getIndexOfThisSubtask() + ".log");
        file = Files.newOutputStream(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.APPEND);
        write("# attempt=" + attempt + " job=" + job.getJobId() + " number=" + task.getAttemptNumber()
                + " restored=" + restored + " subtask=" + task.getIndexOfThisSubtask()
                + " of=" + task.getNumberOfParallelSubtasks() + " host=" + host
                + " flink=" + EnvironmentInformation.getVersion() + " millis=" + System.currentTimeMillis());
    }

    @Override
    public String map(Event event) throws IOException {
        String line = event.key + " " + event.seq + " " + event.count + " " + attempt + " " + System.currentTimeMillis();
        write(line);
        return line;
    }

    /** One unbuffered write a line: a killed process loses no line that it has passed on, and tears none. */
    private void write(String line) throws IOException {
        file.write((line + "\n").getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) {}

    @Override
    public void close() throws IOException {
        if (file != null) {
            file.close();
        }
    }
}
