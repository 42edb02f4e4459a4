package tally;

/** {@link Counter} under another name: the second job of a session, in a jar of its own. */
public final class Two {
    private Two() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args, "--name", "two");
        Counter.build(options, "count", new Count(options)).execute(options.name);
    }
}
