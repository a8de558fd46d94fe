// Tuning: the memory of a sandbox that lives long. Skip on first reading.
// The plain version leaves the heap to the collector: the peak memory of sources of 100 MiB is 1.08
// times as high then, that of small ones the same (docs/performance/java.md).
package rosetta.tuning;

import java.util.function.LongSupplier;

/**
 * The serial collector would rather let the heap grow, up to all of the function's memory, than
 * collect its old generation, where large bodies and outgrown buffers die.
 */
public final class Heap {
  private static final long FIRST_GROWTH_BYTES = 16 << 20;
  private static final int MOST_TIMES_LIVE = 2;

  private final LongSupplier size;
  private final LongSupplier free;
  private final Runnable collect;
  private long most;

  Heap() {
    this(Runtime.getRuntime()::totalMemory, Runtime.getRuntime()::freeMemory, System::gc);
  }

  Heap(LongSupplier size, LongSupplier free, Runnable collect) {
    this.size = size;
    this.free = free;
    this.collect = collect;
    most = size.getAsLong() + FIRST_GROWTH_BYTES;
  }

  /**
   * Collects all when the heap has outgrown its bound, and sets that anew by what lives and by what
   * the collector keeps.
   */
  public void bound() {
    if (size.getAsLong() > most) {
      collect.run();
      long live = size.getAsLong() - free.getAsLong();
      most = Math.max(most, Math.max(size.getAsLong(), MOST_TIMES_LIVE * live));
    }
  }
}
