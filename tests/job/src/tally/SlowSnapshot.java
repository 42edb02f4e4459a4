package tally;

/** Each checkpoint and savepoint takes some seconds: time to look at, interrupt or kill what waits for it. */
public final class SlowSnapshot {
    private SlowSnapshot() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args, "--snapshot-millis", "5000");
        Counter.build(options, "count", new Count(options)).execute(options.name);
    }
}
