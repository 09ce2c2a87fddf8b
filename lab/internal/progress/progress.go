// Package progress tells a waiting person what is being done and for how long. On a terminal it is one line that keeps
// moving; elsewhere (a log, CI) it is plain lines, so that nothing has to interpret carriage returns.
package progress

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"
)

const (
	redrawInterval = 200 * time.Millisecond
	// plainInterval is how often a long step repeats itself where lines cannot be redrawn.
	plainInterval = 20 * time.Second
)

// Printer writes steps to one stream. Its methods are safe for concurrent use; only one step is open at a time.
type Printer struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	step     string
	started  time.Time
	broken   func()
}

// New returns a Printer for out, which is redrawn in place if it is a terminal.
func New(out io.Writer) *Printer {
	file, isFile := out.(*os.File)
	return &Printer{out: out, terminal: isFile && term.IsTerminal(int(file.Fd()))}
}

// OnBroken lets do be called, once, when nobody reads the stream any more. It must be called before anything is printed.
func (p *Printer) OnBroken(do func()) { p.broken = do }

// print must be called with mu held.
func (p *Printer) print(format string, args ...any) {
	_, err := fmt.Fprintf(p.out, format, args...)
	if errors.Is(err, syscall.EPIPE) && p.broken != nil {
		p.broken()
		p.broken = nil
	}
}

// Terminal says whether lines may be redrawn.
func (p *Printer) Terminal() bool { return p.terminal }

// Printf writes one finished line, above the open step if there is one.
func (p *Printer) Printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.print(format+"\n", args...)
	p.draw()
}

// Step runs do, showing text and the elapsed seconds meanwhile, and ends the line with the outcome.
func (p *Printer) Step(text string, do func() error) error {
	return p.StepFunc(text, func(func(string)) error { return do() })
}

// StepFunc is Step for work that can say how far it is: do calls update with a replacement of the text.
func (p *Printer) StepFunc(text string, do func(update func(string)) error) error {
	p.mu.Lock()
	p.step, p.started = text, time.Now()
	if !p.terminal {
		p.print("%s ...\n", text)
	}
	p.draw()
	p.mu.Unlock()

	stop := make(chan struct{})
	var ticker sync.WaitGroup
	ticker.Add(1)
	go func() {
		defer ticker.Done()
		p.tick(stop)
	}()
	err := do(func(now string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.step = now
	})
	close(stop)
	ticker.Wait()

	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	p.print("%s: %s in %s\n", p.step, outcome, elapsed(p.started))
	p.step = ""
	return err
}

func (p *Printer) tick(stop <-chan struct{}) {
	interval := plainInterval
	if p.terminal {
		interval = redrawInterval
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			p.mu.Lock()
			if p.terminal {
				p.clear()
				p.draw()
			} else {
				p.print("%s ... %s\n", p.step, elapsed(p.started))
			}
			p.mu.Unlock()
		}
	}
}

func (p *Printer) clear() {
	if p.terminal && p.step != "" {
		p.print("\r\x1b[K")
	}
}

func (p *Printer) draw() {
	if p.terminal && p.step != "" {
		p.print("%s ... %s", p.step, elapsed(p.started))
	}
}

func elapsed(since time.Time) string {
	return fmt.Sprintf("%.1fs", time.Since(since).Seconds())
}
