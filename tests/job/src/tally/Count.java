package tally;

import java.util.Random;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Counts each key's numbers in keyed state. The count travels with the number: where it is not the number plus one,
 * this state was lost although the source's position was not.
 */
final class Count extends KeyedProcessFunction<Integer, Event, Event> {
    private static final long serialVersionUID = 1L;
    private final int ballastKib;
    private transient ValueState<Long> count;
    private transient ValueState<byte[]> ballast;

    Count(Options options) {
        ballastKib = options.stateKib;
    }

    @Override
    public void open(OpenContext context) {
        count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        if (ballastKib > 0) {
            ballast = getRuntimeContext().getState(new ValueStateDescriptor<>(
                    "ballast", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        }
    }

    @Override
    public void processElement(Event event, Context context, Collector<Event> out) throws Exception {
        Long before = count.value();
        event.count = before == null ? 1 : before + 1;
        count.update(event.count);
        if (ballast != null && ballast.value() == null) {
            byte[] bytes = new byte[ballastKib * 1024];
            new Random(event.key).nextBytes(bytes); // random: it must not shrink when compressed
            ballast.update(bytes);
        }
        out.collect(event);
    }

    /** The same count in a state of another type: no state of {@link Count} fits it, which only a start can show. */
    static final class Changed extends KeyedProcessFunction<Integer, Event, Event> {
        private static final long serialVersionUID = 1L;
        private transient ValueState<String> count;

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.STRING));
        }

        @Override
        public void processElement(Event event, Context context, Collector<Event> out) throws Exception {
            String before = count.value();
            event.count = before == null ? 1 : Long.parseLong(before) + 1;
            count.update(Long.toString(event.count));
            out.collect(event);
        }
    }
}
