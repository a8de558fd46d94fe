// Beside the steps: the memory of a sandbox that lives long. Holds one number.
package rosetta;

import java.util.function.LongSupplier;

/**
 * The serial collector would rather let the heap grow, up to all of the function's memory, than
 * collect its old generation, and some of each page of a listing dies there.
 */
final class Heap {
  static final long MOST_GROWN_BYTES = 16 << 20;

  private final LongSupplier size;
  private final Runnable collect;
  private long collectedAt;

  Heap() {
    this(Runtime.getRuntime()::totalMemory, System::gc);
  }

  Heap(LongSupplier size, Runnable collect) {
    this.size = size;
    this.collect = collect;
    collectedAt = size.getAsLong();
  }

  /** Collects all when the heap has grown by more than that since the last time. */
  void bound() {
    if (size.getAsLong() - collectedAt > MOST_GROWN_BYTES) {
      collect.run();
      collectedAt = size.getAsLong();
    }
  }
}
