// Skip on first reading. The plain version is group.Go for each task. Here the same goroutines
// take one task after the other: a new one would have to grow its stack each time, by copying,
// until it holds the frames of AWS's SDK.
// Gain: the SDK's CPU times 0.88 [0.84-0.93]; light's CPU does not change (see
// docs/performance/go.md for the way to measure).

package tuning

import "golang.org/x/sync/errgroup"

// Workers are goroutines of a group that stay for the next task.
type Workers struct{ tasks chan func() error }

// NewWorkers starts n of them. Each ends when its own task fails, or after Close.
func NewWorkers(group *errgroup.Group, n int) *Workers {
	w := &Workers{make(chan func() error, n)}
	for range n {
		group.Go(func() error {
			for task := range w.tasks {
				if err := task(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return w
}

// Go hands over a task. With at most n tasks that are not done it does not wait.
func (w *Workers) Go(task func() error) { w.tasks <- task }

// Close says that no task follows.
func (w *Workers) Close() { close(w.tasks) }
