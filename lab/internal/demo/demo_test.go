package demo

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/calicoctl"
)

func reading(name, cidr string, used, size, available float64) PoolReading {
	return PoolReading{Pool: name, CIDR: cidr, Used: &used, Size: &size, Available: &available, Utilization: ptr.To(used / size)}
}

func reference(t *testing.T, cidr, total, inUse, free string) calicoctl.Pool {
	t.Helper()
	pool := calicoctl.Pool{CIDR: cidr}
	for into, text := range map[*calicoctl.Figure]string{&pool.Total: total, &pool.InUse: inUse, &pool.Free: free} {
		figure, err := calicoctl.ParseFigure(text)
		require.NoError(t, err)
		*into = figure
	}
	return pool
}

func TestCompare(t *testing.T) {
	reserved := reading("p", "10.0.0.0/24", 100, 256, 140)
	reserved.Reserved, reserved.Utilization = ptr.To(16.0), ptr.To(100.0/240)
	wrongRatio := reading("p", "10.0.0.0/24", 100, 256, 156)
	wrongRatio.Utilization = ptr.To(0.5)
	for _, test := range []struct {
		name      string
		pool      PoolReading
		reference calicoctl.Pool
		want      []string
	}{
		{"equal numbers agree", reading("p", "10.0.0.0/24", 100, 256, 156), reference(t, "10.0.0.0/24", "256", "100 (39%)", "156 (61%)"), nil},
		{"what is reserved is free to calicoctl", reserved, reference(t, "10.0.0.0/24", "256", "100", "156"), nil},
		{
			"an IPv6 pool agrees to the printed digits",
			reading("p", "fd00::/48", 5, 1.2089258196146292e24, 1.2089258196146292e24), reference(t, "fd00::/48", "1.2089e+24", "5", "1.2089e+24"), nil,
		},
		{
			"one address too few differs", reading("p", "10.0.0.0/24", 99, 256, 156), reference(t, "10.0.0.0/24", "256", "100", "156"),
			[]string{"p (10.0.0.0/24): used is 99, IPS IN USE is 100; utilisation is 38.7 %, by calicoctl's numbers it is 39.1 %"},
		},
		{
			"a doubled series differs", reading("p", "10.0.0.0/24", 100, 512, 156), reference(t, "10.0.0.0/24", "256", "100", "156"),
			[]string{"p (10.0.0.0/24): size is 512, IPS TOTAL is 256; utilisation is 19.5 %, by calicoctl's numbers it is 39.1 %"},
		},
		{
			"a wrong ratio differs", wrongRatio, reference(t, "10.0.0.0/24", "256", "100", "156"),
			[]string{"p (10.0.0.0/24): utilisation is 50.0 %, by calicoctl's numbers it is 39.1 %"},
		},
		{
			"a missing series differs", PoolReading{Pool: "p", CIDR: "10.0.0.0/24", Size: ptr.To(256.0)}, reference(t, "10.0.0.0/24", "256", "0", "256"),
			[]string{"p (10.0.0.0/24): Prometheus has no used; Prometheus has no available + reserved; Prometheus has no utilisation"},
		},
		{
			"a pool that only one side knows differs twice", reading("p", "10.0.0.0/24", 1, 2, 1), reference(t, "10.1.0.0/24", "256", "0", "256"),
			[]string{"p (10.0.0.0/24): calicoctl has no pool with this CIDR", "- (10.1.0.0/24): Prometheus has no calico_ipam_pool_utilization_ratio of it"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, Disagreement(Compare([]PoolReading{test.pool}, []calicoctl.Pool{test.reference})))
		})
	}
}

func TestWriteTable(t *testing.T) {
	rows := Compare(
		[]PoolReading{
			reading("small-pool", "10.50.0.0/27", 32, 32, 0),
			reading("default-ipv6-ippool", "fd00::/48", 5, 1.2089258196146292e24, 1.2089258196146292e24),
		},
		[]calicoctl.Pool{reference(t, "10.50.0.0/27", "32", "31 (97%)", "0"), reference(t, "fd00::/48", "1.2089e+24", "5 (0%)", "1.2089e+24")},
	)
	var out strings.Builder
	WriteTable(&out, rows)
	require.Equal(t, `+---------------------+--------------+------+------------+-------------+------------+------------------+-----------------+---------+
|        POOL         |     CIDR     | USED |    SIZE    | UTILISATION | AVAILABLE  | calicoctl IN USE | calicoctl TOTAL |         |
+---------------------+--------------+------+------------+-------------+------------+------------------+-----------------+---------+
| default-ipv6-ippool | fd00::/48    |    5 | 1.2089e+24 |       0.0 % | 1.2089e+24 |                5 |      1.2089e+24 | OK      |
| small-pool          | 10.50.0.0/27 |   32 |         32 |     100.0 % |          0 |               31 |              32 | DIFFERS |
+---------------------+--------------+------+------------+-------------+------------+------------------+-----------------+---------+
DIFFERS: small-pool (10.50.0.0/27): used is 32, IPS IN USE is 31; utilisation is 100.0 %, by calicoctl's numbers it is 96.9 %
Calico before 3.33 publishes no reservations: AVAILABLE counts reserved addresses too.
`, out.String())
}

