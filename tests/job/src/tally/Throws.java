package tally;

/** Never becomes a job: main() itself throws, in {@code plan} and in {@code run}. */
public final class Throws {
    private Throws() {}

    public static void main(String[] args) throws Exception {
        throw new IllegalStateException("told to fail in main()");
    }
}
