package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
)

const (
	// logLimit bounds a part's log file; one older file of the same size is kept beside it.
	logLimit  = 16 << 20
	tailLimit = 16 << 10
)

// boundedLog is a part's output: a file that starts anew when it is full, and the newest bytes in memory for a report.
type boundedLog struct {
	path string

	mu      sync.Mutex
	file    *os.File
	written int
	tail    []byte
}

func openBoundedLog(path string) (*boundedLog, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &boundedLog{path: path, file: file}, nil
}

// Write never fails for want of a file: a part must not block on its own log.
func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if over := len(l.tail) - tailLimit; over > 0 {
		l.tail = append(l.tail[:0], l.tail[over:]...)
	}
	if l.written+len(p) > logLimit && l.file != nil {
		l.rotate()
	}
	if l.file != nil {
		n, _ := l.file.Write(p)
		l.written += n
	}
	return len(p), nil
}

func (l *boundedLog) rotate() {
	_ = l.file.Close()
	l.file, l.written = nil, 0
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		l.tail = append(l.tail, fmt.Sprintf("\nlab: log not rotated: %v\n", err)...)
		return
	}
	if file, err := os.Create(l.path); err == nil {
		l.file = file
	}
}

// Tail returns the last lines, without a trailing newline.
func (l *boundedLog) Tail(lines int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(string(bytes.TrimRight(l.tail, "\n")), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}

func (l *boundedLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
