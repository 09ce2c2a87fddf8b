package process

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTheNextRestart(t *testing.T) {
	policy := Restart{Pause: time.Second, MaxPause: 3 * time.Second, Limit: 4, Window: time.Minute, Codes: []int{0, 129}, OutagePause: 5 * time.Second}
	const never = -1
	for _, test := range []struct {
		name   string
		policy Restart
		// ends are seconds; outages are those of them in which another part is stopped, and asked those at which the part
		// asks to be started again.
		ends    []int
		outages map[int]bool
		asked   map[int]bool
		pauses  []time.Duration
	}{
		{"a part without a policy stays ended", Restart{}, []int{0}, nil, nil, []time.Duration{never}},
		{"a part without a policy stays ended in an outage too", Restart{}, []int{0}, map[int]bool{0: true}, nil, []time.Duration{never}},
		{
			"the pause doubles up to its maximum, and then it is enough", policy, []int{0, 1, 3, 6, 9}, nil, nil,
			[]time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second, never},
		},
		{
			"what is long ago is forgotten", policy, []int{0, 1, 3, 61, 121}, nil, nil,
			[]time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 2 * time.Second, time.Second},
		},
		{
			"an outage neither limits nor counts", policy, []int{0, 5, 10, 15, 20, 25, 30}, map[int]bool{0: true, 5: true, 10: true, 15: true, 20: true, 25: true}, nil,
			[]time.Duration{policy.OutagePause, policy.OutagePause, policy.OutagePause, policy.OutagePause, policy.OutagePause, policy.OutagePause, time.Second},
		},
		{
			"what a part asks for neither limits nor counts", policy, []int{0, 1, 2, 3, 4, 5, 6}, nil,
			map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true, 5: true},
			[]time.Duration{time.Second, time.Second, time.Second, time.Second, time.Second, time.Second, time.Second},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var past history
			var pauses []time.Duration
			for _, second := range test.ends {
				code := 1
				if test.asked[second] {
					code = 129
				}
				pause, again := past.next(test.policy, code, time.Unix(int64(second), 0), test.outages[second])
				if !again {
					pause = never
				}
				pauses = append(pauses, pause)
			}
			require.Equal(t, test.pauses, pauses)
		})
	}
}

// atOnce restarts a part without a pause that a test would notice.
var atOnce = Restart{Pause: time.Millisecond, MaxPause: time.Millisecond, Limit: 3, Window: time.Hour, OutagePause: time.Millisecond}

// lines are what a Supervisor told.
type lines struct {
	mu    sync.Mutex
	lines []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line != "" {
		l.lines = append(l.lines, line)
	}
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func newTellingSupervisor(t *testing.T) (*Supervisor, *lines) {
	t.Helper()
	told := &lines{}
	s, err := NewSupervisor(filepath.Join(t.TempDir(), "logs"), told.add)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s, told
}

// startReady starts a part that runs until it is asked to end, and waits until it runs.
func startReady(t *testing.T, s *Supervisor, spec Spec) *Part {
	t.Helper()
	part := start(t, s, spec, "run:"+filepath.Join(t.TempDir(), "order"))
	require.NoError(t, s.Await(t.Context(), part, waitFor, ready(part)))
	return part
}

func TestAPartThatEndsByItselfIsStartedAgain(t *testing.T) {
	s, told := newTellingSupervisor(t)
	part := startReady(t, s, Spec{Name: "part", Restart: atOnce})
	first := part.Pid()
	require.NoError(t, unix.Kill(first, unix.SIGKILL))
	require.Eventually(t, func() bool { return part.Pid() != 0 && part.Pid() != first }, waitFor, tick)
	require.Equal(t, map[string]int{"part": part.Pid()}, s.Pids())
	require.Equal(t, Running, part.Status().Phase)
	require.Eventually(t, func() bool { return told.all() != "" }, waitFor, tick)
	require.Equal(t, "part ended by itself (signal: killed) and was started again: process "+strconv.Itoa(part.Pid()), told.all())
	require.NoError(t, s.Wait(contextThatIsDone(t)), "it is no crash")
}

func TestAPartThatEndsTooOftenIsACrash(t *testing.T) {
	s, told := newTellingSupervisor(t)
	part := start(t, s, Spec{Name: "part", Restart: atOnce}, "crash")
	err := s.Wait(t.Context())
	var exit *ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, "exit status 3", exit.Exit)
	require.Equal(t, strings.TrimSuffix(strings.Repeat("first line\nlast words\n", 1+atOnce.Limit), "\n"), exit.Tail, "of all its processes")
	require.Equal(t, atOnce.Limit, strings.Count(told.all(), "was started again"))
	require.Equal(t, Status{Name: "part", Phase: Ended, Exit: "exit status 3"}, part.Status())
	_, err = part.Start()
	require.ErrorIs(t, err, ErrEnded)
}

