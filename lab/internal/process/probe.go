package process

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// HTTPProbe returns a probe that wants status 200 from url and, if contains is not empty, that text in the body.
func HTTPProbe(client *http.Client, url, contains string) func(context.Context) error {
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
		if !strings.Contains(string(body), contains) {
			return fmt.Errorf("probe %s: the answer does not contain %q yet", url, contains)
		}
		return nil
	}
}
