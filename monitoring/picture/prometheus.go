package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// points is how many of a series are drawn, at most.
const points = 240

// prometheus is what answers, for a span of time.
type prometheus struct {
	url        string
	start, end time.Time
	interval   time.Duration
}

// series is what a query answers with. An instant query has one sample a series.
type series struct {
	labels  map[string]string
	samples []sample
	name    string
	// ref is the query, and color how its line is drawn.
	ref   string
	color string
}

type sample struct {
	at    time.Time
	value float64
}

// last is the newest value.
func (s series) last() float64 {
	if len(s.samples) == 0 {
		return math.NaN()
	}
	return s.samples[len(s.samples)-1].value
}

func (s series) max() float64 {
	highest := math.Inf(-1)
	for _, p := range s.samples {
		highest = math.Max(highest, p.value)
	}
	return highest
}

// step is the time between two points, of whole scrapes.
func (p *prometheus) step() time.Duration {
	step := p.end.Sub(p.start) / points
	return max(p.interval, step.Round(p.interval))
}

func (p *prometheus) instant(ctx context.Context, query string) ([]series, error) {
	return p.ask(ctx, "query", url.Values{"query": {query}, "time": {stamp(p.end)}})
}

func (p *prometheus) over(ctx context.Context, query string) ([]series, error) {
	step := strconv.FormatFloat(p.step().Seconds(), 'f', -1, 64)
	return p.ask(ctx, "query_range", url.Values{"query": {query}, "start": {stamp(p.start)}, "end": {stamp(p.end)}, "step": {step}})
}

func (p *prometheus) labelValues(ctx context.Context, label, selector string) ([]string, error) {
	parameters := url.Values{"start": {stamp(p.start)}, "end": {stamp(p.end)}}
	if selector != "" {
		parameters.Set("match[]", selector)
	}
	var values []string
	return values, p.get(ctx, "label/"+url.PathEscape(label)+"/values", parameters, &values)
}

func (p *prometheus) ask(ctx context.Context, path string, parameters url.Values) ([]series, error) {
	var data struct {
		Result []struct {
			Metric map[string]string `json:"metric"`
			Value  [2]any            `json:"value"`
			Values [][2]any          `json:"values"`
		} `json:"result"`
	}
	if err := p.get(ctx, path, parameters, &data); err != nil {
		return nil, err
	}
	all := make([]series, 0, len(data.Result))
	for _, result := range data.Result {
		s := series{labels: result.Metric}
		if result.Values == nil {
			result.Values = [][2]any{result.Value}
		}
		for _, pair := range result.Values {
			at, _ := pair[0].(float64)
			text, _ := pair[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("%v is no sample", pair)
			}
			if !math.IsNaN(value) {
				s.samples = append(s.samples, sample{time.UnixMilli(int64(at * 1000)), value})
			}
		}
		if len(s.samples) > 0 {
			all = append(all, s)
		}
	}
	return all, nil
}

func (p *prometheus) get(ctx context.Context, path string, parameters url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/v1/"+path, strings.NewReader(parameters.Encode()))
	if strings.HasPrefix(path, "label/") {
		request, err = http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/"+path+"?"+parameters.Encode(), nil)
	}
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Status string          `json:"status"`
		Error  string          `json:"error"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s of Prometheus: %w", path, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", parameters.Get("query"), answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

func stamp(at time.Time) string { return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64) }
