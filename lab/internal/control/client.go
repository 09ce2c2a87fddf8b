package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
)

// maxAnswer is far more than a list of parts or an error with the end of a log.
const maxAnswer = 1 << 20

// Client controls the lab in one state directory.
type Client struct{ http *http.Client }

// NewClient returns a Client for the lab in dir, which it does not look for yet.
func NewClient(dir string) *Client {
	return &Client{http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			opened, address, err := socket(dir)
			if err != nil {
				return nil, err
			}
			defer opened.Close()
			return (&net.Dialer{}).DialContext(ctx, "unix", address)
		},
	}}}
}

// Parts tells how every part of the lab is.
func (c *Client) Parts(ctx context.Context) ([]process.Status, error) {
	var parts []process.Status
	err := c.do(ctx, http.MethodGet, partsPath, &parts)
	return parts, err
}

// Control does action to a part and waits until the part answers, for at most wait, if that is above zero. It says whether the
// part was not like that already.
func (c *Client) Control(ctx context.Context, name string, action Action, wait time.Duration) (changed bool, err error) {
	path := fmt.Sprintf("%s/%s/%s?%s=%s", partsPath, url.PathEscape(name), action, waitKey, wait)
	var done outcome
	err = c.do(ctx, http.MethodPost, path, &done)
	return done.Changed, err
}

func (c *Client) do(ctx context.Context, method, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://lab"+path, nil)
	if err != nil {
		return fmt.Errorf("ask the lab: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask the lab: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("ask the lab: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode the lab's answer: %w", err)
	}
	return nil
}
