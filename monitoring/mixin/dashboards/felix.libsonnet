// All Felixes: which of them fail, are slow or are behind, and how much each has to do.
//
// Lines are of the whole fleet or of its worst node, so that there are as few with a thousand nodes; the table says which node it is.
local d = import '../dashboard.libsonnet';
local felix = import '../felix.libsonnet';

{
  local config = $._config,
  local thresholds = config.thresholds,
  local cluster = 'k8s_cluster_name=~"$cluster"',
  local selector = cluster + ',k8s_node_name=~"$node",job=~"$job",instance=~"$instance"',
  // Everything that is scraped has up and scrape_duration_seconds, and $job is any job at first.
  local target = 'job="calico-felix",' + selector,

  // orZero is 0 where expr says nothing, as long as there is a Felix.
  local orZero(expr, any='felix_resync_state{%s}' % selector) = '(%s) or count(%s) * 0' % [expr, any],
  // mean is what a summary says on average, for each value of the labels.
  local mean(summary, labels=felix.one) = std.join('\n/ ', [
    '%s(rate(%s_%s{%s}[$__rate_interval]))' % [felix.sum(labels), summary, part, selector]
    for part in ['sum', 'count']
  ]),
  // most is the largest sum that a node has of a gauge.
  local most(gauge) = orZero('max(sum by (%s) (%s{%s}))' % [felix.one, gauge, selector]),
  local perMinute(counters) = orZero('60 * ' + felix.counted('rate', counters, '$__rate_interval', selector, '')),
  // recent is what the alerts compare.
  local recent(counters) = felix.counted('increase', counters, '15m', selector),
  local rounded = [{ id: 'decimals', value: 0 }],
  // states are Felixes by what felix_resync_state says of them.
  local states = std.foldl(
    function(expr, state) 'label_replace(%s, "state", "%s", "state", "%s")' % [expr, state[1], state[0]],
    [['1', 'waiting'], ['2', 'resyncing'], ['3', 'in sync']],
    'count_values("state", felix_resync_state{%s})' % selector
  ),

  grafanaDashboards+:: {
    'felix.json': d.dashboard(
      config,
      config.dashboards.felix,
      'Calico / Felix fleet',
      'Felix on all nodes: which fail to program the dataplane, which are slow or behind, and what each has to do.',
      [
        d.variable('cluster', 'Cluster', 'label_values(felix_resync_state, k8s_cluster_name)'),
        d.variable('job', 'Job', 'label_values(felix_resync_state{%s}, job)' % cluster) + { allValue: '.+' },
        d.variable('node', 'Node', 'label_values(felix_resync_state{%s,job=~"$job"}, k8s_node_name)' % cluster),
        d.variable('instance', 'Instance', 'label_values(felix_resync_state{%s,job=~"$job",k8s_node_name=~"$node"}, instance)' % cluster)
        + { allValue: '.+' },
      ],
      [
        d.row('Now', [
          d.stat(
            'Hosts',
            'Nodes that Calico knows, of all clusters. Where there are more of them than Felixes up and down, the rest is not scraped.',
            'none',
            'sum(max by (k8s_cluster_name) (felix_cluster_num_hosts{%s}))' % selector
          ) + d.size(4, 4),
          d.stat('Felix up', 'Felixes whose metrics were scraped.', 'none', 'sum(up{%s})' % target) + d.size(4, 4),
          d.stat('Felix down', 'Felixes whose last scrape failed.', 'none', orZero('count(up{%s} == 0)' % target, 'up{%s}' % target)) + d.thresholds(1)
          + d.runbook(config, 'CalicoComponentDark') + d.size(4, 4),
          d.stat(
            'Failing',
            'Felixes that failed more than %d times within 15 minutes to program the dataplane of their node.' % thresholds.dataplaneFailures,
            'none',
            orZero('count(%s > %g)' % [recent(felix.failures), thresholds.dataplaneFailures])
          ) + d.thresholds(null, 1) + d.runbook(config, 'CalicoFelixDataplaneFailures') + d.size(4, 4),
          d.stat(
            'Workload endpoints',
            'Endpoints of pods that Calico knows, of all clusters.',
            'none',
            'sum(max by (k8s_cluster_name) (felix_cluster_num_workload_endpoints{%s}))' % selector
          ) + d.size(4, 4),
          d.stat(
            'Policies',
            'Policies that Calico knows, of all clusters. Those of Kubernetes count as well.',
            'none',
            'sum(max by (k8s_cluster_name) (felix_cluster_num_policies{%s}))' % selector
          ) + d.size(4, 4),
        ]),
        d.row('Nodes', [
          d.table(
            'Nodes',
            'Each Felix: endpoints of its node, policies that apply to them, and what failed within 15 minutes. Time to apply is the mean of these.',
            [],
            [
              { name: 'Up', unit: 'bool_yes_no', expr: 'max by (%s) (up{%s})' % [felix.one, target] },
              { name: 'Failures', unit: 'none', expr: recent(felix.failures), properties: d.colored(null, thresholds.dataplaneFailures) + rounded },
              { name: 'Errors of iptables', unit: 'none', expr: recent(felix.iptables), properties: d.colored(thresholds.iptablesErrors, null) + rounded },
              { name: 'Errors of IP sets', unit: 'none', expr: recent(felix.ipsets), properties: d.colored(thresholds.ipsetErrors, null) + rounded },
              {
                name: 'Errors of nftables',
                unit: 'none',
                expr: '%s or count by (%s) (felix_resync_state{%s}) * 0' % [recent(felix.nftables), felix.one, selector],
                properties: d.colored(thresholds.nftablesErrors, null) + rounded,
              },
              {
                name: 'Time to apply',
                unit: 's',
                expr: std.strReplace(mean('felix_int_dataplane_apply_time_seconds'), '$__rate_interval', '15m'),
                properties: d.colored(thresholds.applySeconds, null),
              },
              { name: 'Endpoints', unit: 'none', expr: 'max by (%s) (felix_active_local_endpoints{%s})' % [felix.one, selector] },
              { name: 'Policies', unit: 'none', expr: 'max by (%s) (felix_active_local_policies{%s})' % [felix.one, selector] },
            ]
          ) + {
            fieldConfig+: {
              overrides+: [{
                matcher: { id: 'byName', options: 'k8s_node_name' },
                properties: d.linked('The node', config.dashboards.node, { cluster: 'k8s_cluster_name', node: 'k8s_node_name' }),
              }],
            },
            options+: { sortBy: [{ displayName: 'Failures', desc: true }] },
            // A Felix that was configured by hand has nothing else to be known by.
            transformations: [super.transformations[0], super.transformations[1] { options+: { excludeByName+: { instance: false } } }],
          } + d.size(24, 10),
        ]),
        d.row('Dataplane', [
          d.timeseries(
            'Failures',
            'How often a minute Felix could not bring the dataplane of its node up to date, where that was so. It tries again within ten seconds.',
            'cpm',
            [d.query(
              |||
                60 * %s > 0
                or on () label_replace(count(felix_resync_state{%s}) * 0, "k8s_node_name", "all nodes", "", "")
              ||| % [felix.counted('rate', felix.failures, '$__rate_interval', selector), selector],
              '{{k8s_cluster_name}} {{k8s_node_name}}'
            )]
          ) + d.runbook(config, 'CalicoFelixDataplaneFailures') + d.size(12, 9),
          d.timeseries(
            'Errors',
            'Commands that failed a minute, of all nodes, and lines of the log that were not written. A few are normal where others write iptables too.',
            'cpm',
            [
              d.query(perMinute(felix.iptables), 'iptables'),
              d.query(perMinute(felix.ipsets), 'IP sets'),
              d.query(perMinute(felix.nftables), 'nftables'),
              d.query(perMinute(['felix_log_errors', 'felix_logs_dropped']), 'log'),
            ]
          ) + d.runbook(config, 'CalicoFelixIptablesErrors') + d.size(12, 9),
          d.timeseries(
            'Time to apply',
            'How long it takes to bring a change into the dataplane, on average. New pods have no network before.',
            's',
            [
              d.query('max(%s)' % mean('felix_int_dataplane_apply_time_seconds'), 'slowest node'),
              d.query(mean('felix_int_dataplane_apply_time_seconds', ''), 'all nodes'),
            ]
          ) + d.thresholds(thresholds.applySeconds) + d.lines + d.runbook(config, 'CalicoFelixApplySlow') + d.size(8, 8),
          d.timeseries(
            'Messages at a time',
            'How many messages Felix takes together, on average. More mean that it is behind. A line has gaps where there were none.',
            'none',
            [
              d.query(mean('felix_int_dataplane_msg_batch_size', ''), 'policies and endpoints'),
              d.query(mean('felix_int_dataplane_iface_msg_batch_size', ''), 'interfaces'),
              d.query(mean('felix_int_dataplane_addr_msg_batch_size', ''), 'addresses'),
            ]
          ) + d.size(8, 8),
          d.timeseries(
            'Time to list routes',
            'How long Felix takes to read the routes of its node, on average, to compare them with what they should be. It grows with the routes.',
            's',
            [
              d.query(
                'max((%s) or (%s))' % [mean('felix_route_table_resync_seconds'), mean('felix_route_table_list_seconds')], 'slowest node'
              ),
            ]
          ) + d.size(8, 8),
        ]),
        d.row('Calculation', [
          d.timeseries(
            'Time to calculate',
            'How long Felix works on an update of the datastore, on average: microseconds, and more for policies that pick many pods.',
            's',
            [
              d.query('max(%s)' % mean('felix_calc_graph_update_time_seconds'), 'slowest node'),
              d.query(mean('felix_calc_graph_update_time_seconds', ''), 'all nodes'),
            ]
          ) + d.size(12, 8),
          d.timeseries(
            'State of the datastore',
            'Felixes that know all of the datastore, that are reading it, and that wait for it. All should be in sync but for a moment after they start.',
            'none',
            [d.query(states, '{{state}}')]
          ) + d.stacked + d.size(12, 8),
        ]),
        d.row('What the node with the most has', [
          d.timeseries(
            'IP sets',
            'IP sets of the node that has the most, by the dataplane that has them. Most are selectors of policies.',
            'none',
            [
              d.query(most('felix_ipsets_calico'), 'iptables'),
              d.query(most('felix_nft_sets'), 'nftables'),
              d.query(most('felix_bpf_num_ip_sets'), 'eBPF'),
            ]
          ) + d.size(12, 8),
          d.timeseries(
            'Rules and chains',
            'Rules and chains of the node that has the most. They grow with the endpoints of the node, and with their policies.',
            'none',
            [
              d.query(most('felix_iptables_rules'), 'rules of iptables'),
              d.query(most('felix_iptables_chains'), 'chains of iptables'),
              d.query(most('felix_nft_rules'), 'rules of nftables'),
              d.query(most('felix_nft_chains'), 'chains of nftables'),
            ]
          ) + d.size(12, 8),
        ]),
        d.row('Scrapes', [
          d.timeseries(
            'Scrapes',
            'Felixes that answer, and those that do not.',
            'none',
            [
              d.query('sum(up{%s})' % target, 'answer'),
              d.query(orZero('count(up{%s} == 0)' % target, 'up{%s}' % target), 'do not'),
            ]
          ) + d.stacked + d.size(12, 8),
          d.timeseries(
            'Time to scrape',
            'How long scrapes take. Those of nodes that are short of CPU take long, and fail when they reach the timeout.',
            's',
            [
              d.query('max(scrape_duration_seconds{%s})' % target, 'slowest'),
              d.query('avg(scrape_duration_seconds{%s})' % target, 'mean'),
            ]
          ) + d.size(12, 8),
        ]),
      ]
    ),
  },
}
