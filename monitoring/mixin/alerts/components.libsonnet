// Alerts on components that are dark, and on clusters of which nothing is heard.
//
// How many endpoints are dark is known, and not which. So what counts is not that there is one for long, which in a rollout is another one every minute, but
// in how many of the last minutes there was one.
local alert = import '../alert.libsonnet';
local count = alert.count;
local inCluster = alert.inCluster;
local rule = alert.rule;

{
  local thresholds = $._config.thresholds,

  // dark are states of what should be scraped and is not.
  local dark = 'state=~"unreachable|blocked|forbidden|tls_required|not_ready"',

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'calico-components',
        rules: [
          // Beyond a limit is told by CalicoCollectorScrapeLimit.
          rule(
            'CalicoComponentDark',
            'warning',
            '3m',
            |||
              sum by (k8s_cluster_name, component, state, reason) (
                sum by (k8s_cluster_name, k8s_node_name, component, state, reason) (
                  max_over_time(calico_component_endpoints{%(dark)s,reason!="scrape_limit"}[5m])
                )
                and
                count_over_time(
                  sum by (k8s_cluster_name, k8s_node_name, component, state, reason) (calico_component_endpoints{%(dark)s})[15m:1m]
                ) > %(minutes)d
              )
            ||| % { dark: dark, minutes: thresholds.downMinutes },
            'Endpoints of {{ $labels.component }}' + inCluster + ' are {{ $labels.state }}: {{ $labels.reason }}.',
            |||
              For most of the last quarter of an hour %s of {{ $labels.component }}%s gave no metrics: {{ $labels.state }}, for the reason
              {{ $labels.reason }}. What it knows of Calico is missing, and alerts on that are silent.
            ||| % [count('endpoint'), inCluster]
          ),
          rule(
            'CalicoComponentMetricsDisabled',
            'info',
            '1h',
            |||
              sum by (k8s_cluster_name, component, reason) (last_over_time(calico_component_endpoints{state="disabled"}[10m])) > 0
            |||,
            'The metrics of {{ $labels.component }}' + inCluster + ' are switched off: {{ $labels.reason }}.',
            |||
              No metrics are served at %s of {{ $labels.component }}%s, because of {{ $labels.reason }}. What it knows of Calico is missing, and alerts on
              that are silent.
            ||| % [count('endpoint'), inCluster]
          ),
          // Which clusters there were within a day is looked up every quarter of an hour, which costs less than all samples of a day.
          rule(
            'CalicoClusterNoData',
            'critical',
            '10m',
            |||
              time() - max_over_time(max by (k8s_cluster_name) (timestamp(calico_component_endpoints))[1d:15m])
              unless on (k8s_cluster_name)
              max by (k8s_cluster_name) (last_over_time(calico_component_endpoints[5m]))
            |||,
            'No metrics of Calico come from {{ with $labels.k8s_cluster_name }}cluster {{ . }}{{ else }}a cluster without a name{{ end }}.',
            |||
              Nothing has come from {{ with $labels.k8s_cluster_name }}cluster {{ . }}{{ else }}a cluster without a name{{ end }} for a quarter of an hour or
              longer, {{ $value | humanizeDuration }} at most: its collector is gone, or what it sends does not arrive. All other alerts on Calico in this
              cluster are silent. This one ends when something comes, or after a day.
            |||
          ),
        ],
      },
    ],
  },
}
