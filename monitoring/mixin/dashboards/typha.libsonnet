// All Typhas: their clients, how far these are behind, and what Typha keeps and sends.
local d = import '../dashboard.libsonnet';

{
  local config = $._config,
  local thresholds = config.thresholds,
  local cluster = 'k8s_cluster_name=~"$cluster"',
  local selector = cluster + ',job=~"$job",instance=~"$instance"',
  // Everything that is scraped has up and scrape_duration_seconds, and $job is any job at first.
  local target = 'job="calico-typha",' + selector,
  local one = 'k8s_cluster_name, k8s_node_name, instance',
  // A Typha that was configured by hand has no node.
  local typha = '{{k8s_cluster_name}} {{k8s_node_name}} {{instance}}',

  // slowest is the slowest hundredth of a summary, of the slowest Typha.
  local slowest(summary) = [d.query('max by (syncer) (%s{%s,quantile="0.99"})' % [summary, selector], '{{syncer}}')],
  local rate(counter) = 'sum(rate(%s{%s}[$__rate_interval]))' % [counter, selector],
  local perMinute(counter) = '60 * ' + rate(counter),

  grafanaDashboards+:: {
    'typha.json': d.dashboard(
      config,
      config.dashboards.typha,
      'Calico / Typha',
      'Typha, between the datastore and the nodes: its clients, how far they are behind, and what it keeps and sends.',
      [
        d.variable('cluster', 'Cluster', 'label_values(typha_connections_active, k8s_cluster_name)'),
        d.variable('job', 'Job', 'label_values(typha_connections_active{%s}, job)' % cluster) + { allValue: '.+' },
        d.variable('instance', 'Instance', 'label_values(typha_connections_active{%s,job=~"$job"}, instance)' % cluster) + { allValue: '.+' },
      ],
      [
        d.row('Now', [
          d.stat('Typha up', 'Typhas whose metrics were scraped.', 'none', 'sum(up{%s})' % target) + d.size(4, 4),
          d.stat(
            'Typha down', 'Typhas whose last scrape failed.', 'none', 'count(up{%s} == 0) or count(up{%s}) * 0' % [target, target]
          ) + d.thresholds(1) + d.runbook(config, 'CalicoComponentDark') + d.size(4, 4),
          d.stat(
            'Connections', 'Connections of clients to all Typhas: one of each kind a node.', 'none', 'sum(typha_connections_active{%s})' % selector
          ) + d.size(4, 4),
          d.stat(
            'Slowest pings',
            'One in a hundred pings of a Typha to its clients takes this long or longer. Not a number without clients.',
            's',
            'max(typha_ping_latency{%s,quantile="0.99"})' % selector
          ) + d.thresholds(thresholds.typhaPingSeconds) + d.runbook(config, 'CalicoTyphaOverloaded') + d.size(4, 4),
          d.stat(
            'Dropped within half an hour',
            'Connections that a Typha dropped, of those that it has. Some are normal when Typhas or nodes come and go. Not a number without clients.',
            'percentunit',
            |||
              max(
                sum by (%(one)s) (increase(typha_connections_dropped{%(selector)s}[30m]))
                / max by (%(one)s) (avg_over_time(typha_connections_active{%(selector)s}[30m]))
              )
            ||| % { one: one, selector: selector }
          ) + d.thresholds(thresholds.typhaDroppedRatio) + d.runbook(config, 'CalicoTyphaClientsDropped') + d.size(8, 4),
        ]),
        d.row('Clients', [
          d.timeseries(
            'Connections',
            'Connections that are open, of each Typha. It drops some where it has more than its share.',
            'none',
            [d.query('max by (%s) (typha_connections_active{%s})' % [one, selector], typha)]
          ) + d.size(8, 8),
          d.timeseries(
            'Connections that are served',
            'Connections that have everything and are sent what changes, of all Typhas. Of each kind a node has one. Empty before Calico 3.25.',
            'none',
            [d.query('sum by (syncer) (typha_connections_streaming{%s})' % selector, '{{syncer}}')]
          ) + d.stacked + d.size(8, 8),
          d.timeseries(
            'Connections that come and go',
            'How many a minute were accepted, dropped so that another Typha takes them, and given more time to catch up. All are few but after changes.',
            'cpm',
            [
              d.query(perMinute('typha_connections_accepted'), 'accepted'),
              d.query(perMinute('typha_connections_dropped'), 'dropped'),
              d.query(perMinute('typha_connections_grace_used'), 'given more time'),
            ]
          ) + d.runbook(config, 'CalicoTyphaClientsDropped') + d.size(8, 8),
        ]),
        d.row('Latency of the slowest hundredth', [
          d.timeseries(
            'Pings',
            'Round trip of a ping to a client: milliseconds where neither Typha nor clients are overloaded. A line has gaps without clients.',
            's',
            slowest('typha_ping_latency')
          ) + d.thresholds(thresholds.typhaPingSeconds) + d.lines + d.runbook(config, 'CalicoTyphaOverloaded') + d.size(8, 8),
          d.timeseries(
            'Clients behind',
            'How far clients are behind what Typha knows. At five minutes Typha disconnects them. A line has gaps without clients.',
            's',
            slowest('typha_client_latency_secs')
          ) + d.runbook(config, 'CalicoTyphaOverloaded') + d.size(8, 8),
          d.timeseries(
            'Writes',
            'How long it takes to write to a client. Where it is much, the network or the client is slow. A line has gaps without clients.',
            's',
            slowest('typha_client_write_latency_secs')
          ) + d.size(8, 8),
        ]),
        d.row('Snapshots for new clients', [
          d.timeseries(
            'Snapshots',
            'How many snapshots a minute were made for new clients, and how many of those were sent again. Empty before Calico 3.25.',
            'cpm',
            [d.query(perMinute('typha_snapshots_generated'), 'made'), d.query(perMinute('typha_snapshots_reused'), 'sent again')]
          ) + d.size(8, 8),
          d.timeseries(
            'Size',
            'Size of the largest snapshot, raw and compressed. It grows with pods, policies and nodes. 0 until a client comes. Empty before Calico 3.25.',
            'bytes',
            [d.query('max(typha_snapshot_raw_bytes{%s})' % selector, 'raw'), d.query('max(typha_snapshot_compressed_bytes{%s})' % selector, 'compressed')]
          ) + d.size(8, 8),
          d.timeseries(
            'Time to send',
            'How long the slowest hundredth of new clients waits for its snapshot. A line has gaps without new clients.',
            's',
            slowest('typha_client_snapshot_send_secs')
          ) + d.size(8, 8),
        ]),
        d.row('What Typha keeps and sends', [
          d.timeseries(
            'Cache',
            'What Typha has of the datastore, in keys. All Typhas have the same; the most that one has. Empty before Calico 3.25.',
            'none',
            [d.query('max by (syncer) (typha_cache_size{%s})' % selector, '{{syncer}}')]
          ) + d.size(8, 8),
          d.timeseries(
            'Updates',
            'How many updates a second came from the datastore to all Typhas, and how many of them changed nothing and were not sent.',
            'cps',
            [d.query(rate('typha_updates_total'), 'came'), d.query(rate('typha_updates_skipped'), 'skipped')]
          ) + d.size(8, 8),
          d.timeseries(
            'Breadcrumbs',
            'How many batches of changes a second clients had to wait for, and how many were there already. Clients that mostly find them there are behind.',
            'cps',
            [d.query(rate('typha_breadcrumb_block'), 'waited for'), d.query(rate('typha_breadcrumb_non_block'), 'were there')]
          ) + d.size(8, 8),
        ]),
        d.row('Scrapes', [
          d.timeseries(
            'Time to scrape',
            'How long scrapes of each Typha take. A Typha that is short of CPU takes long.',
            's',
            [d.query('max by (%s) (scrape_duration_seconds{%s})' % [one, target], typha)]
          ) + d.size(24, 7),
        ]),
      ]
    ),
  },
}
