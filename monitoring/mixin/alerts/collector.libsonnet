// Alerts on limits that a collector has reached, for a Prometheus that scrapes the collectors' own metrics and has what they send. docs/overload.md says what
// each of the limits means.
local alert = import '../alert.libsonnet';
local count = alert.count;
local inCluster = alert.inCluster;
local rule = alert.rule;

{
  local thresholds = $._config.thresholds,
  local own = '{job="%s"}' % $._config.collectorJob,

  // grew is by how much a counter grew. One that comes into being with what it counts has no increase, and is compared with nothing.
  local grew(counter, window) = |||
    increase(%(counter)s[%(window)s]) > 0
    or
    (%(counter)s unless last_over_time(%(counter)s[1h] offset %(window)s)) > 0
  ||| % { counter: counter + own, window: window },

  local collector = '{{ $labels.instance }}' + inCluster,

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'calico-collector',
        rules: [
          rule(
            'CalicoCollectorScrapeLimit',
            'warning',
            '5m',
            'sum by (k8s_cluster_name, component) (calico_component_endpoints{reason="scrape_limit"}) > 0',
            'Endpoints of {{ $labels.component }}' + inCluster + ' serve more than a scrape may bring.',
            |||
              What %s of {{ $labels.component }}%s answered was more samples, bytes or labels than the limits of the receiver let pass. Nothing of these
              scrapes is kept, and up is 0. Other endpoints are not affected.
            ||| % [count('endpoint'), inCluster]
          ),
          rule(
            'CalicoCollectorMemoryLimit',
            'warning',
            '2m',
            'increase(otelcol_processor_memory_limiter_refused_metric_points%s[10m]) > 0' % own,
            'Collector ' + collector + ' refuses metrics for lack of memory.',
            |||
              Collector %s was above 70 %% of its memory and refused %s within 10 minutes. Scrapes that were refused are lost; agents
              keep what a gateway refused, and send it again.
            ||| % [collector, count('point')]
          ),
          rule(
            'CalicoCollectorQueueFilling',
            'warning',
            '5m',
            |||
              last_over_time(otelcol_exporter_queue_size%(own)s[5m]) / (last_over_time(otelcol_exporter_queue_capacity%(own)s[5m]) > 0) > %(threshold)g
            ||| % { own: own, threshold: thresholds.queueUtilization },
            'The queue of {{ $labels.exporter }} of collector ' + collector + ' is filling.',
            |||
              The queue of {{ $labels.exporter }} of collector %s is {{ $value | humanizePercentage }} full: its backend is away, or slower than what comes.
              When it is full, what is new is refused.
            ||| % collector
          ),
          rule(
            'CalicoCollectorQueueFull',
            'critical',
            '2m',
            grew('otelcol_exporter_enqueue_failed_metric_points', '10m'),
            'The queue of {{ $labels.exporter }} of collector ' + collector + ' refuses metrics.',
            |||
              The queue of {{ $labels.exporter }} of collector %s refused %s within 10 minutes, because it or its disk is full. What a
              collector scraped and its queue refused is lost; what waits is kept.
            ||| % [collector, count('point')]
          ),
          // An exporter without a queue fails to one that has it, which sends again.
          rule(
            'CalicoCollectorSendFailed',
            'warning',
            '2m',
            |||
              sum without (server_address, server_port, url_path) (
                %(grew)s
              )
              and on (k8s_cluster_name, job, instance, exporter) last_over_time(otelcol_exporter_queue_capacity%(own)s[15m])
            ||| % { own: own, grew: std.strReplace(std.rstripChars(grew('otelcol_exporter_send_failed_metric_points', '15m'), '\n'), '\n', '\n  ') },
            'What {{ $labels.exporter }} of collector ' + collector + ' sends is refused for good.',
            |||
              The backend of {{ $labels.exporter }} of collector %s refused %s within 15 minutes in a way that says not to send them
              again. They are lost.
            ||| % [collector, count('point')]
          ),
        ],
      },
    ],
  },
}
