package tally;

/**
 * The operator {@code count} is gone, another one counts in its place: {@link Counter}'s savepoint is refused, and with
 * {@code allowNonRestoredState} the numbers go on while the count starts again.
 */
public final class OperatorRemoved {
    private OperatorRemoved() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args);
        Counter.build(options, "count-2", new Count(options)).execute(options.name);
    }
}
