package flink.kubectl;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * Runs through once on a Flink cluster that has just come up, in all of its slots: a source, an exchange by key, keyed state, a
 * sink. What it is for is that the JVMs have then loaded what the start of any job needs. It reads nothing, writes nothing,
 * takes no checkpoint, and ends by itself.
 */
public final class WarmUp {
    private WarmUp() {}

    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        // Its tasks would wait for a last checkpoint.
        env.getCheckpointConfig().disableCheckpointing();
        env.fromSequence(1, 20_000)
                .keyBy(number -> number % 64, Types.LONG)
                .process(new Count(), Types.LONG)
                .sinkTo(new DiscardingSink<>());
        env.execute("kubectl flink: warm-up");
    }

    private static final class Count extends KeyedProcessFunction<Long, Long, Long> {
        private static final long serialVersionUID = 1L;
        private transient ValueState<Long> count;

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        }

        @Override
        public void processElement(Long number, Context context, Collector<Long> out) throws Exception {
            Long before = count.value();
            count.update(before == null ? 1 : before + 1);
            out.collect(number);
        }
    }
}
