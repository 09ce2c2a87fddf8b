package forecast

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func encoded(tb testing.TB, h *History) []byte {
	tb.Helper()
	data, err := h.AppendBinary(nil)
	require.NoError(tb, err)
	return data
}

// head is the beginning of a history whose newest sample has so many addresses.
func head(newest uint64, allocated float64) []byte {
	data := binary.AppendUvarint([]byte{version}, newest)
	data = binary.LittleEndian.AppendUint64(data, math.Float64bits(allocated))
	return append(binary.LittleEndian.AppendUint64(data, math.Float64bits(2)), flagAllocated)
}

func TestUnmarshalRefuses(t *testing.T) {
	h, _ := watched(3, func(t float64) Sample { return Sample{Allocated: count(100 + t), Blocks: count(t / 10)} })
	whole := encoded(t, h)
	for name, tc := range map[string]struct {
		data []byte
		err  string
	}{
		"nothing":                          {nil, "truncated"},
		"another version":                  {[]byte{version + 1, 0}, "version 3 is not 2"},
		"a version alone":                  {[]byte{version}, "truncated"},
		"a time after the year 9999":       {binary.AppendUvarint([]byte{version}, lastSecond+1), "after the year 9999"},
		"a time that does not fit":         {append([]byte{version}, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255), "truncated"},
		"half a newest sample":             {head(1735689600, 5)[:9], "truncated"},
		"a newest sample without a number": {head(1735689600, math.NaN()), "is none"},
		"flags that there are not":         {append(head(1735689600, 5)[:22], flagsEnd), "flags 4 are none"},
		"no flags":                         {head(1735689600, 5)[:22], "truncated"},
		"no buckets":                       {head(1735689600, 5), "truncated"},
		"a run of no bucket":               {append(head(1735689600, 5), codeUnknown, 0), "0 unknown buckets"},
		"a run of more than are left":      {append(head(1735689600, 5), codeUnknown, fineBuckets+1), "97 unknown buckets where 96 are left"},
		"a run without its length":         {append(head(1735689600, 5), codeUnknown), "truncated"},
		"a negative value":                 {append(head(1735689600, 5), codeDelta+1), "value -1 is out of range"},
		"half a value":                     {append(head(1735689600, 5), codeFloat, 0, 0), "truncated"},
		"an infinite value":                {append(head(1735689600, 5), codeFloat, 0, 0, 0x80, 0x7f), "no count"},
		"a value that is not a number":     {append(head(1735689600, 5), codeFloat, 0, 0, 0xc0, 0x7f), "no count"},
		"one byte less":                    {whole[:len(whole)-1], "truncated"},
		"one byte more":                    {append(whole[:len(whole):len(whole)], 0), "1 bytes too many"},
	} {
		t.Run(name, func(t *testing.T) {
			kept, _ := watched(1, func(t float64) Sample { return Sample{Allocated: count(t)} })
			before := encoded(t, kept)
			require.ErrorContains(t, kept.UnmarshalBinary(tc.data), tc.err)
			require.Equal(t, before, encoded(t, kept), "the history is what it was")
		})
	}
}

func TestAnEmptyHistoryIsTwoBytes(t *testing.T) {
	var h History
	require.Equal(t, []byte{version, 0}, encoded(t, &h))
	full, _ := watched(3, func(t float64) Sample { return Sample{Allocated: count(t)} })
	require.NoError(t, full.UnmarshalBinary(encoded(t, &h)))
	require.Equal(t, h, *full)
}

func FuzzUnmarshal(f *testing.F) {
	for _, days := range []int{0, 1, 20} {
		h, _ := watched(days, func(t float64) Sample { return Sample{Allocated: 100.5 + t, Blocks: count(t / 10)} })
		f.Add(encoded(f, h))
	}
	f.Add([]byte{version, 0})
	f.Add(head(1, 5))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h History
		if h.UnmarshalBinary(data) != nil {
			return
		}
		var again History
		require.NoError(t, again.UnmarshalBinary(encoded(t, &h)))
		require.Equal(t, encoded(t, &h), encoded(t, &again))
		var forecaster Forecaster
		at := time.Unix(h.newest, 0)
		checkForecast(t, forecaster.Predict(&h, at, Limits{Addresses: 1000, Blocks: 20}), at)
	})
}
