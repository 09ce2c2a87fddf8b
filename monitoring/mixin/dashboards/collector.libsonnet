// What the collectors do: what they scrape and what not, and what becomes of it.
local d = import '../dashboard.libsonnet';

{
  local config = $._config,
  local thresholds = config.thresholds,
  local cluster = 'k8s_cluster_name=~"$cluster"',
  local own = 'job=~"$job",instance=~"$instance"',
  local scraped = cluster + ',job=~"calico-.*|tigera-operator"',
  local dark = cluster + ',state=~"unreachable|blocked|forbidden|tls_required|not_ready"',
  // What fails for an exporter with a queue is lost; the others fail to one that has it.
  local refused(window) = |||
    increase(otelcol_exporter_send_failed_metric_points{%(own)s}[%(window)s])
    and on (k8s_cluster_name, job, instance, exporter) otelcol_exporter_queue_capacity{%(own)s}
  ||| % { own: own, window: window },
  // orNone is a sum that is 0 where there is nothing, as with counters that come into being with what they count.
  local orNone(expr) = 'sum(%s) or vector(0)' % std.rstripChars(expr, '\n'),
  // grown is by how much a counter grew within the time of a point, over all collectors.
  local grown(metric) = orNone('increase(%s{%s}[$__rate_interval])' % [metric, own]),

  grafanaDashboards+:: {
    'collector.json': d.dashboard(
      config,
      config.dashboards.collector,
      'Calico / Collector health',
      'Which components of Calico are scraped and why others are not, and what the collectors do with what they scrape. '
      + 'What is known of the collectors themselves a Prometheus has to scrape from their port 8888.',
      [
        d.variable('cluster', 'Cluster', 'label_values(calico_component_endpoints, k8s_cluster_name)'),
        d.variable('job', 'Job', 'label_values(otelcol_process_memory_rss, job)') + { current: { text: [config.collectorJob], value: [config.collectorJob] } },
        d.variable('instance', 'Collector', 'label_values(otelcol_process_memory_rss{job=~"$job"}, instance)'),
      ],
      [
        d.row('Now', [
          d.stat(
            'Clusters without data',
            'Clusters that sent something within a day, and have sent nothing for five minutes. Their alerts are silent.',
            'none',
            |||
              count(
                count_over_time(count by (k8s_cluster_name) (calico_component_endpoints{%(cluster)s})[1d:15m])
                unless on (k8s_cluster_name)
                count by (k8s_cluster_name) (last_over_time(calico_component_endpoints{%(cluster)s}[5m]))
              ) or vector(0)
            ||| % { cluster: cluster }
          ) + d.thresholds(null, 1) + d.runbook(config, 'CalicoClusterNoData') + d.size(6, 4),
          d.stat(
            'Endpoints scraped',
            "Endpoints of Calico's components that give metrics, the account of addresses among them.",
            'none',
            'sum(calico_component_endpoints{%s,state="scraped"}) or vector(0)' % cluster
          ) + d.size(6, 4),
          d.stat(
            'Endpoints dark',
            'Endpoints that should give metrics and do not. Those that are switched off, absent or not supported are no fault and are not counted.',
            'none',
            'sum(calico_component_endpoints{%s}) or vector(0)' % dark
          ) + d.thresholds(1) + d.runbook(config, 'CalicoComponentDark') + d.size(6, 4),
          d.stat(
            'Points lost in an hour',
            'Points that a queue had no room for, and those that a backend refused for good.',
            'short',
            |||
              (%s)
              +
              (%s)
            ||| % [orNone('increase(otelcol_exporter_enqueue_failed_metric_points{%s}[1h])' % own), orNone(refused('1h'))]
          ) + d.thresholds(null, 1) + d.runbook(config, 'CalicoCollectorQueueFull') + d.size(6, 4),
        ]),
        d.row('Components', [
          d.table(
            'Components',
            'What becomes of the endpoints of each component, and why: a setting of Calico, a key of the receiver or a right that is missing.',
            [],
            [{ name: 'Endpoints', unit: 'none', expr: 'sum by (k8s_cluster_name, component, state, reason) (calico_component_endpoints{%s})' % cluster }]
          ) + d.runbook(config, 'CalicoComponentDark') + d.size(12, 10),
          d.timeseries(
            'Not scraped',
            'Endpoints that give no metrics, by the reason. Those that are switched off or absent may be meant to be. Empty where everything is scraped.',
            'none',
            [d.query(
              'sum by (k8s_cluster_name, component, state, reason) (calico_component_endpoints{%s,state!="scraped"})' % cluster,
              '{{k8s_cluster_name}} {{component}} {{state}} {{reason}}'
            )]
          ) + d.runbook(config, 'CalicoComponentDark') + d.size(12, 10),
          d.timeseries(
            'Duration of the slowest scrape',
            'How long the slowest endpoint of each component takes to answer. One that comes near the timeout, 10 s unless it is configured, will fail.',
            's',
            [d.query('max by (k8s_cluster_name, job) (scrape_duration_seconds{%s})' % scraped, '{{k8s_cluster_name}} {{job}}')]
          ) + d.size(12, 8),
          d.timeseries(
            'Samples of the largest scrape',
            'What is kept of the largest endpoint of each component. Beyond sample_limit, 200,000 unless it is configured, a scrape fails.',
            'short',
            [d.query('max by (k8s_cluster_name, job) (scrape_samples_post_metric_relabeling{%s})' % scraped, '{{k8s_cluster_name}} {{job}}')]
          ) + d.runbook(config, 'CalicoCollectorScrapeLimit') + d.size(12, 8),
        ]),
        d.row('Collectors', [
          d.timeseries(
            'Points received',
            'What each receiver of a collector took in. otlp/remote_write is the second half of the remote write backend, and counts what was received before.',
            'cps',
            [d.query('sum by (instance, receiver) (rate(otelcol_receiver_accepted_metric_points{%s}[$__rate_interval]))' % own, '{{instance}} {{receiver}}')]
          ) + d.size(8, 8),
          d.timeseries(
            'Points sent',
            'What each exporter of a collector delivered. Worry where it is less than what is received for long.',
            'cps',
            [d.query('sum by (instance, exporter) (rate(otelcol_exporter_sent_metric_points{%s}[$__rate_interval]))' % own, '{{instance}} {{exporter}}')]
          ) + d.size(8, 8),
          d.timeseries(
            'Points not taken',
            'What memory_limiter refused, what a queue had no room for, and what a backend refused for good, within the time of a point. All should be 0.',
            'short',
            [
              d.query(grown('otelcol_processor_memory_limiter_refused_metric_points'), 'no memory'),
              d.query(grown('otelcol_exporter_enqueue_failed_metric_points'), 'queue full'),
              d.query(orNone(refused('$__rate_interval')), 'refused for good'),
            ]
          ) + d.runbook(config, 'CalicoCollectorSendFailed') + d.size(8, 8),
          d.timeseries(
            'Queues',
            'How full the queue of each exporter is. It fills while its backend is away or slow; when it is full, what is new is refused.',
            'percentunit',
            [d.query(
              'max by (instance, exporter) (otelcol_exporter_queue_size{%(own)s} / (otelcol_exporter_queue_capacity{%(own)s} > 0))' % { own: own },
              '{{instance}} {{exporter}}'
            )]
          ) + d.max(1) + d.thresholds(thresholds.queueUtilization, 1) + d.lines + d.runbook(config, 'CalicoCollectorQueueFilling') + d.size(8, 8),
          d.timeseries(
            'Waiting in queues',
            'How much waits to be sent, in bytes as the configurations of this distribution count it.',
            'bytes',
            [d.query('max by (instance, exporter) (otelcol_exporter_queue_size{%s})' % own, '{{instance}} {{exporter}}')]
          ) + d.size(8, 8),
          d.timeseries(
            'Memory',
            'Memory that each collector occupies, pages of files among it. Above 70 % of what its container has, memory_limiter refuses what comes.',
            'bytes',
            [d.query('max by (instance) (otelcol_process_memory_rss{%s})' % own, '{{instance}}')]
          ) + d.runbook(config, 'CalicoCollectorMemoryLimit') + d.size(8, 8),
        ]),
        d.row('The account of addresses', [
          d.timeseries(
            'Forecasts',
            'Pools by what became of their forecast: given, or why there is none. Empty where no collector has the processor calico_ipam.',
            'none',
            [d.query('sum by (outcome) (otelcol_processor_calico_ipam_forecasts{%s})' % own, '{{outcome}}')]
          ) + d.stacked + d.size(8, 8),
          d.timeseries(
            'Histories',
            'Memory of the histories that forecasts are made from. Empty where no collector has the processor calico_ipam.',
            'bytes',
            [d.query('sum by (instance) (otelcol_processor_calico_ipam_history_size{%s})' % own, '{{instance}}')]
          ) + d.size(8, 8),
          d.timeseries(
            'What failed',
            "Calico's objects that cannot be read; and within the time of a point scrapes that were not computed, points that are no number, and failures of "
            + 'the storage of histories. All should be 0.',
            'short',
            [
              d.query(orNone('otelcol_receiver_calico_unreadable_objects{%s}' % own), 'objects'),
              d.query(orNone('increase(otelcol_processor_calico_ipam_scrapes{%s,outcome!="computed"}[$__rate_interval])' % own), 'scrapes'),
              d.query(grown('otelcol_processor_calico_ipam_unreadable_points'), 'points'),
              d.query(grown('otelcol_processor_calico_ipam_storage_failures'), 'history'),
            ]
          ) + d.size(8, 8),
        ]),
      ]
    ),
  },
}
