package scrape

import (
	"context"
	"fmt"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"go.uber.org/zap"
)

// loadTLS tries to read the files of the TLS configuration.
func (s *Settings) loadTLS() error {
	config := s.TLS.client()
	if _, err := commonconfig.NewTLSConfig(&config); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	return nil
}

// awaitCertificates says that a job is down until the files of its TLS configuration can be read, and then has Prometheus try again. By itself it
// gives a job up when they cannot be read as it starts, until some targets change. Later it reads them again when they change, and a scrape
// fails that cannot.
func (s *Scraper) awaitCertificates(ctx context.Context, job Job) {
	err := job.Settings.loadTLS()
	if err == nil {
		return
	}
	logger := s.logger.With(zap.String("job", job.Name))
	logger.Warn("cannot scrape, will try again", zap.Error(err))
	s.health.block(job.Name, err)
	interval, _ := job.Settings.times(job.Interval, job.Timeout)
	s.running.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := job.Settings.loadTLS(); err != nil {
				s.health.block(job.Name, err)
				continue
			}
			logger.Info("certificates can be read now, scrapes begin")
			s.health.block(job.Name, nil)
			s.prometheus.feeds[job.Name].resend()
			return
		}
	})
}
