package tally;

/**
 * The operator {@code count} keeps its state in another type: {@link Counter}'s savepoint is accepted, then the job fails
 * as it restores, with {@code allowNonRestoredState} too.
 */
public final class StateChanged {
    private StateChanged() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args);
        Counter.build(options, "count", new Count.Changed()).execute(options.name);
    }
}
