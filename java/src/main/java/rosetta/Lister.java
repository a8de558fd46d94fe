// Step: lister. SPEC L1 to L7, P4: the day's sources in key order.
// Holds the day prefixes (accounts times regions), the page being read and at most ten pages ahead.
package rosetta;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.regex.Pattern;

/** Yields sources one by one; used by the one consumer only. */
final class Lister {
  private static final int PAGES_AHEAD = 10;
  private static final Pattern ACCOUNT = Pattern.compile("[0-9]{12}/");
  private static final Pattern ORGANISATION = Pattern.compile("o-[a-z0-9]+/");

  /** S3's order. {@link String#compareTo} has UTF-16's, which differs beyond U+FFFF. */
  static final Comparator<String> BYTE_ORDER =
      Comparator.comparing(key -> key.getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

  private record Pending(String prefix, Future<Store.Page> page) {}

  private final Store store;
  private final String bucket;
  private final ExecutorService tasks;
  private final Deadline deadline;
  private final Iterator<String> dayPrefixes;
  private final Deque<Pending> ahead = new ArrayDeque<>();
  private Iterator<Store.Entry> page = Collections.emptyIterator();
  private Store.Entry head;

  /** Discovers the folders; throws NO_TRAIL when no region folder exists. */
  Lister(Store store, Config config, Trigger.Day day, ExecutorService tasks, Deadline deadline) {
    this.store = store.countedAs(Journal.Phase.LIST);
    this.bucket = config.srcBucket();
    this.tasks = tasks;
    this.deadline = deadline;
    String root = config.srcPrefix() + "AWSLogs/";
    List<String> regions = regions(accounts(root, day.account()));
    if (regions.isEmpty()) {
      throw new AggregationException(Errors.Code.NO_TRAIL, Errors.escape(root));
    }
    dayPrefixes =
        regions.stream().map(region -> region + day.folder()).sorted(BYTE_ORDER).iterator();
    lookAhead();
  }

  /**
   * The next source, left in its place. Null at the end, and when its page isn't there yet and the
   * caller may not wait.
   */
  Store.Entry peek(boolean mayWait) {
    while (head == null) {
      if (page.hasNext()) {
        Store.Entry entry = page.next();
        head = entry.key().endsWith("/") ? null : entry; // L5: a folder marker
      } else if (ahead.isEmpty() || !(mayWait || ahead.element().page().isDone())) {
        return null;
      } else {
        begin(ahead.remove());
      }
    }
    return head;
  }

  /** Takes what {@link #peek} showed. */
  Store.Entry take() {
    Store.Entry taken = head;
    head = null;
    return taken;
  }

  private void begin(Pending pending) {
    Store.Page begun = deadline.await(pending.page());
    page = begun.objects().iterator();
    if (begun.next() != null) {
      ahead.addFirst(request(pending.prefix(), begun.next()));
    }
    lookAhead();
  }

  private void lookAhead() {
    while (ahead.size() < PAGES_AHEAD && dayPrefixes.hasNext()) {
      ahead.addLast(request(dayPrefixes.next(), null));
    }
  }

  private Pending request(String prefix, String token) {
    return new Pending(prefix, tasks.submit(() -> store.listPage(bucket, prefix, null, token)));
  }

  /** The account folders of both layouts: all, or the one asked for, which may not exist. */
  private List<String> accounts(String root, String account) {
    List<String> accounts = new ArrayList<>();
    List<Future<List<String>>> ofOrganisations = new ArrayList<>();
    if (account != null) {
      accounts.add(root + account + "/");
    }
    for (String folder : deadline.await(folders(root))) {
      String name = folder.substring(root.length());
      boolean isOrganisation = ORGANISATION.matcher(name).matches();
      if (account != null && isOrganisation) {
        accounts.add(folder + account + "/");
      } else if (isOrganisation) {
        ofOrganisations.add(folders(folder));
      } else if (account == null && ACCOUNT.matcher(name).matches()) {
        accounts.add(folder);
      }
    }
    for (Future<List<String>> folders : ofOrganisations) {
      for (String folder : deadline.await(folders)) {
        int name = folder.lastIndexOf('/', folder.length() - 2) + 1;
        if (ACCOUNT.matcher(folder.substring(name)).matches()) {
          accounts.add(folder);
        }
      }
    }
    return accounts;
  }

  private List<String> regions(List<String> accounts) {
    List<Future<List<String>>> ofAccounts =
        accounts.stream().map(account -> folders(account + "CloudTrail/")).toList();
    List<String> regions = new ArrayList<>();
    for (Future<List<String>> folders : ofAccounts) {
      regions.addAll(deadline.await(folders));
    }
    return regions;
  }

  private Future<List<String>> folders(String parent) {
    return tasks.submit(
        () -> {
          List<String> folders = new ArrayList<>();
          String token = null;
          do {
            Store.Page found = store.listPage(bucket, parent, "/", token);
            folders.addAll(found.prefixes());
            token = found.next();
          } while (token != null);
          return folders;
        });
  }
}
