package tally;

/** A number of a key, and how many numbers of that key the keyed state has seen, this one included. A Flink POJO. */
public class Event {
    public int key;
    /** 0, 1, 2 … for each key, from the source's position. */
    public long seq;
    /** {@code seq + 1} as long as neither the source's position nor the keyed state was lost. */
    public long count;

    public Event() {}

    Event(int key, long seq) {
        this.key = key;
        this.seq = seq;
    }
}
