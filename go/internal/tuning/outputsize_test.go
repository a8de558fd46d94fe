package tuning

import (
	"encoding/binary"
	"testing"
)

func TestOutputSizeBelievesOnlyClaimsThatCanBeTrue(t *testing.T) {
	for _, c := range []struct {
		claimed     uint32
		limit, want int
	}{
		{100, 1000, 101},
		{1 << 31, 1000, 1001},
		{1 << 31, 1 << 30, 20*1032 + 1},
	} {
		body := make([]byte, 20)
		binary.LittleEndian.PutUint32(body[16:], c.claimed)
		if got := OutputSize(body, c.limit); got != c.want {
			t.Errorf("%d claimed, at most %d: %d, not %d", c.claimed, c.limit, got, c.want)
		}
	}
}
