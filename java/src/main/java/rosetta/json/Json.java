// The small documents: trigger, manifest, result and log. The step splitter reads the sources.
// Holds no state.
package rosetta.json;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Reads one document strictly (RFC 8259) as maps, lists, strings, doubles, booleans and null;
 * writes records.
 */
public final class Json {
  private static final int DEPTH = 1000; // the tree is read by recursion

  private static final JsonFactory FACTORY = factory(DEPTH);

  private Json() {}

  /** Jackson with no limit but the depth: names and numbers may have any length. */
  public static JsonFactory factory(int depth) {
    return new JsonFactoryBuilder()
        .disable(JsonFactory.Feature.CHARSET_DETECTION)
        .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
        .enable(JsonWriteFeature.ESCAPE_NON_ASCII) // some readers of logs end a line at U+2028
        .streamReadConstraints(
            StreamReadConstraints.builder()
                .maxNestingDepth(depth)
                .maxNumberLength(Integer.MAX_VALUE)
                .maxStringLength(Integer.MAX_VALUE)
                .maxNameLength(Integer.MAX_VALUE)
                .maxDocumentLength(-1)
                .build())
        .build();
  }

  /** Reads a whole document; throws {@link IOException} when it isn't exactly one. */
  public static Object parse(byte[] text) throws IOException {
    // Jackson's own decoder lets some overlong forms and surrogates pass.
    CharsetDecoder strict = StandardCharsets.UTF_8.newDecoder();
    Reader reader = new InputStreamReader(new ByteArrayInputStream(text), strict);
    try (JsonParser parser = FACTORY.createParser(reader)) {
      return document(parser);
    }
  }

  private static Object document(JsonParser parser) throws IOException {
    if (parser.nextToken() == null) {
      throw new JsonParseException(parser, "empty");
    }
    Object value = value(parser);
    if (parser.nextToken() != null) {
      throw new JsonParseException(parser, "text after the document");
    }
    return value;
  }

  private static Object value(JsonParser parser) throws IOException {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Object> members = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          members.put(name, value(parser));
        }
        yield members;
      }
      case START_ARRAY -> {
        List<Object> elements = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          elements.add(value(parser));
        }
        yield elements;
      }
      case VALUE_STRING -> parser.getText();
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> Double.valueOf(parser.getText());
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> null;
    };
  }

  /** True for a number of integral value (SPEC T3) within the bounds. */
  public static boolean isInteger(Object value, double min, double max) {
    return value instanceof Double number
        && number >= min
        && number <= max
        && number == Math.rint(number);
  }

  /** A record's components in their order; {@code waitMs} becomes {@code wait_ms}. */
  public static Map<String, Object> members(Record fields) {
    Map<String, Object> members = new LinkedHashMap<>();
    try {
      for (RecordComponent component : fields.getClass().getRecordComponents()) {
        Method accessor = component.getAccessor();
        accessor.setAccessible(true); // a step's record is its own
        String name = component.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
        members.put(name, accessor.invoke(fields));
      }
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
    return members;
  }

  /** The text of records, maps, lists, strings, numbers, booleans and null, on one line. */
  public static String write(Object value) {
    StringWriter text = new StringWriter();
    try (JsonGenerator generator = FACTORY.createGenerator(text)) {
      write(generator, value);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a StringWriter throws none
    }
    return text.toString();
  }

  private static void write(JsonGenerator generator, Object value) throws IOException {
    switch (value) {
      case null -> generator.writeNull();
      case Record fields -> write(generator, members(fields));
      case Map<?, ?> members -> {
        generator.writeStartObject();
        for (Map.Entry<?, ?> member : members.entrySet()) {
          generator.writeFieldName((String) member.getKey());
          write(generator, member.getValue());
        }
        generator.writeEndObject();
      }
      case List<?> elements -> {
        generator.writeStartArray();
        for (Object element : elements) {
          write(generator, element);
        }
        generator.writeEndArray();
      }
      case Long number -> generator.writeNumber(number);
      case Integer number -> generator.writeNumber(number);
      case Double number -> generator.writeNumber(number);
      case Boolean bool -> generator.writeBoolean(bool);
      default -> generator.writeString(value.toString());
    }
  }
}
