// S3's XML answers for the light client. SPEC L3, L4, R1: a listing's page, or an error.
// Holds one answer's texts.
package rosetta.s3;

import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import org.apache.hc.core5.http.HttpEntity;
import rosetta.Store;

/** What {@link LightStore} needs of them, by the JDK's parser. */
final class Answers {
  private final Map<String, String> texts = new HashMap<>(); // by element, the last one's
  private final List<Store.Entry> objects = new ArrayList<>();
  private final List<String> prefixes = new ArrayList<>();

  private Answers() {}

  /** The page of a listing whose keys are URL-encoded. */
  static Store.Page page(InputStream xml) throws IOException {
    Answers answer = new Answers();
    answer.read(xml, "ListBucketResult");
    boolean truncated = "true".equals(answer.texts.get("IsTruncated"));
    return new Store.Page(
        answer.objects,
        answer.prefixes,
        truncated ? answer.texts.get("NextContinuationToken") : null);
  }

  /** Throws when the answer is another one: S3 may answer 200 and have failed. */
  static Void of(InputStream xml, String root) throws IOException {
    new Answers().read(xml, root);
    return null;
  }

  /** The fault that an answer of this status tells, as far as it can be read. */
  static Store.FailedAttempt fault(int status, HttpEntity body) {
    Answers answer = new Answers();
    try {
      if (body != null) {
        answer.read(body.getContent(), "Error");
      }
    } catch (IOException e) {
      answer.texts.putIfAbsent("Message", e.getMessage());
    }
    String code = answer.texts.getOrDefault("Code", "");
    String message = answer.texts.getOrDefault("Message", "");
    return new Store.FailedAttempt(status, code, status + " " + code + ": " + message);
  }

  private void read(InputStream xml, String root) throws IOException {
    XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    String ended = "";
    try {
      XMLStreamReader reader = factory.createXMLStreamReader(xml, "UTF-8");
      StringBuilder text = new StringBuilder();
      while (reader.hasNext()) {
        int event = reader.next();
        if (event == XMLStreamConstants.START_ELEMENT) {
          text.setLength(0);
        } else if (event == XMLStreamConstants.CHARACTERS || event == XMLStreamConstants.CDATA) {
          text.append(reader.getText());
        } else if (event == XMLStreamConstants.END_ELEMENT) {
          ended = reader.getLocalName();
          end(ended, text.toString());
        }
      }
    } catch (XMLStreamException | IllegalArgumentException e) {
      throw new IOException(e);
    }
    if (!ended.equals(root)) {
      throw new IOException(ended + " " + texts.get("Code") + ": " + texts.get("Message"));
    }
  }

  private void end(String element, String text) {
    switch (element) {
      case "Contents" ->
          objects.add(new Store.Entry(decoded("Key"), Long.parseLong(texts.get("Size"))));
      case "CommonPrefixes" -> prefixes.add(decoded("Prefix"));
      default -> texts.put(element, text);
    }
  }

  private String decoded(String element) {
    return URLDecoder.decode(texts.get(element), StandardCharsets.UTF_8);
  }
}
