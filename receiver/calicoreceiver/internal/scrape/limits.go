package scrape

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"

	promconfig "github.com/prometheus/prometheus/config"
)

// Limits bound what one scrape may bring. A scrape that exceeds one is dropped whole: its target is down, and its series end.
//
// 0 and empty are the defaults below, which are far from what Calico serves in most clusters. The largest exposition that it can serve is that of
// kube-controllers, one series a node and pool: 200,000 of them are 25 MB.
type Limits struct {
	// BodySizeLimit bounds the response, uncompressed, in Prometheus' units: 10MB is 10 times 1024 times 1024 bytes.
	BodySizeLimit string `mapstructure:"body_size_limit"`
	// SampleLimit bounds the samples that remain after the profile and metric_relabel_configs.
	SampleLimit uint `mapstructure:"sample_limit"`
	// LabelLimit bounds the labels of a series, the metric's name, job and instance among them.
	LabelLimit uint `mapstructure:"label_limit"`
	// LabelNameLengthLimit and LabelValueLengthLimit are in bytes.
	LabelNameLengthLimit  uint `mapstructure:"label_name_length_limit"`
	LabelValueLengthLimit uint `mapstructure:"label_value_length_limit"`
}

// What these let pass has room in a container of 512 MiB.
const (
	defaultBodySizeLimit         = 35 << 20
	defaultSampleLimit           = 200_000
	defaultLabelLimit            = 64
	defaultLabelNameLengthLimit  = 256
	defaultLabelValueLengthLimit = 4096
)

func (l *Limits) validateLimits() error {
	errs := []error{l.applyLimits(&promconfig.ScrapeConfig{})}
	for _, limit := range []struct {
		key   string
		value uint
	}{
		{"sample_limit", l.SampleLimit},
		{"label_limit", l.LabelLimit},
		{"label_name_length_limit", l.LabelNameLengthLimit},
		{"label_value_length_limit", l.LabelValueLengthLimit},
	} {
		// Prometheus keeps limits as int, and takes a negative one for none.
		if limit.value > math.MaxInt32 {
			errs = append(errs, fmt.Errorf("%s: must be at most %d, not %d", limit.key, math.MaxInt32, limit.value))
		}
	}
	return errors.Join(errs...)
}

// applyLimits puts the limits into a scrape configuration.
func (l *Limits) applyLimits(sc *promconfig.ScrapeConfig) error {
	sc.BodySizeLimit = defaultBodySizeLimit
	if l.BodySizeLimit != "" {
		if err := sc.BodySizeLimit.UnmarshalText([]byte(l.BodySizeLimit)); err != nil {
			return fmt.Errorf("body_size_limit: %w", err)
		}
		if sc.BodySizeLimit <= 0 {
			return fmt.Errorf("body_size_limit: must be greater than 0, not %s", l.BodySizeLimit)
		}
	}
	sc.SampleLimit = cmp.Or(l.SampleLimit, defaultSampleLimit)
	sc.LabelLimit = cmp.Or(l.LabelLimit, defaultLabelLimit)
	sc.LabelNameLengthLimit = cmp.Or(l.LabelNameLengthLimit, defaultLabelNameLengthLimit)
	sc.LabelValueLengthLimit = cmp.Or(l.LabelValueLengthLimit, defaultLabelValueLengthLimit)
	return nil
}

// beyondLimits says whether a scrape failed because of a limit. Prometheus exports none of these errors, but all of them say so in the same words.
func beyondLimits(err error) bool {
	return err != nil && strings.Contains(err.Error(), "limit exceeded")
}
