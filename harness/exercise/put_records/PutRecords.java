// Puts records into a stream that refuses some of them. Write putAll; the rest is there.
// The functions below it speak with the check: one line for each call, and one for each answer.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

public class PutRecords {
  static final int MOST_RECORDS = 500; // of a request
  static final long MOST_BYTES = 5 << 20; // of a request
  static final int LARGEST = 1 << 20; // of a record; a request with a larger one fails for ever
  static final int FIRST_PAUSE_MS = 50;
  static final int LONGEST_PAUSE_MS = 1600;

  /** Put the records 0, 1, 2 and so on, whose sizes in bytes these are. */
  static void putAll(List<Integer> sizes) throws IOException {
    List<Integer> waiting = new ArrayList<>();
    for (int number = 0; number < sizes.size(); number++) {
      if (sizes.get(number) > LARGEST) {
        refuse(number);
      } else {
        waiting.add(number);
      }
    }
    int pauseMs = FIRST_PAUSE_MS;
    while (!waiting.isEmpty()) {
      List<Integer> request = firstRequest(waiting, sizes);
      List<String> answers = put(request);
      List<Integer> left = new ArrayList<>();
      for (int place = 0; place < request.size(); place++) {
        if (!answers.get(place).equals("ok")) {
          left.add(request.get(place));
        }
      }
      boolean again = !left.isEmpty();
      left.addAll(waiting.subList(request.size(), waiting.size()));
      waiting = left;
      if (again) {
        pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      } else {
        pauseMs = FIRST_PAUSE_MS;
      }
    }
  }

  /** As many of the first ones as one request may hold. */
  static List<Integer> firstRequest(List<Integer> waiting, List<Integer> sizes) {
    long total = 0;
    for (int place = 0; place < waiting.size(); place++) {
      total += sizes.get(waiting.get(place));
      if (place == MOST_RECORDS || total > MOST_BYTES) {
        return waiting.subList(0, place);
      }
    }
    return waiting;
  }

  static final BufferedReader LINES = new BufferedReader(new InputStreamReader(System.in));

  /**
   * Put them by one request. The answer has for each "ok", "throttled" or "failed"; it is "error"
   * for all of them if the request failed as a whole.
   */
  static List<String> put(List<Integer> numbers) throws IOException {
    System.out.println(
        numbers.stream().map(String::valueOf).collect(Collectors.joining(" ", "put ", "")));
    String answer = LINES.readLine();
    return answer.equals("error")
        ? Collections.nCopies(numbers.size(), "error")
        : List.of(answer.split(" "));
  }

  /** Wait. No time passes: the check counts it. */
  static void pause(int ms) {
    System.out.println("pause " + ms);
  }

  /** Tell that a record can't be put. */
  static void refuse(int number) {
    System.out.println("refuse " + number);
  }

  public static void main(String[] arguments) throws IOException {
    for (String line = LINES.readLine(); line != null; line = LINES.readLine()) {
      putAll(Stream.of(line.split(" ")).skip(1).map(Integer::valueOf).toList());
      System.out.println("done");
    }
  }
}
