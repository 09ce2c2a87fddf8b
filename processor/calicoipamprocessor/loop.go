package calicoipamprocessor

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/assembly"
)

// saveInterval is how often histories are written to the storage.
const saveInterval = 5 * time.Minute

// start reads what is kept, and starts what is to be done without a batch: to compute what has settled, and to keep what has changed.
func (p *ipamProcessor) start(ctx context.Context, host component.Host) error {
	if err := p.histories.open(ctx, host); err != nil {
		return err
	}
	if err := p.restore(ctx); err != nil {
		return errors.Join(err, p.histories.close(ctx))
	}
	ctx = context.WithoutCancel(ctx) // it is that of the start alone
	running, stop := context.WithCancel(ctx)
	emitting, stopEmits := context.WithCancel(ctx)
	p.stop, p.stopEmits = stop, stopEmits
	p.done, p.saved = make(chan struct{}), make(chan struct{})
	go p.settle(running, emitting)
	go p.keep(running)
	return nil
}

// shutdown computes what waits, hands it on, and keeps what has changed.
func (p *ipamProcessor) shutdown(ctx context.Context) error {
	defer p.telemetry.end()
	if p.stop == nil {
		return nil // never started, or ended already
	}
	p.stop()
	p.stop = nil
	defer p.stopEmits()
	for _, done := range []chan struct{}{p.done, p.saved} {
		select {
		case <-done:
		case <-ctx.Done():
			// Whatever holds the loop up: the storage is given free, for the next one to open it.
			p.stopEmits()
			return errors.Join(ctx.Err(), p.histories.close(context.WithoutCancel(ctx)))
		}
	}
	p.emit(ctx, p.assembly.All)
	p.save(ctx)
	return p.histories.close(ctx)
}

// hurry tells the loop that there is something to wait for.
func (p *ipamProcessor) hurry() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// settle computes scrapes when their time is over.
func (p *ipamProcessor) settle(ctx, emitting context.Context) {
	defer close(p.done)
	settled := time.NewTimer(0)
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-settled.C:
			p.emit(emitting, func() []*assembly.Scrape { return p.assembly.Due(time.Now()) })
		}
		p.mu.Lock()
		next, waits := p.assembly.Next()
		p.mu.Unlock()
		if waits {
			settled.Reset(time.Until(next))
		}
	}
}

// emit computes scrapes and hands on what follows from them.
func (p *ipamProcessor) emit(ctx context.Context, due func() []*assembly.Scrape) {
	out := pmetric.NewMetrics()
	p.mu.Lock()
	p.compute(ctx, due(), out)
	p.count(ctx)
	p.mu.Unlock()
	if out.ResourceMetrics().Len() == 0 {
		return
	}
	if err := p.next.ConsumeMetrics(ctx, out); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if total, due := p.telemetry.emitFailures(ctx); due {
			p.logger.Error("what was derived from scrapes that had settled was refused, and is lost", zap.Error(err), zap.Uint64("batches", total))
		}
	}
}

// keep writes what has changed, now and then.
func (p *ipamProcessor) keep(ctx context.Context) {
	defer close(p.saved)
	if !p.histories.stored() {
		return
	}
	saving := time.NewTicker(saveInterval)
	defer saving.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-saving.C:
			p.save(ctx)
		}
	}
}
