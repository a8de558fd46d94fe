package rosetta.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Store;

class AnswersTest {
  private static InputStream xml(String text) {
    return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void readsAPageOfThousands() throws IOException {
    String member =
        "<Contents><ETag>&quot;e&#34;</ETag><Size>2147483648</Size>"
            + "<Key>%C3%BC&amp;b</Key></Contents>";
    String page =
        "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult xmlns='http://s3'><Prefix/>"
            + "<EncodingType>url</EncodingType>"
            + "<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
    List<Store.Entry> objects =
        Answers.page(xml(page + member.repeat(5000) + "</ListBucketResult>")).objects();
    assertEquals(5000, objects.size()); // whatever the parser's limit for entities
    assertEquals(new Store.Entry("\u00fc&b", 1L << 31), objects.getLast());
    assertNull(Answers.page(xml(page + "</ListBucketResult>")).next());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "no XML",
        "<ListBucketResult><IsTruncated>false</IsTruncated>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><NextContinuationToken>t</NextContinuationToken></ListBucketResult>",
        "<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>",
        "<!DOCTYPE l [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>"
            + "<ListBucketResult>&e;</ListBucketResult>",
      })
  void takesNoOtherAnswerForAPage(String answer) {
    assertThrows(IOException.class, () -> Answers.page(xml(answer)));
  }

  @Test
  void tellsAFaultAsFarAsItCanBeRead() {
    String fault = "<Error><Code>NoSuchKey</Code><Message>gone</Message><Key>&#1;</Key></Error>";
    FailedAttempt failed = Answers.fault(404, fault.getBytes(StandardCharsets.UTF_8));
    assertEquals("NoSuchKey", failed.code());
    assertEquals("404 NoSuchKey: gone", failed.getMessage());
    assertEquals(404, failed.status());
    assertEquals(503, Answers.fault(503, "busy".getBytes(StandardCharsets.UTF_8)).status());
    assertEquals("", Answers.fault(301, new byte[0]).code());
    String page = "<html><Code>SlowDown</Code></html>";
    assertEquals("", Answers.fault(503, page.getBytes(StandardCharsets.UTF_8)).code());
  }

  /** S3 may answer 200 and have failed. */
  @Test
  void tellsTheErrorInTheAnswerOf200() {
    String error = "<Error><Code>SlowDown</Code></Error>";
    FailedAttempt failed = assertThrows(FailedAttempt.class, () -> Answers.requireCopy(xml(error)));
    assertEquals("SlowDown", failed.code());
    assertEquals(200, failed.status());
    assertEquals(
        "SlowDown", assertThrows(FailedAttempt.class, () -> Answers.page(xml(error))).code());
  }
}
