// Step: lister. SPEC L1 to L7, P4: the day's sources in key order.
// Holds the day's folders (accounts times regions) and at most ten pages ahead of the consumer's.
package rosetta;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import rosetta.Errors.RunFailure;

/**
 * Gives the sources page by page to the one thread that fills the reader's window. It asks for the
 * first pages of the next folders ahead; other threads make the requests.
 */
final class Lister {
  private static final int PAGES_AHEAD = 10;
  private static final int ASKED_AHEAD = PAGES_AHEAD - 1; // one place is for a folder's next page
  private static final Pattern ACCOUNT = Pattern.compile(".*/[0-9]{12}/", Pattern.DOTALL);
  private static final Pattern ORGANISATION = Pattern.compile(".*/o-[a-z0-9]+/", Pattern.DOTALL);

  /** A page that was asked for. */
  private record Pending(String folder, Future<Store.Page> page) {}

  /** A folder's next page, not asked for yet. */
  private record Rest(String folder, String token) {}

  private final Store store;
  private final Config config;
  private final Trigger.Day day;
  private final ExecutorService tasks;
  private final Semaphore room = new Semaphore(1 + PAGES_AHEAD); // one is the consumer's page
  private final Deque<Pending> ahead = new ArrayDeque<>();
  private Iterator<String> dayFolders;
  private Rest rest;

  Lister(Store store, Config config, Trigger.Day day, ExecutorService tasks) {
    this.store = store.countedAs(Journal.Phase.LIST);
    this.config = config;
    this.day = day;
    this.tasks = tasks;
  }

  /**
   * The next page's sources, perhaps none, or null after the last page. Throws NO_TRAIL when no
   * region exists. Waits for room and for the page.
   */
  List<Store.Entry> nextPage() throws InterruptedException {
    if (dayFolders == null) {
      dayFolders = dayFolders();
      askAhead();
    }
    if (rest != null) {
      room.acquire();
      askForRest();
    } else if (ahead.isEmpty()) {
      if (!dayFolders.hasNext()) {
        return null;
      }
      room.acquire();
      ahead.add(ask(dayFolders.next(), null));
    }
    Pending first = ahead.remove();
    Store.Page page = Errors.outcome(first.page());
    if (page.next() != null) {
      rest = new Rest(first.folder(), page.next());
    }
    askAhead();
    return page.objects().stream().filter(entry -> !entry.key().endsWith("/")).toList(); // L5
  }

  /** The consumer is done with one more page. */
  void pageConsumed() {
    room.release();
  }

  /** Asks for the pages that there is room for now, in their order. */
  private void askAhead() {
    if (rest != null && room.tryAcquire()) {
      askForRest();
    }
    while (rest == null
        && ahead.size() < ASKED_AHEAD
        && dayFolders.hasNext()
        && room.tryAcquire()) {
      ahead.addLast(ask(dayFolders.next(), null));
    }
  }

  private void askForRest() {
    ahead.addFirst(ask(rest.folder(), rest.token()));
    rest = null;
  }

  private Pending ask(String folder, String token) {
    return new Pending(
        folder, tasks.submit(() -> store.listPage(config.srcBucket(), folder, null, token)));
  }

  /** The day's folder of each region, in key order; it may not exist. */
  private Iterator<String> dayFolders() throws InterruptedException {
    String root = config.srcPrefix() + "AWSLogs/";
    List<String> trails =
        accounts(root, day.account()).stream().map(account -> account + "CloudTrail/").toList();
    List<String> regions = foldersIn(trails);
    if (regions.isEmpty()) {
      throw new RunFailure(Errors.Code.NO_TRAIL, Errors.escape(root));
    }
    Stream<String> folders = regions.stream().map(region -> region + day.folder());
    return folders.sorted(Store.BYTE_ORDER).iterator();
  }

  /** The account folders of both layouts: all, or the one asked for, which may not exist. */
  private List<String> accounts(String root, String account) throws InterruptedException {
    List<String> top = foldersIn(List.of(root));
    List<String> organisations = top.stream().filter(ORGANISATION.asMatchPredicate()).toList();
    if (account != null) {
      return Stream.concat(Stream.of(root), organisations.stream())
          .map(parent -> parent + account + "/")
          .toList();
    }
    return Stream.concat(top.stream(), foldersIn(organisations).stream())
        .filter(ACCOUNT.asMatchPredicate())
        .toList();
  }

  /** The folders directly below these, listed side by side. */
  private List<String> foldersIn(List<String> parents) throws InterruptedException {
    List<Future<List<String>>> listings =
        parents.stream().map(parent -> tasks.submit(() -> foldersIn(parent))).toList();
    List<String> folders = new ArrayList<>();
    for (Future<List<String>> listing : listings) {
      folders.addAll(Errors.outcome(listing));
    }
    return folders;
  }

  private List<String> foldersIn(String parent) {
    return store
        .pages(config.srcBucket(), parent, "/")
        .flatMap(page -> page.prefixes().stream())
        .toList();
  }
}
