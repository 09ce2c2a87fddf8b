// Package queue knows how exporterhelper's persistent queue writes down where it is.
//
// The queue keeps its requests under consecutive numbers, beside one record: the number of the request that is read next, that of the next one to be
// written, and those that were read and are being sent. When it starts it appends the latter again as the newest. Reading from the oldest of
// them on instead keeps the order; a number between them whose request was sent meanwhile has none any more, and the queue skips it.
package queue

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Key is where the record is, a protobuf message (exporterhelper/internal/queue/meta.proto, version 0).
const Key = "qmv0"

// Numbers of the record's fields. Fields that are not known, and the sizes, which count what is being sent as well, are kept as they are.
const (
	readIndex  = 3
	writeIndex = 4
	dispatched = 5
)

// Rewind returns the record of a queue that begins with the oldest request that was being sent, and how many these were: none, and the record as it
// is, for a queue that was sending nothing.
func Rewind(record []byte) (rewound []byte, moved int, err error) {
	var rest []byte
	var sending []uint64
	var read, written uint64
	for left := record; len(left) > 0; {
		number, kind, tag := protowire.ConsumeTag(left)
		if tag < 0 {
			return record, 0, fmt.Errorf("the record is damaged: %w", protowire.ParseError(tag))
		}
		size := protowire.ConsumeFieldValue(number, kind, left[tag:])
		if size < 0 {
			return record, 0, fmt.Errorf("the record is damaged: %w", protowire.ParseError(size))
		}
		field, value := left[:tag+size], left[tag:tag+size]
		left = left[tag+size:]
		switch {
		case number == dispatched && kind == protowire.BytesType: // packed, as numbers of proto3 are
			packed, _ := protowire.ConsumeBytes(value)
			for len(packed) > 0 {
				index, n := protowire.ConsumeFixed64(packed)
				if n < 0 {
					return record, 0, fmt.Errorf("the record is damaged: %w", protowire.ParseError(n))
				}
				sending, packed = append(sending, index), packed[n:]
			}
			continue
		case number == dispatched && kind == protowire.Fixed64Type:
			index, _ := protowire.ConsumeFixed64(value)
			sending = append(sending, index)
			continue
		case number == readIndex && kind == protowire.Fixed64Type:
			read, _ = protowire.ConsumeFixed64(value)
			continue
		case number == writeIndex && kind == protowire.Fixed64Type:
			written, _ = protowire.ConsumeFixed64(value)
		}
		rest = append(rest, field...)
	}
	if len(sending) == 0 {
		return record, 0, nil
	}
	oldest := sending[0]
	for _, index := range sending {
		if index >= read {
			return record, 0, errors.New("the record says of a request that it was sent before it was read")
		}
		oldest = min(oldest, index)
	}
	if read > written {
		return record, 0, errors.New("the record says of a request that it was read before it was written")
	}
	rest = protowire.AppendTag(rest, readIndex, protowire.Fixed64Type)
	return protowire.AppendFixed64(rest, oldest), len(sending), nil
}
