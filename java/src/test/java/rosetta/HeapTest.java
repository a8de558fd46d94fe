package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class HeapTest {
  @Test
  void isCollectedOnceForEachGrowth() {
    AtomicLong size = new AtomicLong(100);
    AtomicInteger collections = new AtomicInteger();
    Heap heap = new Heap(size::get, collections::incrementAndGet);
    size.addAndGet(Heap.MOST_GROWN_BYTES);
    heap.bound();
    assertEquals(0, collections.get());
    size.incrementAndGet();
    heap.bound();
    heap.bound();
    assertEquals(1, collections.get());
  }
}
