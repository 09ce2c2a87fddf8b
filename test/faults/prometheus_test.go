//go:build e2e

package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// held reads all that Prometheus holds by its API for remote reads, which unlike queries has markers of staleness as well.
func held(ctx context.Context, url string) (*samples, error) {
	request := &prompb.ReadRequest{Queries: []*prompb.Query{{
		StartTimestampMs: 0, EndTimestampMs: time.Now().Add(time.Hour).UnixMilli(),
		Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_NEQ, Name: "__name__", Value: ""}},
	}}}
	content, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v1/read", bytes.NewReader(snappy.Encode(nil, content)))
	if err != nil {
		return nil, err
	}
	call.Header.Set("Content-Encoding", "snappy")
	call.Header.Set("Content-Type", "application/x-protobuf")
	response, err := http.DefaultClient.Do(call)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("remote read: %s: %s", response.Status, body)
	}
	if content, err = snappy.Decode(nil, body); err != nil {
		return nil, err
	}
	var answer prompb.ReadResponse
	if err := answer.Unmarshal(content); err != nil {
		return nil, err
	}
	all := newSamples()
	for _, result := range answer.Results {
		for _, ts := range result.Timeseries {
			all.add([]prompb.TimeSeries{*ts})
		}
	}
	return all, nil
}
