package rosetta;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.DataFormatException;

/** What SPEC R2 to R8 and C1 say of a body, in plain loops, without code of the steps. */
final class Oracle {
  private static final int DEEPEST = 500;

  /** A text that is not exactly one JSON object. */
  private static final class NoJson extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private final String text;
  private int at;
  private int depth;

  private Oracle(String text) {
    this.text = text;
  }

  /** The records' lines, or the fault's code. */
  static String split(byte[] bytes) {
    String text = new String(bytes, StandardCharsets.UTF_8);
    if (!Arrays.equals(bytes, text.getBytes(StandardCharsets.UTF_8))) {
      return "BAD_JSON"; // what is no UTF-8 was replaced
    }
    try {
      return new Oracle(text).document();
    } catch (NoJson e) {
      return "BAD_JSON";
    }
  }

  private String document() {
    List<String> lines = new ArrayList<>();
    boolean[] sound = {true};
    int members = 0;
    space();
    expect('{');
    depth++;
    space();
    for (boolean first = true; peek() != '}'; first = false) {
      if (!first) {
        expect(',');
        space();
      }
      String name = string();
      space();
      expect(':');
      space();
      if (name.equals("Records")) {
        members++;
        sound[0] &= peek() == '[';
        int start = at;
        value();
        if (sound[0]) {
          int end = at;
          at = start;
          elements(lines, sound);
          if (at != end) {
            throw new AssertionError("the oracle is wrong");
          }
        }
      } else {
        value();
      }
      space();
    }
    at++;
    space();
    if (at != text.length()) {
      throw new NoJson();
    }
    return members == 1 && sound[0] ? String.join("", lines) : "NO_RECORDS";
  }

  private void elements(List<String> lines, boolean[] sound) {
    expect('[');
    depth++;
    space();
    while (peek() != ']') {
      if (peek() == ',') {
        at++;
        space();
      }
      sound[0] &= peek() == '{';
      int start = at;
      value();
      lines.add(text.substring(start, at).replace("\r", "").replace("\n", "") + "\n");
      space();
    }
    at++;
    depth--;
  }

  private void value() {
    switch (peek()) {
      case '{', '[' -> container();
      case '"' -> string();
      case 't' -> word("true");
      case 'f' -> word("false");
      case 'n' -> word("null");
      default -> number();
    }
  }

  private void container() {
    if (++depth > DEEPEST) {
      throw new NoJson();
    }
    boolean isObject = text.charAt(at++) == '{';
    char end = isObject ? '}' : ']';
    space();
    for (boolean first = true; peek() != end; first = false) {
      if (!first) {
        expect(',');
        space();
      }
      if (isObject) {
        string();
        space();
        expect(':');
        space();
      }
      value();
      space();
    }
    at++;
    depth--;
  }

  private String string() {
    expect('"');
    StringBuilder decoded = new StringBuilder();
    while (peek() != '"') {
      char c = text.charAt(at++);
      if (c < ' ') {
        throw new NoJson();
      }
      decoded.append(c == '\\' ? escaped() : c);
    }
    at++;
    return decoded.toString();
  }

  private char escaped() {
    char c = peek();
    at++;
    if (c != 'u') {
      int known = "\"\\/bfnrt".indexOf(c);
      if (known < 0) {
        throw new NoJson();
      }
      return "\"\\/\b\f\n\r\t".charAt(known);
    }
    int code = 0;
    for (int i = 0; i < 4; i++) {
      int digit = "0123456789abcdef".indexOf(Character.toLowerCase(peek()));
      if (digit < 0 || peek() > 'f') {
        throw new NoJson();
      }
      at++;
      code = code * 16 + digit;
    }
    return (char) code;
  }

  private void number() {
    if (peek() == '-') {
      at++;
    }
    if (peek() == '0') {
      at++;
    } else {
      digits();
    }
    if (at < text.length() && text.charAt(at) == '.') {
      at++;
      digits();
    }
    if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
      at++;
      if (peek() == '+' || peek() == '-') {
        at++;
      }
      digits();
    }
  }

  private void digits() {
    int start = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    if (at == start) {
      throw new NoJson();
    }
  }

  private void word(String word) {
    if (!text.startsWith(word, at)) {
      throw new NoJson();
    }
    at += word.length();
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private char peek() {
    if (at == text.length()) {
      throw new NoJson();
    }
    return text.charAt(at);
  }

  private void expect(char c) {
    if (peek() != c) {
      throw new NoJson();
    }
    at++;
  }

  /**
   * What precedes the first fault; one byte beyond the limit is the most.
   *
   * @param sound no fault was seen so far
   */
  record Inflated(byte[] text, boolean sound) {}

  static Inflated inflate(byte[] body, int limit) {
    if (body.length < 2 || body[0] != 0x1f || (body[1] & 0xff) != 0x8b) {
      return new Inflated(body, true);
    }
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    try {
      int[] at = {0};
      while (at[0] < body.length && text.size() <= limit) {
        member(body, at, text, limit);
      }
      return new Inflated(text.toByteArray(), true);
    } catch (DataFormatException | IndexOutOfBoundsException e) {
      return new Inflated(text.toByteArray(), false);
    }
  }

  private static void member(byte[] body, int[] at, ByteArrayOutputStream text, int limit)
      throws DataFormatException {
    int start = at[0];
    long magic = number(body, at, 2);
    long method = number(body, at, 1);
    long flags = number(body, at, 1);
    at[0] += 6; // time, extra flags, operating system
    if (magic != 0x8b1f || method != 8 || flags >= 0x20) {
      throw new DataFormatException();
    }
    if ((flags & 4) != 0) {
      int extra = (int) number(body, at, 2);
      at[0] += extra;
    }
    for (int flag = 8; flag <= 16; flag *= 2) { // name, comment
      while ((flags & flag) != 0 && number(body, at, 1) != 0) {
        // skip the text up to its zero
      }
    }
    if ((flags & 2) != 0
        && (crc(Arrays.copyOfRange(body, start, at[0])) & 0xffff) != number(body, at, 2)) {
      throw new DataFormatException();
    }
    ByteArrayOutputStream own = new ByteArrayOutputStream();
    try (java.util.zip.Inflater codec = new java.util.zip.Inflater(true)) {
      byte[] one = new byte[1];
      while (!codec.finished()) {
        if (codec.inflate(one) == 1) {
          own.write(one[0]);
          text.write(one[0]);
          if (text.size() > limit) {
            return;
          }
        } else if (codec.needsInput() && !codec.finished()) {
          codec.setInput(body, at[0]++, 1); // one at a time: the end is where it finishes
        }
      }
    }
    if (number(body, at, 4) != crc(own.toByteArray()) || number(body, at, 4) != own.size()) {
      throw new DataFormatException();
    }
  }

  private static long number(byte[] body, int[] at, int size) {
    long number = 0;
    for (int i = 0; i < size; i++) {
      number |= (body[at[0]++] & 0xffL) << (8 * i);
    }
    return number;
  }

  /** CRC-32 as RFC 1952 defines it, bit by bit. */
  private static long crc(byte[] bytes) {
    long sum = 0xffffffffL;
    for (byte b : bytes) {
      sum ^= b & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        sum = sum >> 1 ^ 0xedb88320L * (sum & 1);
      }
    }
    return sum ^ 0xffffffffL;
  }
}
