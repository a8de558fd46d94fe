// Step: writer. SPEC C2, C3, W1, P5: records become hidden chunks.
// Holds one compressed chunk, and the description of each chunk put.
package rosetta;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntConsumer;
import java.util.zip.GZIPOutputStream;
import rosetta.concurrency.Work;
import rosetta.tuning.ChunkBuffer;

/** For one thread. */
final class Writer implements AutoCloseable {
  /** A chunk that was put; its number is its place in the list, from 1. */
  record Chunk(String hiddenKey, long records, long bytes) {}

  /** A line of the log (O2). */
  private record PutLine(String key, long records, long bytes) {}

  private static final int PIECE_BYTES = 1 << 20;

  private static final class Gzip extends GZIPOutputStream {
    Gzip(ChunkBuffer out, int level) throws IOException {
      super(out);
      def.setLevel(level); // GZIPOutputStream's own deflater
    }
  }

  private final Store store;
  private final Config config;
  private final String hiddenPrefix;
  private final Journal journal;
  private final ChunkBuffer compressed;
  private final IntConsumer onPut;
  private final List<Chunk> chunks = new ArrayList<>();
  private Gzip gzip; // null between two chunks
  private long records;
  private long bytes;
  private long compressNanos;

  /**
   * @param compressed an output stream in memory
   * @param onPut gets the number of chunks after each put
   */
  Writer(
      Store store,
      Config config,
      Trigger.Day day,
      Journal journal,
      ChunkBuffer compressed,
      IntConsumer onPut) {
    this.store = store.countedAs(Journal.Phase.PUT);
    this.config = config;
    this.hiddenPrefix = day.outputPrefix(config.dstPrefix()) + "_" + journal.requestId() + "-";
    this.journal = journal;
    this.compressed = compressed;
    this.onPut = onPut;
  }

  /** Adds records; puts each chunk that they fill. */
  void write(Splitter.Records added) {
    for (int from = 0; from < added.length(); ) {
      Work.check(); // E6
      int to = lineEnd(added.lines(), from);
      compress(added.lines(), from, to - from);
      records++;
      bytes += to - from;
      if (bytes >= config.chunkBytes()) {
        put();
      }
      from = to;
    }
  }

  /** Puts the last chunk; returns all. */
  List<Chunk> finish() {
    if (bytes > 0) {
      put();
    }
    return chunks;
  }

  /** Frees the compressor; a chunk that was not put is lost. */
  @Override
  public void close() {
    endGzip();
  }

  private static int lineEnd(byte[] lines, int position) {
    int end = position;
    while (lines[end] != '\n') {
      end++;
    }
    return end + 1;
  }

  private void compress(byte[] lines, int offset, int length) {
    long started = System.nanoTime();
    try {
      if (gzip == null) {
        compressed.reset();
        gzip = new Gzip(compressed, config.gzipLevel());
      }
      for (int done = 0; done < length; done += PIECE_BYTES) {
        Work.check(); // one record may be as large as a source
        gzip.write(lines, offset + done, Math.min(length - done, PIECE_BYTES));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory throws none
    }
    compressNanos += System.nanoTime() - started;
  }

  private void put() {
    endGzip();
    journal.count(Journal.Phase.COMPRESS, compressNanos);
    compressNanos = 0;
    String key = String.format(Locale.ROOT, "%s%06d.ndjson.gz", hiddenPrefix, chunks.size() + 1);
    store.put(config.dstBucket(), key, compressed, "application/gzip");
    journal.log(Journal.Level.DEBUG, "chunk", new PutLine(key, records, bytes));
    chunks.add(new Chunk(key, records, bytes));
    onPut.accept(chunks.size());
    records = 0;
    bytes = 0;
  }

  private void endGzip() {
    long started = System.nanoTime();
    if (gzip != null) {
      try {
        gzip.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e); // memory throws none
      }
      gzip = null;
    }
    compressNanos += System.nanoTime() - started;
  }
}
