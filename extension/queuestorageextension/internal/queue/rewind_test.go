package queue

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// record is what the queue writes down, with sizes of 11 items and 12 bytes.
func record(read, written uint64, sending ...uint64) []byte {
	var b []byte
	for number, value := range []uint64{1: 11, 2: 12, readIndex: read, writeIndex: written} {
		if value > 0 { // what is 0 is left out
			b = protowire.AppendTag(b, protowire.Number(number), protowire.Fixed64Type)
			b = protowire.AppendFixed64(b, value)
		}
	}
	if len(sending) == 0 {
		return b
	}
	var packed []byte
	for _, index := range sending {
		packed = protowire.AppendFixed64(packed, index)
	}
	b = protowire.AppendTag(b, dispatched, protowire.BytesType)
	return protowire.AppendBytes(b, packed)
}

// fields are those of a record by their number.
func fields(t *testing.T, b []byte) map[protowire.Number]uint64 {
	t.Helper()
	found := map[protowire.Number]uint64{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		require.Positive(t, n)
		require.Equal(t, protowire.Fixed64Type, kind)
		value, m := protowire.ConsumeFixed64(b[n:])
		require.Positive(t, m)
		require.NotContains(t, found, number)
		found[number], b = value, b[n+m:]
	}
	return found
}

func TestAQueueBeginsWithTheOldestThatWasBeingSent(t *testing.T) {
	for _, c := range []struct {
		name    string
		record  []byte
		read    uint64
		moved   int
		written uint64
	}{
		{"one was", record(5, 9, 4), 4, 1, 9},
		{"the first of all was", record(1, 1, 0), 0, 1, 1},
		{"several were, in the order in which others ended", record(9, 9, 8, 4, 6), 4, 3, 9},
		{"far behind what is read next", record(1000, 2000, 3), 3, 1, 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			rewound, moved, err := Rewind(c.record)
			require.NoError(t, err)
			require.Equal(t, c.moved, moved)
			require.Equal(t, map[protowire.Number]uint64{1: 11, 2: 12, readIndex: c.read, writeIndex: c.written}, fields(t, rewound))
			again, moved, err := Rewind(rewound)
			require.NoError(t, err)
			require.Zero(t, moved, "nothing is being sent now")
			require.Equal(t, rewound, again)
		})
	}
	t.Run("whose numbers are not packed", func(t *testing.T) {
		b := record(9, 9)
		for _, index := range []uint64{7, 6} {
			b = protowire.AppendTag(b, dispatched, protowire.Fixed64Type)
			b = protowire.AppendFixed64(b, index)
		}
		rewound, moved, err := Rewind(b)
		require.NoError(t, err)
		require.Equal(t, 2, moved)
		require.EqualValues(t, 6, fields(t, rewound)[readIndex])
	})
	t.Run("fields of later versions are kept", func(t *testing.T) {
		b := protowire.AppendTag(record(5, 9, 4), 99, protowire.BytesType)
		b = protowire.AppendBytes(b, []byte("later"))
		rewound, _, err := Rewind(b)
		require.NoError(t, err)
		require.True(t, bytes.Contains(rewound, []byte("later")))
	})
}

func TestARecordStaysAsItIs(t *testing.T) {
	for name, b := range map[string][]byte{
		"of a queue that is new":                 nil,
		"of a queue that was sending nothing":    record(5, 9),
		"that is cut off":                        record(5, 9, 4)[:30],
		"that is no record":                      []byte("qmv0"),
		"that was sent before it was read":       record(5, 9, 5),
		"that was read before it was written":    record(10, 9, 4),
		"whose list of numbers is no list":       protowire.AppendBytes(protowire.AppendTag(nil, dispatched, protowire.BytesType), []byte("abc")),
		"whose first field is of another kind":   protowire.AppendVarint(protowire.AppendTag(nil, readIndex, protowire.VarintType), 3),
		"whose length is longer than the record": {5<<3 | 2, 0x7f},
	} {
		t.Run(name, func(t *testing.T) {
			got, moved, _ := Rewind(b)
			require.Zero(t, moved)
			require.Equal(t, b, got)
		})
	}
}

func FuzzRewind(f *testing.F) {
	f.Add(record(5, 9, 4))
	f.Add(record(9, 9, 8, 4, 6))
	f.Add([]byte{5<<3 | 2, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, moved, err := Rewind(b)
		if err != nil || moved == 0 {
			require.Equal(t, b, got)
			return
		}
		again, moved, err := Rewind(got)
		require.NoError(t, err)
		require.Zero(t, moved)
		require.Equal(t, got, again)
	})
}
