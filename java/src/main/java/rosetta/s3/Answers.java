// S3's XML answers for the light client. SPEC L3, L4, L8, R1: a listing's page, or an error.
// Holds one answer's texts.
package rosetta.s3;

import java.io.ByteArrayInputStream;
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
import rosetta.Store;

/** What {@link LightStore} needs of them, by the JDK's parser. */
final class Answers {
  private final Map<String, String> texts = new HashMap<>(); // by element, the last one's
  private final List<Store.Entry> objects = new ArrayList<>();
  private final List<String> prefixes = new ArrayList<>();
  private String root;

  private Answers() {}

  /** The page of a listing; throws when the answer is another one. */
  static Store.Page page(InputStream xml) throws IOException {
    Answers answer = new Answers();
    answer.read(xml);
    answer.requireRoot("ListBucketResult");
    String truncated = answer.texts.get("IsTruncated");
    if (!"true".equals(truncated) && !"false".equals(truncated)) {
      throw new IOException("IsTruncated is " + truncated);
    }
    String token = answer.texts.getOrDefault("NextContinuationToken", "");
    return new Store.Page(
        answer.objects.stream().map(o -> new Store.Entry(answer.key(o.key()), o.size())).toList(),
        answer.prefixes.stream().map(answer::key).toList(),
        truncated.equals("true") ? token : null);
  }

  /** Throws when the answer is no result of a copy: S3 may answer 200 and have failed. */
  static void requireCopy(InputStream xml) throws IOException {
    Answers answer = new Answers();
    answer.read(xml);
    answer.requireRoot("CopyObjectResult");
    if (answer.texts.getOrDefault("ETag", "").isEmpty()) {
      throw new IOException("a copy without its ETag");
    }
  }

  /** The fault that an answer of this status tells; its code only if S3 has written it. */
  static FailedAttempt fault(int status, byte[] body) {
    Answers answer = new Answers();
    String wording = "";
    try {
      answer.read(new ByteArrayInputStream(body));
    } catch (IOException e) { // a key in it may be no XML
      wording = e.getMessage();
    }
    return answer.fault(status, wording);
  }

  private FailedAttempt fault(int status, String wording) {
    String code = "Error".equals(root) ? texts.getOrDefault("Code", "") : "";
    String message = texts.getOrDefault("Message", wording);
    return new FailedAttempt(status, code, status + " " + code + ": " + message);
  }

  private void read(InputStream xml) throws IOException {
    XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    try {
      XMLStreamReader reader = factory.createXMLStreamReader(xml, "UTF-8");
      StringBuilder text = new StringBuilder();
      while (reader.hasNext()) {
        int event = reader.next();
        if (event == XMLStreamConstants.START_ELEMENT) {
          root = root == null ? reader.getLocalName() : root;
          text.setLength(0);
          if (reader.getLocalName().equals("CommonPrefixes")) {
            texts.put("Prefix", ""); // the listing has one of its own
          }
        } else if (event == XMLStreamConstants.CHARACTERS || event == XMLStreamConstants.CDATA) {
          text.append(reader.getText());
        } else if (event == XMLStreamConstants.END_ELEMENT) {
          end(reader.getLocalName(), text.toString());
        }
      }
    } catch (XMLStreamException | IllegalArgumentException e) {
      throw new IOException(e);
    }
  }

  private void requireRoot(String expected) {
    if (!expected.equals(root)) {
      throw fault(200, "the root is " + root);
    }
  }

  private void end(String element, String text) {
    switch (element) {
      case "Contents" ->
          objects.add(new Store.Entry(texts.remove("Key"), Long.parseLong(texts.remove("Size"))));
      case "CommonPrefixes" -> prefixes.add(texts.remove("Prefix"));
      default -> texts.put(element, text);
    }
  }

  /** The key itself; a server may leave it as it is, and says so. */
  private String key(String listed) {
    return "url".equals(texts.get("EncodingType"))
        ? URLDecoder.decode(listed, StandardCharsets.UTF_8)
        : listed;
  }
}
