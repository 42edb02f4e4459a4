package tally;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/**
 * The test job: numbers → a count in keyed state → emitted → committed. Three places hold what a move must carry
 * across (the source's position, the keyed count, the sink's files that are not committed yet), and two records outside
 * of Flink tell whether it did: <em>emitted</em> never forgets, <em>committed</em> is exactly-once.
 *
 * <p>Checkpointing, restarts, backend and parallelism come from the cluster's configuration. One execute(), no waiting:
 * {@code jars/run} allows no more.
 */
public final class Counter {
    private Counter() {}

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args);
        build(options, "count", new Count(options)).execute(options.name);
    }

    static StreamExecutionEnvironment build(
            Options options, String countUid, KeyedProcessFunction<Integer, Event, Event> count) {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        // With 88 key groups keys 0 to 3 spread over all subtasks at parallelism 2, 3 and 4; by default one gets them all.
        env.setMaxParallelism(88);
        // The exactly-once sink: finished files hold what a checkpoint or savepoint covered and nothing else. Each writer
        // names its files anew, so numbers that a later attempt writes again stand beside the first ones.
        FileSink<String> committed = FileSink
                .forRowFormat(
                        new Path("file://" + options.tally + "/committed/" + options.name),
                        new SimpleStringEncoder<String>())
                .withBucketAssigner(new BasePathBucketAssigner<>())
                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                .build();
        // A uid each: without one an operator's state is found by the shape of the graph.
        env.fromSource(
                        new Numbers(options), WatermarkStrategy.noWatermarks(), "numbers", TypeInformation.of(Event.class))
                .uid("numbers")
                .keyBy(event -> event.key, Types.INT)
                .process(count, TypeInformation.of(Event.class))
                .uid(countUid)
                .name("count")
                .map(new Emitted(options))
                .uid("emitted")
                .name("emitted")
                .map(new Trouble(options))
                .uid("trouble")
                .name("trouble")
                .sinkTo(committed)
                .uid("committed")
                .name("committed");
        return env;
    }
}
