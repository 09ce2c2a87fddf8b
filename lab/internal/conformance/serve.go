package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// End follows the operations of a request.
type End struct {
	// End is always true: it tells the line from those of operations.
	End bool `json:"end"`
	// Operations are all so far.
	Operations int `json:"operations"`
}

// Serve answers requests until in ends. A request is a line with a number: so many operations are done by next, and told as a line of JSON each,
// which a line with End follows. The first End comes without a request, once all is ready.
func Serve(ctx context.Context, in io.Reader, out io.Writer, next func(context.Context) (Operation, error)) error {
	encoder := json.NewEncoder(out)
	done := 0
	if err := encoder.Encode(End{End: true}); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	requests := bufio.NewScanner(in)
	for requests.Scan() {
		count, err := strconv.Atoi(strings.TrimSpace(requests.Text()))
		if err != nil || count < 1 {
			return fmt.Errorf("read a request: %q is no number of operations", requests.Text())
		}
		for range count {
			operation, err := next(ctx)
			if err != nil {
				return err
			}
			done++
			if err := encoder.Encode(operation); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		if err := encoder.Encode(End{End: true, Operations: done}); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	if err := requests.Err(); err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	return nil
}
