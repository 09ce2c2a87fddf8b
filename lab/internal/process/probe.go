package process

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Contains returns a condition of HTTPProbe: the body contains text.
func Contains(text string) func(body string) error {
	return func(body string) error {
		if !strings.Contains(body, text) {
			return fmt.Errorf("the answer does not contain %q yet", text)
		}
		return nil
	}
}

// Positive returns a condition of HTTPProbe: the body is in Prometheus' text format and has that series, written as there,
// with a value above zero.
func Positive(series string) func(body string) error {
	return func(body string) error {
		for _, line := range strings.Split(body, "\n") {
			rest, found := strings.CutPrefix(line, series+" ")
			if !found {
				continue
			}
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				return fmt.Errorf("parse the value of %s: %w", series, err)
			}
			if value <= 0 {
				return fmt.Errorf("%s is %v, not above zero yet", series, value)
			}
			return nil
		}
		return fmt.Errorf("the answer has no %s yet", series)
	}
}

// HTTPProbe returns a probe that wants status 200 from url and, if accept is not nil, a body that it accepts.
func HTTPProbe(client *http.Client, url string, accept func(body string) error) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("probe %s: %w", url, err)
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
		if err != nil {
			return fmt.Errorf("probe %s: %w", url, err)
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("probe %s: status %s", url, response.Status)
		}
		if accept == nil {
			return nil
		}
		if err := accept(string(body)); err != nil {
			return fmt.Errorf("probe %s: %w", url, err)
		}
		return nil
	}
}