func TestAPartThatAsksForItIsStartedAgainWithoutALimit(t *testing.T) {
	s, told := newTellingSupervisor(t)
	asking := atOnce
	asking.Codes = []int{3}
	start(t, s, Spec{Name: "part", Restart: asking}, "crash")
	require.Eventually(t, func() bool { return strings.Count(told.all(), "part ended by itself (exit status 3)") > 2*asking.Limit }, waitFor, tick)
	require.NoError(t, s.Wait(contextThatIsDone(t)))
}

func TestAPartThatIsStoppedOnPurposeIsNoCrash(t *testing.T) {
	s, told := newTellingSupervisor(t)
	part := startReady(t, s, Spec{Name: "part"})
	first := part.Pid()
	changed, err := part.Start()
	require.NoError(t, err)
	require.False(t, changed, "it runs")

	changed, err = part.Stop()
	require.NoError(t, err)
	require.True(t, changed)
	require.False(t, running(first))
	require.Equal(t, Status{Name: "part", Phase: Stopped, Exit: "exit status 0"}, part.Status())
	require.Empty(t, s.Pids())
	require.NoError(t, s.Wait(contextThatIsDone(t)))
	changed, err = part.Stop()
	require.NoError(t, err)
	require.False(t, changed, "it is stopped")

	changed, err = part.Start()
	require.NoError(t, err)
	require.True(t, changed)
	second := part.Pid()
	require.True(t, running(second))

	require.NoError(t, part.Restart())
	require.NotEqual(t, second, part.Pid())
	require.False(t, running(second))
	require.Equal(t, []string{
		"part was stopped", "part was started: process " + strconv.Itoa(second), "part was started: process " + strconv.Itoa(part.Pid()),
	}, strings.Split(told.all(), "\n"))
}

func TestWhileAPartIsStoppedOthersMayEndAsOftenAsTheyLike(t *testing.T) {
	s, told := newTellingSupervisor(t)
	server := startReady(t, s, Spec{Name: "server"})
	_, err := server.Stop()
	require.NoError(t, err)
	start(t, s, Spec{Name: "client", Restart: atOnce}, "crash")
	require.Eventually(t, func() bool { return strings.Count(told.all(), "client ended by itself") > 2*atOnce.Limit }, waitFor, tick)
	require.NoError(t, s.Wait(contextThatIsDone(t)))

	_, err = server.Start()
	require.NoError(t, err)
	var exit *ExitError
	require.ErrorAs(t, s.Wait(t.Context()), &exit, "now it has no excuse")
	require.Equal(t, "client", exit.Part)
}

func TestAPartThatWaitsForItsRestartIsStartedAtOnceWhenAsked(t *testing.T) {
	s, told := newTellingSupervisor(t)
	slow := atOnce
	slow.Pause, slow.MaxPause = time.Hour, time.Hour
	part := startReady(t, s, Spec{Name: "part", Restart: slow})
	require.NoError(t, unix.Kill(part.Pid(), unix.SIGKILL))
	require.Eventually(t, func() bool { return part.Status().Phase == Restarting }, waitFor, tick)
	require.Empty(t, s.Pids())
	changed, err := part.Start()
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, "part was started: process "+strconv.Itoa(part.Pid()), told.all())

	require.NoError(t, unix.Kill(part.Pid(), unix.SIGKILL))
	require.Eventually(t, func() bool { return part.Status().Phase == Restarting }, waitFor, tick)
	s.Stop()
	require.Equal(t, Ended, part.Status().Phase, "nothing waits any more")
}

func TestLaunchIsPartOfEveryStart(t *testing.T) {
	s, _ := newTellingSupervisor(t)
	refused := errors.New("refused")
	var refuse error
	var pids []int
	spec := Spec{Name: "part", Restart: atOnce, Launch: func(start func(...*os.File) (int, error)) error {
		pid, err := start()
		if err != nil {
			return err
		}
		pids = append(pids, pid)
		return refuse
	}}
	part := startReady(t, s, spec)
	require.Equal(t, []int{part.Pid()}, pids)
	require.NoError(t, part.Restart())
	require.Len(t, pids, 2)
	require.Equal(t, part.Pid(), pids[1])

	refuse = refused
	require.ErrorIs(t, part.Restart(), refused)
	require.Equal(t, Stopped, part.Status().Phase)
	require.Len(t, pids, 3)
	require.False(t, running(pids[2]), "of a failed start nothing is left")

	spec.Name, spec.StopTimeout = "other", 100*time.Millisecond
	spec.Path, spec.Env = os.Args[0], []string{roleVariable + "=stubborn"}
	_, err := s.Start(spec)
	require.ErrorIs(t, err, refused)
	require.ErrorContains(t, err, "start other")
	require.Nil(t, s.Part("other"))
	require.False(t, running(pids[3]))
}
