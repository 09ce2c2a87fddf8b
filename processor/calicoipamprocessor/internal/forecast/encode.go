package forecast

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var (
	_ encoding.BinaryAppender    = (*History)(nil)
	_ encoding.BinaryUnmarshaler = (*History)(nil)
)

// version is the first byte of what AppendBinary writes. A history of another version is refused, and the pool begins a new one.
const version = 2

// The codes before a value. What is larger is a difference to the value before: most values are small whole numbers that differ little.
const (
	// codeUnknown is followed by the number of buckets in a row of which nothing is known.
	codeUnknown = iota
	// codeFloat is followed by the four bytes of a float32.
	codeFloat
	// codeDelta plus the zigzag form of a difference.
	codeDelta
)

// wholeLimit is where float32 stops to hold every whole number.
const wholeLimit = 1 << 24

var errTruncated = errors.New("truncated")

// AppendBinary appends the history to b: a version, the newest sample, what was foretold and the buckets, oldest first. It returns no error.
func (h *History) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, version)
	b = binary.AppendUvarint(b, uint64(h.newest))
	if h.newest == 0 {
		return b, nil
	}
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(h.last.Allocated))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(h.last.Blocks))
	b = append(b, h.foretold.flags())
	for _, of := range []resource{allocatedOf, blocksOf} {
		b = appendRing(b, h.fine[:], h.newest/fineSeconds, of)
		b = appendRing(b, h.hours[:], h.newest/hourSeconds, of)
	}
	return b, nil
}

// The flags of what was foretold.
const (
	flagAllocated = 1 << iota
	flagBlocks
	flagsEnd
)

func (f foretold) flags() (flags byte) {
	if f.allocated {
		flags |= flagAllocated
	}
	if f.blocks {
		flags |= flagBlocks
	}
	return flags
}

func appendRing(b []byte, ring []bucket, newest int64, of resource) []byte {
	length := int64(len(ring))
	var before int64
	var run uint64
	for i := int64(1); i <= length; i++ {
		v := of(ring[(newest+i)%length])
		if v != v {
			run++
			continue
		}
		b = appendRun(b, run)
		run = 0
		if whole := int64(v); float32(whole) == v && whole < wholeLimit {
			difference := whole - before
			b = binary.AppendUvarint(b, codeDelta+uint64(difference<<1^difference>>63))
			before = whole
			continue
		}
		b = append(b, codeFloat)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return appendRun(b, run)
}

func appendRun(b []byte, run uint64) []byte {
	if run == 0 {
		return b
	}
	return binary.AppendUvarint(append(b, codeUnknown), run)
}

// UnmarshalBinary replaces the history by one that AppendBinary wrote. After an error the history is what it was before.
func (h *History) UnmarshalBinary(data []byte) error {
	d := decoder{data: data}
	decoded, err := d.history()
	if err != nil {
		return fmt.Errorf("read a history of %d bytes: %w", len(data), err)
	}
	*h = decoded
	return nil
}

// decoder reads data from its beginning, and cuts off what was read.
type decoder struct {
	data []byte
}

func (d *decoder) history() (h History, err error) {
	head, err := d.take(1)
	if err != nil {
		return h, err
	}
	if head[0] != version {
		return h, fmt.Errorf("version %d is not %d", head[0], version)
	}
	newest, err := d.uvarint()
	if err != nil {
		return h, err
	}
	if newest > lastSecond {
		return h, fmt.Errorf("newest sample at %d is after the year 9999", newest)
	}
	h.newest = int64(newest)
	if newest > 0 {
		if err := d.samples(&h); err != nil {
			return h, err
		}
	}
	if len(d.data) > 0 {
		return h, fmt.Errorf("%d bytes too many", len(d.data))
	}
	return h, nil
}

func (d *decoder) samples(h *History) error {
	last, err := d.take(16)
	if err != nil {
		return err
	}
	h.last.Allocated = math.Float64frombits(binary.LittleEndian.Uint64(last))
	h.last.Blocks = math.Float64frombits(binary.LittleEndian.Uint64(last[8:]))
	if !isCount(h.last.Allocated) || !isCount(h.last.Blocks) && !math.IsNaN(h.last.Blocks) {
		return fmt.Errorf("newest sample %v is none", h.last)
	}
	flags, err := d.take(1)
	if err != nil {
		return err
	}
	if flags[0] >= flagsEnd {
		return fmt.Errorf("flags %d are none", flags[0])
	}
	h.foretold = foretold{allocated: flags[0]&flagAllocated > 0, blocks: flags[0]&flagBlocks > 0}
	for _, of := range []func(*bucket) *float32{
		func(b *bucket) *float32 { return &b.allocated },
		func(b *bucket) *float32 { return &b.blocks },
	} {
		if err := d.ring(h.fine[:], h.newest/fineSeconds, of); err != nil {
			return err
		}
		if err := d.ring(h.hours[:], h.newest/hourSeconds, of); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) ring(ring []bucket, newest int64, of func(*bucket) *float32) error {
	length := int64(len(ring))
	var before int64
	for i := int64(1); i <= length; {
		code, err := d.uvarint()
		if err != nil {
			return err
		}
		value, run := unknown, int64(1)
		switch code {
		case codeUnknown:
			unknowns, err := d.uvarint()
			if err != nil {
				return err
			}
			if unknowns == 0 || unknowns > uint64(length-i+1) {
				return fmt.Errorf("%d unknown buckets where %d are left", unknowns, length-i+1)
			}
			run = int64(unknowns)
		case codeFloat:
			raw, err := d.take(4)
			if err != nil {
				return err
			}
			value = math.Float32frombits(binary.LittleEndian.Uint32(raw))
		default:
			code -= codeDelta
			before += int64(code>>1) ^ -int64(code&1)
			if before < 0 || before >= wholeLimit {
				return fmt.Errorf("value %d is out of range", before)
			}
			value = float32(before)
		}
		if code != codeUnknown && !isCount(float64(value)) {
			return fmt.Errorf("value %v is no count", value)
		}
		for ; run > 0; run-- {
			*of(&ring[(newest+i)%length]) = value
			i++
		}
	}
	return nil
}

func (d *decoder) uvarint() (uint64, error) {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		return 0, errTruncated
	}
	d.data = d.data[n:]
	return v, nil
}

func (d *decoder) take(n int) ([]byte, error) {
	if len(d.data) < n {
		return nil, errTruncated
	}
	taken := d.data[:n]
	d.data = d.data[n:]
	return taken, nil
}
