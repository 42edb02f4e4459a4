package tally;

import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** {@code plan} passes; where {@code main()} is to start the job, it throws. */
public final class ThrowsInRun {
    private ThrowsInRun() {}

    public static void main(String[] args) throws Exception {
        String environment = StreamExecutionEnvironment.getExecutionEnvironment().getClass().getSimpleName();
        if (!environment.equals("StreamPlanEnvironment")) {
            throw new IllegalStateException("main() throws when it is to start the job");
        }
        Counter.main(args);
    }
}
