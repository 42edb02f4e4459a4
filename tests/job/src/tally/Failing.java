package tally;

/** Emits one number, then fails, over and over, until the file {@code TALLY/healed} exists. */
public final class Failing {
    private Failing() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args);
        if (options.failUntil.isEmpty()) {
            options.failUntil = options.tally + "/healed";
        }
        Counter.build(options, "count", new Count(options)).execute(options.name);
    }
}
