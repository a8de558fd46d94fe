package rosetta.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class HeapTest {
  private static final long MIB = 1 << 20;

  private final AtomicLong size = new AtomicLong(28 * MIB);
  private final AtomicLong live = new AtomicLong(10 * MIB);
  private final AtomicInteger collections = new AtomicInteger();

  private int collectionsAt(Heap heap, long mib) {
    size.set(mib * MIB);
    heap.bound();
    heap.bound();
    return collections.get();
  }

  @Test
  void isCollectedWhenItOutgrowsItsBound() {
    Heap heap = new Heap(size::get, () -> size.get() - live.get(), collections::incrementAndGet);
    assertEquals(0, collectionsAt(heap, 44));
    assertEquals(1, collectionsAt(heap, 45)); // and is as large after it
    assertEquals(1, collectionsAt(heap, 40));
    assertEquals(2, collectionsAt(heap, 46));
    live.set(40 * MIB);
    assertEquals(3, collectionsAt(heap, 47));
    assertEquals(3, collectionsAt(heap, 80));
    assertEquals(4, collectionsAt(heap, 81));
  }
}
