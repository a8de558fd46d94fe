// Step: lister. SPEC L1 to L7, P4: the day's sources in key order.
// Holds the day prefixes (accounts times regions) and at most ten pages ahead of the consumer's.
package rosetta;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.regex.Pattern;

/**
 * Yields the sources by page. One thread asks for pages, and it alone takes room for them, in their
 * order; the consumer gives room back.
 */
final class Lister {
  private static final int PAGES_AHEAD = 10;
  private static final int ASKED_AHEAD = PAGES_AHEAD - 1; // a folder's next page finds room, too
  private static final Pattern ACCOUNT = Pattern.compile("[0-9]{12}/");
  private static final Pattern ORGANISATION = Pattern.compile("o-[a-z0-9]+/");

  /** S3's order. {@link String#compareTo} has UTF-16's, which differs beyond U+FFFF. */
  static final Comparator<String> BYTE_ORDER =
      Comparator.comparing(key -> key.getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

  /** A page that was asked for. */
  private record Pending(String prefix, Future<Store.Page> page) {}

  /** A folder's page that wasn't asked for yet. */
  private record Rest(String prefix, String token) {}

  private final Store store;
  private final String bucket;
  private final ExecutorService tasks;
  private final Deadline deadline;
  private final Iterator<String> dayPrefixes;
  private final Semaphore room = new Semaphore(1 + PAGES_AHEAD); // the consumer's page is one
  private final Deque<Pending> ahead = new ArrayDeque<>();
  private Rest rest;

  /** Discovers the folders, on the consumer's thread; throws NO_TRAIL when no region exists. */
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
   * The next page's sources, perhaps none, or null after the last page. Waits for room and for the
   * page; for one thread only.
   *
   * @throws ExecutionException with what the request threw
   */
  List<Store.Entry> nextPage() throws InterruptedException, ExecutionException {
    if (rest != null) {
      room.acquire();
      askForRest();
    } else if (ahead.isEmpty()) {
      if (!dayPrefixes.hasNext()) {
        return null;
      }
      room.acquire();
      ahead.add(request(dayPrefixes.next(), null));
    }
    Pending first = ahead.remove();
    Store.Page page = first.page().get();
    if (page.next() != null) {
      rest = new Rest(first.prefix(), page.next());
    }
    lookAhead();
    return page.objects().stream().filter(entry -> !entry.key().endsWith("/")).toList(); // L5
  }

  /** The consumer is done with one more page, in their order. */
  void passed() {
    room.release();
  }

  /** Asks for what there is room for now, in the order of the pages. */
  private void lookAhead() {
    if (rest != null && room.tryAcquire()) {
      askForRest();
    }
    while (rest == null
        && ahead.size() < ASKED_AHEAD
        && dayPrefixes.hasNext()
        && room.tryAcquire()) {
      ahead.addLast(request(dayPrefixes.next(), null));
    }
  }

  private void askForRest() {
    ahead.addFirst(request(rest.prefix(), rest.token()));
    rest = null;
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
