package tally;

/** Carries some state, by default 16 MiB for each of 4 keys. */
public final class BigState {
    private BigState() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args, "--state-kib", "16384");
        Counter.build(options, "count", new Count(options)).execute(options.name);
    }
}
