package tally;

/** Waits for its own result, which {@code jars/run} forbids: {@code plan} passes, {@code run} answers 500, and the job runs. */
public final class Awaits {
    private Awaits() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args);
        Counter.build(options, "count", new Count(options)).executeAsync(options.name).getJobExecutionResult().get();
    }
}