func TestWriteTableIsSilentAboutReservationsWherePrometheusHasThem(t *testing.T) {
	row := Row{PoolReading: reading("p", "10.0.0.0/24", 1, 256, 239)}
	row.Reserved = ptr.To(16.0)
	var out strings.Builder
	WriteTable(&out, []Row{row, {PoolReading: reading("q", "10.1.0.0/24", 1, 256, 255)}})
	require.NotContains(t, out.String(), noReservations)
}

func TestSettleGoesOnAfterAFailure(t *testing.T) {
	different := comparison{rows: []Row{{Differences: []string{"used"}}}}
	for _, test := range []struct {
		name    string
		answers []any
		timeout time.Duration
		want    comparison
		err     string
	}{
		{"a query that failed once is asked again", []any{errors.New("query"), comparison{}}, time.Minute, comparison{}, ""},
		{"a difference may vanish", []any{different, comparison{}}, time.Minute, comparison{}, ""},
		{"the difference that is left is returned", []any{different}, 0, different, ""},
		{"the last error is returned when time is over", []any{errors.New("calicoctl")}, 0, comparison{}, "calicoctl"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			got, err := settle(t.Context(), test.timeout, func(context.Context) (comparison, error) {
				answer := test.answers[asked]
				asked++
				if err, failed := answer.(error); failed {
					return comparison{}, err
				}
				return answer.(comparison), nil
			})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, test.want, got)
			require.Equal(t, len(test.answers), asked)
		})
	}
}

func TestWriteComparisonShowsWhatHasNoAnswerAsADash(t *testing.T) {
	var out strings.Builder
	WriteComparison(&out, Reading{Popular: ptr.To(1.4e-20), Fullest: "small-pool", FullestPercent: 100})
	require.Contains(t, out.String(), "0.00 %\n    "+queryPopular)
	require.Contains(t, out.String(), "-\n    "+queryClusterIPv4)
	require.Contains(t, out.String(), "100.00 % (small-pool)\n")
}

func TestGraphURLIsEscaped(t *testing.T) {
	require.Equal(t, "http://127.0.0.1:9090/query?g0.expr=calico_ipam_pool_utilization_ratio+%2A+100&g0.range_input=15m&g0.tab=graph",
		GraphURL("http://127.0.0.1:9090"))
}

func TestReadJoinsTheSeriesOfAPool(t *testing.T) {
	answers := map[string]string{
		queryUtilization: `{"metric":{"ippool":"p","cidr":"10.0.0.0/24","ip_family":"IPv4"},"value":[0,"0.5"]}`,
		queryUsed:        `{"metric":{"ippool":"p"},"value":[0,"128"]},{"metric":{"ippool":"no_ippool"},"value":[0,"3"]}`,
		querySize:        `{"metric":{"ippool":"p"},"value":[0,"256"]}`,
		queryPopular:     `{"metric":{},"value":[0,"51"]}`,
		queryFullest:     `{"metric":{"ippool":"p"},"value":[0,"50"]}`,
		queryStates: `{"metric":{"component":"typha","state":"scraped","reason":""},"value":[0,"1"]},
			{"metric":{"component":"felix","state":"unreachable","reason":"timeout"},"value":[0,"2"]},
			{"metric":{"component":"felix","state":"scraped"},"value":[0,"3"]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, err := w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[` + answers[r.FormValue("query")] + `]}}`))
		if err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	prometheus, err := NewPrometheus(server.URL)
	require.NoError(t, err)
	got, err := prometheus.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, Reading{
		Pools:   []PoolReading{{Pool: "p", CIDR: "10.0.0.0/24", Used: ptr.To(128.0), Size: ptr.To(256.0), Utilization: ptr.To(0.5)}},
		Popular: ptr.To(51.0), Fullest: "p", FullestPercent: 50,
		States: []ComponentState{{"felix", "scraped", "", 3}, {"felix", "unreachable", "timeout", 2}, {"typha", "scraped", "", 1}},
	}, got)
}
