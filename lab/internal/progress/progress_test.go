package progress

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAStepIsPlainLinesWhereNobodyRedraws(t *testing.T) {
	var out bytes.Buffer
	printer := New(&out)
	require.False(t, printer.Terminal())
	require.NoError(t, printer.StepFunc("allocating", func(update func(string)) error {
		update("allocating, 2 of 2")
		printer.Printf("aside")
		return nil
	}))
	failure := errors.New("no")
	require.ErrorIs(t, printer.Step("stopping", func() error { return failure }), failure)
	require.Equal(t, "allocating ...\naside\nallocating, 2 of 2: done in ?\nstopping ...\nstopping: failed in ?\n",
		regexp.MustCompile(`[0-9.]+s`).ReplaceAllString(out.String(), "?"))
}

func TestAPrinterSaysOnceThatNobodyReads(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGPIPE)
	defer signal.Stop(signals)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer writer.Close()
	printer := New(writer)
	broken := 0
	printer.OnBroken(func() { broken++ })
	printer.Printf("read")
	require.Zero(t, broken)
	require.NoError(t, reader.Close())
	printer.Printf("lost")
	printer.Printf("lost")
	require.Equal(t, 1, broken)
}
