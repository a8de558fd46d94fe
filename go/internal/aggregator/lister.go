// Step lister: the day's sources in the byte order of their keys (SPEC L1 to L7, P4).
// Holds the names of all day folders, the consumer's page and at most ten pages ahead of it.

package aggregator

import (
	"context"
	"iter"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"rosetta/internal/tuning"
)

const pagesAhead = 10 // of the consumer's page (P4)

var organisationID = regexp.MustCompile(`^o-[a-z0-9]+$`)

// Lister lists the sources of one bucket.
type Lister struct {
	store       Store
	bucket      string
	root        string // ends in AWSLogs/
	concurrency int
}

// NewLister lists the source bucket of the settings.
func NewLister(store Store, config Config) *Lister {
	return &Lister{store, config.SourceBucket, config.SourcePrefix + "AWSLogs/", config.Concurrency}
}

// Listed is the sources of a page, perhaps none. The consumer calls Passed when it is done
// with them and with every page before: that makes room for another page.
type Listed struct {
	Sources []Object
	Passed  func()
}

// Pages yields the day's sources by page, or ends with an error: NO_TRAIL, S3_ERROR or
// the cause of the ended context. Later pages are listed while earlier ones are read.
func (l *Lister) Pages(ctx context.Context, day Day) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		folders, err := l.dayFolders(ctx, day)
		if err != nil {
			yield(Listed{}, err)
			return
		}
		isMarker := func(object Object) bool { return strings.HasSuffix(object.Key, "/") } // L5
		for page, err := range tuning.ListAhead(ctx, folders, pagesAhead, l.listPage) {
			sources := slices.DeleteFunc(page.Value.Objects, isMarker)
			if !yield(Listed{sources, page.Passed}, err) {
				return
			}
		}
	}
}

func (l *Lister) listPage(
	ctx context.Context, folder, token string,
) (page Page, next string, err error) {
	defer catchPanic(&err)
	page, err = l.store.ListPage(ctx, l.bucket, folder, "", token)
	return page, page.Next, err
}

// dayFolders finds every .../CloudTrail/{region}/yyyy/mm/dd/ that may hold sources. Their
// order is that of the keys in them: Go compares strings by byte, and no folder is a prefix of
// another one (L6).
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
	members, err := l.memberAccounts(ctx, organisations, day.Account)
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

// memberAccounts gives the account folders of organisations; one account is not looked for.
func (l *Lister) memberAccounts(
	ctx context.Context, organisations []string, account string,
) ([]string, error) {
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
				page, err := l.store.ListPage(ctx, l.bucket, folder, "/", token)
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

func lastSegment(folder string) string {
	folder = strings.TrimSuffix(folder, "/")
	return folder[strings.LastIndexByte(folder, '/')+1:]
}
