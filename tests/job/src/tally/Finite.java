package tally;

/** Finishes by itself after {@code --count} numbers a key. */
public final class Finite {
    private Finite() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args, "--count", "200");
        Counter.build(options, "count", new Count(options)).execute(options.name);
    }
}
