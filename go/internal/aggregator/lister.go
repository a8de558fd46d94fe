// Step lister: the day's sources in the byte order of their keys (SPEC L1 to L7, P4).
// Holds the names of all day folders, one page that is being read and at most ten ahead.

package aggregator

import (
	"context"
	"iter"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// pagesAhead of the consumer's page are listed at most (P4). With those of the current
// folder they are the first pages of later ones, which leave room for its next page.
const (
	pagesAhead      = 10
	firstPagesAhead = pagesAhead - 1
)

var organisationID = regexp.MustCompile(`^o-[a-z0-9]+$`)

// Lister lists the sources of one bucket.
type Lister struct {
	store       Store
	journal     *Journal
	bucket      string
	root        string // ends in AWSLogs/
	concurrency int
}

// NewLister lists the source bucket of the settings.
func NewLister(store Store, config Config, journal *Journal) *Lister {
	return &Lister{store, journal, config.SourceBucket, config.SourcePrefix + "AWSLogs/", config.Concurrency}
}

// Listed is the sources of a page, perhaps none. Passed is called when the consumer is
// done with them and with those of every page before: it makes room for another page.
type Listed struct {
	Sources []Object
	Passed  func()
}

// Pages yields the day's sources by page, or ends with an error: NO_TRAIL, S3_ERROR or
// the cause of the ended context. Later pages are fetched while earlier ones are read.
func (l *Lister) Pages(ctx context.Context, day Day) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		folders, err := l.dayFolders(ctx, day)
		if err != nil {
			yield(Listed{}, err)
			return
		}
		room := semaphore.NewWeighted(pagesAhead + 1)
		passed := func() { room.Release(1) }
		for page, err := range l.pages(ctx, room, folders) {
			isMarker := func(object Object) bool { return strings.HasSuffix(object.Key, "/") } // L5
			if !yield(Listed{slices.DeleteFunc(page.Objects, isMarker), passed}, err) {
				return
			}
		}
	}
}

// pages yields every page of the folders in their order. Each has taken its room.
func (l *Lister) pages(ctx context.Context, room *semaphore.Weighted, folders []string) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		group, ctx := errgroup.WithContext(ctx)
		defer func() {
			cancel()
			_ = group.Wait() // its first error is the context's cause, which receive gave
		}()
		fetch := func(folder, token string) <-chan Page {
			fetched := make(chan Page, 1)
			hasRoom := room.TryAcquire(1) // here, so that earlier pages come first
			group.Go(func() (err error) {
				defer catchPanic(&err)
				if !hasRoom && room.Acquire(ctx, 1) != nil {
					return context.Cause(ctx)
				}
				page, err := l.listPage(ctx, folder, "", token)
				if err == nil {
					fetched <- page
				}
				return err
			})
			return fetched
		}
		var firstPages []<-chan Page
		for i, folder := range folders {
			for len(firstPages) <= firstPagesAhead && i+len(firstPages) < len(folders) {
				firstPages = append(firstPages, fetch(folders[i+len(firstPages)], ""))
			}
			next := firstPages[0]
			firstPages = firstPages[1:]
			for next != nil {
				page, err := receive(ctx, next)
				if next = nil; page.Next != "" {
					next = fetch(folder, page.Next)
				}
				if !yield(page, err) || err != nil {
					return
				}
			}
		}
	}
}

// receive waits for a value, but no longer than the context lasts.
// A closed channel gives the zero value.
func receive[T any](ctx context.Context, from <-chan T) (T, error) {
	select {
	case value := <-from:
		return value, nil
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// dayFolders finds every .../CloudTrail/{region}/yyyy/mm/dd/ that may hold sources. Their
// order is that of the keys in them: Go compares strings by byte, and none begins another (L6).
func (l *Lister) dayFolders(ctx context.Context, day Day) ([]string, error) {
	var accounts, organisations []string
	top, err := l.subfolders(ctx, []string{l.root})
	if err != nil {
		return nil, err
	}
	for _, folder := range top {
		name := lastSegment(folder)
		if accountID.MatchString(name) && (day.Account == "" || day.Account == name) {
			accounts = append(accounts, folder)
		} else if organisationID.MatchString(name) {
			organisations = append(organisations, folder)
		}
	}
	members, err := l.members(ctx, organisations, day.Account)
	if err != nil {
		return nil, err
	}
	trails := append(accounts, members...)
	for i := range trails {
		trails[i] += "CloudTrail/"
	}
	regions, err := l.subfolders(ctx, trails)
	if err != nil {
		return nil, err
	}
	if len(regions) == 0 {
		return nil, failure(NoTrail, "%s", escapeKey(l.root))
	}
	for i := range regions {
		regions[i] += day.Path()
	}
	slices.Sort(regions)
	return regions, nil
}

// members gives the account folders of organisations; one account is not looked for.
func (l *Lister) members(ctx context.Context, organisations []string, account string) ([]string, error) {
	if account == "" {
		folders, err := l.subfolders(ctx, organisations)
		isNoAccount := func(folder string) bool { return !accountID.MatchString(lastSegment(folder)) }
		return slices.DeleteFunc(folders, isNoAccount), err
	}
	var folders []string
	for _, organisation := range organisations {
		folders = append(folders, organisation+account+"/")
	}
	return folders, nil
}

// subfolders lists what stands directly below each of the folders, concurrently.
func (l *Lister) subfolders(ctx context.Context, folders []string) ([]string, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.concurrency)
	found := make([][]string, len(folders))
	for i, folder := range folders {
		group.Go(func() (err error) {
			defer catchPanic(&err)
			for token, more := "", true; more; more = token != "" {
				page, err := l.listPage(ctx, folder, "/", token)
				if err != nil {
					return err
				}
				found[i] = append(found[i], page.Prefixes...)
				token = page.Next
			}
			return nil
		})
	}
	err := group.Wait()
	return slices.Concat(found...), err
}

func (l *Lister) listPage(ctx context.Context, prefix, delimiter, token string) (Page, error) {
	ctx, ended := l.journal.Request(ctx, PhaseList)
	defer ended()
	return l.store.ListPage(ctx, l.bucket, prefix, delimiter, token)
}

func lastSegment(folder string) string {
	folder = strings.TrimSuffix(folder, "/")
	return folder[strings.LastIndexByte(folder, '/')+1:]
}
