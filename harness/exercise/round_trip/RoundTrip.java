// Parses and prints each line of the standard input, as Jackson's stream does it by default.

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;

public class RoundTrip {
  public static void main(String[] arguments) throws IOException {
    JsonFactory factory = new JsonFactory();
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      StringWriter printed = new StringWriter();
      try (JsonParser parser = factory.createParser(line);
          JsonGenerator generator = factory.createGenerator(printed)) {
        parser.nextToken();
        generator.copyCurrentStructure(parser);
      } catch (IOException e) {
        printed = new StringWriter();
        printed.write("error: " + e.getMessage().lines().findFirst().orElse(""));
      }
      out.println(printed);
    }
  }
}
